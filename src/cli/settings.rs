//! The settings in force: flag, environment, file, default.
//!
//! In: flags (clap has read their variables already) and a configuration file. Out: opened keys and repository.
//! Invariant: what a verb does not ask for is not read; what it asks for and nobody named is a usage error that
//! says how to name it.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{
    access::{Found, SOPS_KEY, surroundings},
    global::Global,
    guard,
    log::{Level, say},
    prompt,
    terminal::Terminal,
};
use crate::{
    Error, Result,
    cluster::{Access, Cluster},
    config::Config,
    keys::Opener,
    repository::Repository,
    seal::{Identities, Recipients},
    signature::{self, SigningKey, TrustedSigners},
};

/// Read where `--config` names no other file.
pub(super) const SYSTEM: &str = "/etc/netdr/netdr.yaml";
/// Looked for first, in the working directory.
pub(super) const LOCAL: &str = "netdr.yaml";

#[derive(Clone)]
pub(super) struct Settings {
    /// The file's values; those that flags override are taken from the methods below.
    pub(super) config: Config,
    /// The file in use.
    pub(super) file: Option<PathBuf>,
    pub(super) repository: Option<PathBuf>,
    pub(super) signing_key: Option<PathBuf>,
    pub(super) index_key: Option<PathBuf>,
    pub(super) trusted_signers: Option<PathBuf>,
    identity: Vec<PathBuf>,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
}

impl Settings {
    /// Finds, reads and merges; says which file that is.
    pub(super) fn load(flags: &Global, terminal: &Terminal) -> Result<Self> {
        if flags.config.is_none() && is_foreign(Path::new(LOCAL)) {
            terminal.warn(
                "./netdr.yaml belongs to somebody else and is not read; name it with --config to use it",
            );
        }
        match find(flags.config.as_deref()) {
            Some(file) => terminal.detail(format!("configuration: {}", file.display())),
            None => terminal.detail("no configuration file is in use"),
        }
        Self::read(flags)
    }

    /// As [`Settings::load`], for whoever reads them again and again: it has been said.
    pub(super) fn read(flags: &Global) -> Result<Self> {
        let Some(file) = find(flags.config.as_deref()) else {
            return Ok(Self::merge(flags, Config::default(), None));
        };
        let by = surroundings().by(&file, "--config", "NETDR_CONFIG");
        there(
            &file,
            "configuration",
            by,
            &format!(
                "without it, ./{LOCAL} or {SYSTEM} is read; one is made by: netdr init --repo PATH --generate-keys DIR"
            ),
        )?;
        let config = Config::parse(&guard::read(&file, "configuration")?, &file)?;
        Ok(Self::merge(flags, config, Some(file)))
    }

    /// Where the configuration is refused: who is told of that, as far as it says so, and why it is.
    pub(super) fn of_refused(flags: &Global) -> Option<(Self, Error)> {
        let file = find(flags.config.as_deref())?;
        let text = guard::read(&file, "configuration").ok()?;
        let (config, why) = Config::of_refused(&text, &file)?;
        Some((Self::merge(flags, config, Some(file)), why))
    }

    fn merge(flags: &Global, config: Config, file: Option<PathBuf>) -> Self {
        let or = |flag: &Option<PathBuf>, value: &Option<PathBuf>| flag.clone().or_else(|| value.clone());
        Self {
            repository: or(&flags.repo, &config.repository),
            signing_key: or(&flags.signing_key, &config.signing_key),
            index_key: or(&flags.index_key, &config.index_key),
            trusted_signers: or(&flags.trusted_signers, &config.trusted_signers),
            identity: flags.identity.clone(),
            kubeconfig: flags.kubeconfig.clone(),
            context: flags.context.clone(),
            config,
            file,
        }
    }

    pub(super) fn repository_path(&self) -> Result<&Path> {
        REPOSITORY.named(&self.repository).map_err(|error| {
            error.hint("a new one, with all keys, is made by: netdr init --repo PATH --generate-keys DIR")
        })
    }

    pub(super) fn repository(&self) -> Result<Repository> {
        Repository::open(self.repository_path()?)
    }

    pub(super) fn trusted(&self) -> Result<TrustedSigners> {
        let file = TRUSTED_SIGNERS.file(&self.trusted_signers, &self.config.trusted_signers)?;
        guard::check(file, "trusted signers")?;
        TrustedSigners::read(file)
    }

    pub(super) fn signing_key(&self) -> Result<SigningKey> {
        let file = SIGNING_KEY.file(&self.signing_key, &self.config.signing_key)?;
        SigningKey::read(file, &prompt::passphrase)
    }

    pub(super) fn index_key(&self) -> Result<Identities> {
        let file = INDEX_KEY.file(&self.index_key, &self.config.index_key)?;
        Identities::read(&[file.to_owned()], &prompt::passphrase)
    }

    /// That the index key of the configuration is not there, and what to do: it stops nobody who can do without. One that
    /// a flag names is another matter: it was meant.
    pub(super) fn lost_index_key(&self) -> Option<String> {
        let configured = self.index_key.as_deref().filter(|_| self.index_key == self.config.index_key);
        let file = configured.filter(|file| matches!(file.try_exists(), Ok(false)))?;
        let shown = file.display();
        Some(format!(
            "index key {shown} does not exist; put it back, or make a new one: age-keygen -o {shown}"
        ))
    }

    /// The index key, where it is named and there; that it is lost is said.
    pub(super) fn index_key_if_there(&self, terminal: &Terminal) -> Result<Option<Identities>> {
        if let Some(lost) = self.lost_index_key() {
            terminal.warn(lost);
            return Ok(None);
        }
        self.index_key.is_some().then(|| self.index_key()).transpose()
    }

    /// Whom bundles are sealed to; only a configuration names them.
    pub(super) fn recipients(&self) -> Result<Recipients> {
        if let Some(file) = &self.config.recipients_file {
            let next = "an age identity's recipient is printed by: age-keygen -y FILE; new keys, with that file, are made by: netdr keys generate --out DIR";
            there(file, "recipients file", "`recipients_file` of the configuration", next)?;
            let text = guard::read(file, "recipients")?;
            return Recipients::parse(text.lines(), &file.display().to_string());
        }
        if self.config.recipients.is_empty() {
            return Err(Error::usage("no recipients are named").hint(
                "write `recipients: [age1…, age1…]` or `recipients_file: FILE` into netdr.yaml; `netdr init` does",
            ));
        }
        let source = self.file.as_deref().unwrap_or(Path::new(LOCAL)).display().to_string();
        Recipients::parse(self.config.recipients.iter().map(String::as_str), &source)
    }

    /// Whether a configuration names recipients, rightly or not.
    pub(super) fn names_recipients(&self) -> bool {
        self.config.recipients_file.is_some() || !self.config.recipients.is_empty()
    }

    /// What opens bundles.
    pub(super) fn identities(&self) -> Result<Identities> {
        opened(self.identity_files().needed()?)
    }

    /// The same, each place for itself.
    pub(super) fn openers(&self) -> Result<Vec<Opener>> {
        let found = self.identity_files().needed()?;
        let file = |file: PathBuf| {
            (file.display().to_string(), Found { files: vec![file], by: found.by, ..Found::default() })
        };
        let key = found.key.map(|key| (SOPS_KEY.to_owned(), Found { key: Some(key), ..Found::default() }));
        let each = found.files.into_iter().map(file).chain(key);
        each.map(|(name, one)| Ok(Opener { name, identities: opened(one)? })).collect()
    }

    /// What opens bundles, where somebody named it; nobody is asked for the passphrase of a key found by chance.
    pub(super) fn identities_if_named(&self) -> Result<Option<Identities>> {
        let found = self.identity_files();
        let named = found.looked.is_empty();
        if !named {
            return Ok(None);
        }
        opened(found).map(Some)
    }

    /// What opens indexes: the index key, else an identity.
    pub(super) fn index_openers(&self, terminal: &Terminal) -> Result<Identities> {
        self.index_key_if_there(terminal)?.map_or_else(|| self.identities(), Ok)
    }

    fn identity_files(&self) -> Found {
        surroundings().identities(&self.identity)
    }

    /// What a cluster is called: as configured, else as it is reached.
    pub(super) fn cluster_name(&self, cluster: &Cluster) -> String {
        self.config.cluster_name.as_deref().unwrap_or(cluster.name()).to_owned()
    }

    pub(super) fn access(&self) -> Result<Access> {
        surroundings().access(self.kubeconfig.as_deref(), self.context.as_deref())
    }
}

/// Reads what was found.
fn opened(found: Found) -> Result<Identities> {
    found.there()?;
    found.files.iter().filter_map(|file| guard::read_by_others(file)).for_each(|warning| {
        say(Level::Warning, &warning, &[]);
    });
    let identities = Identities::read(&found.files, &prompt::passphrase)?;
    match found.key {
        Some(key) => identities.and_text(key, SOPS_KEY, &prompt::passphrase),
        None => Ok(identities),
    }
}

/// A file or folder that a flag, a variable or the configuration names.
struct Asked {
    what: &'static str,
    flag: &'static str,
    value: &'static str,
    variable: &'static str,
    key: &'static str,
    /// What to do where the file is not there.
    lost: fn() -> String,
}

const REPOSITORY: Asked = Asked {
    what: "repository",
    flag: "--repo",
    value: "PATH",
    variable: "NETDR_REPO",
    key: "repository",
    lost: String::new,
};
const TRUSTED_SIGNERS: Asked = Asked {
    what: "trusted signers",
    flag: "--trusted-signers",
    value: "FILE",
    variable: "NETDR_TRUSTED_SIGNERS",
    key: "trusted_signers",
    lost: || {
        let ours = signature::OURS;
        format!("put it back; a line of it is: netdr namespaces=\"{ours}\" and then what signing.pub says")
    },
};
const SIGNING_KEY: Asked = Asked {
    what: "signing key",
    flag: "--signing-key",
    value: "FILE",
    variable: "NETDR_SIGNING_KEY",
    key: "signing_key",
    lost: || "put it back; where it is lost, new keys are made by: netdr keys generate --out DIR".into(),
};
const INDEX_KEY: Asked = Asked {
    what: "index key",
    flag: "--index-key",
    value: "FILE",
    variable: "NETDR_INDEX_KEY",
    key: "index_key",
    lost: || "put it back; where it is lost, make a new one: age-keygen -o FILE".into(),
};

impl Asked {
    fn named<'a>(&self, value: &'a Option<PathBuf>) -> Result<&'a Path> {
        let Self { what, flag, value: metavariable, variable, key, .. } = self;
        value.as_deref().ok_or_else(|| {
            Error::usage(format!("no {what} is named")).hint(format!(
                "pass {flag} {metavariable}, set {variable}, or write `{key}:` into netdr.yaml"
            ))
        })
    }

    /// The file, which is there; `configured` is what the configuration says.
    fn file<'a>(&self, value: &'a Option<PathBuf>, configured: &Option<PathBuf>) -> Result<&'a Path> {
        let file = self.named(value)?;
        let key = format!("`{}` of the configuration", self.key);
        let by = match configured.as_deref() == Some(file) {
            true => key.as_str(),
            false => surroundings().by(file, self.flag, self.variable),
        };
        there(file, self.what, by, &(self.lost)())?;
        Ok(file)
    }
}

/// Refuses a file that is not there, with who named it and what to do.
pub(super) fn there(file: &Path, what: &str, by: &str, next: &str) -> Result<()> {
    match file.try_exists() {
        Ok(false) => Err(Error::usage(format!("{what} {} does not exist", file.display()))
            .why(format!("{by} names it"))
            .hint(next)),
        _ => Ok(()), // what cannot be looked at is for its reader to say
    }
}

fn find(flag: Option<&Path>) -> Option<PathBuf> {
    if let Some(file) = flag {
        return Some(file.into());
    }
    let (local, system) = (Path::new(LOCAL), Path::new(SYSTEM));
    let ours = local.exists() && !is_foreign(local);
    if ours { Some(local.into()) } else { system.exists().then(|| system.into()) }
}

/// Somebody else's file in a shared folder must not name keys and repository for us.
fn is_foreign(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.uid() != rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_nothing() {
        let text = "repository: /file\nindex_key: /file.index\n";
        let config = Config::parse(text, Path::new("/etc/netdr/netdr.yaml")).unwrap();
        let flags = Global { repo: Some("/flag".into()), ..Global::default() };
        let settings = Settings::merge(&flags, config, None);
        assert_eq!(settings.repository_path().unwrap(), Path::new("/flag"));
        assert_eq!(settings.index_key, Some("/file.index".into()));
        let error = settings.signing_key().err().unwrap();
        assert_eq!(error.to_string(), "no signing key is named");
        assert!(error.hints()[0].contains("--signing-key FILE, set NETDR_SIGNING_KEY"));
    }
}
