//! `netdr init`: repository and configuration, so that `netdr backup` works next.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf, absolute},
};

use clap::{ArgGroup, Args};
use rand::random;
use serde_json::json;

use super::{
    context::Context,
    exit::Exit,
    guard,
    keys::custody,
    prompt,
    settings::{LOCAL, Settings},
};
use crate::{
    Error, Result, keys,
    repository::Repository,
    seal::{Identities, Recipients},
    signature::{SigningKey, TrustedSigners},
};

/// Make a repository, and a ./netdr.yaml where there is none
#[derive(Args)]
#[command(
    group(ArgGroup::new("keys").args(["generate_keys", "recipients"])),
    after_help = "With --recipients, name your other keys too: --signing-key, --index-key, --trusted-signers.\n\
                  Without either, the keys are those that the configuration names."
)]
pub(super) struct Init {
    /// Make new keys in this folder
    #[arg(long, value_name = "DIR")]
    generate_keys: Option<PathBuf>,
    /// Seal to the age or SSH recipients in this file, one a line
    #[arg(long, value_name = "FILE")]
    recipients: Option<PathBuf>,
}

/// The paths that a configuration names.
struct Paths {
    recipients: PathBuf,
    signing_key: PathBuf,
    index_key: PathBuf,
    trusted_signers: PathBuf,
}

impl Paths {
    /// The command that does the rest once the keys are made.
    fn go_on(&self) -> String {
        format!(
            "the keys are made; go on with: netdr init --repo PATH --recipients {} --signing-key {} --index-key {} \
             --trusted-signers {}",
            self.recipients.display(),
            self.signing_key.display(),
            self.index_key.display(),
            self.trusted_signers.display(),
        )
    }

    /// What a configuration that was there already does not name, as its lines would be.
    fn missing(&self, root: &Path, settings: &Settings) -> Result<Vec<String>> {
        let config = &settings.config;
        let is_read = settings.file.as_deref() == Some(Path::new(LOCAL));
        let wanted = [
            ("repository", root, &config.repository),
            ("recipients_file", &self.recipients, &config.recipients_file),
            ("signing_key", &self.signing_key, &config.signing_key),
            ("index_key", &self.index_key, &config.index_key),
            ("trusted_signers", &self.trusted_signers, &config.trusted_signers),
        ];
        let mut missing = Vec::new();
        for (key, path, named) in wanted {
            let named = named.as_deref().filter(|_| is_read).map(full).transpose()?;
            if named.as_deref() != Some(path) {
                missing.push(format!("{key}: {}", quoted(path)));
            }
        }
        Ok(missing)
    }
}

impl Init {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let root = full(settings.repository_path()?)?;
        let (paths, made) = match (&self.generate_keys, &self.recipients) {
            (Some(folder), _) => {
                // Keys of a repository that is not made would open nothing, and lie in a safe.
                if left(&root, &settings)?.is_none() {
                    Repository::may_init(&root)?;
                }
                let made = keys::generate(&full(folder)?, cx.now)?;
                let paths = Paths {
                    recipients: made.recipients.clone(),
                    signing_key: made.signing.clone(),
                    index_key: made.index.clone(),
                    trusted_signers: made.trusted_signers.clone(),
                };
                (paths, Some(made))
            }
            (None, Some(recipients)) => (given(recipients, &settings)?, None),
            (None, None) => return configured(&root, &settings, cx),
        };
        let repository =
            make(&root, &settings).map_err(|e| if made.is_some() { e.hint(paths.go_on()) } else { e })?;
        let missing = match configure(&root, &paths)? {
            true => None,
            false => Some(paths.missing(&root, &settings)?),
        };
        let document = json!({
            "repository": repository.root(), "id": repository.id(),
            "configuration": missing.is_none().then_some(LOCAL),
        });
        cx.terminal.report(Exit::Done, &document, || said(&root, missing.as_deref(), made.as_ref()))?;
        Ok(Exit::Done)
    }
}

/// Makes the repository.
fn make(root: &Path, settings: &Settings) -> Result<Repository> {
    match left(root, settings)? {
        Some(left) => Ok(left),
        None => Repository::init(root, random()),
    }
}

/// One without snapshots that no configuration names was left by an init that was killed.
fn left(root: &Path, settings: &Settings) -> Result<Option<Repository>> {
    match Repository::open(root) {
        Ok(left) if settings.file.is_none() && left.is_empty()? => Ok(Some(left)),
        _ => Ok(None),
    }
}

/// A repository for the keys of a configuration that is there already.
fn configured(root: &Path, settings: &Settings, cx: &Context) -> Result<Exit> {
    if settings.file.is_none() {
        return Err(Error::usage("init needs --generate-keys DIR or --recipients FILE")
            .hint("let it make all keys: netdr init --generate-keys DIR"));
    }
    settings.recipients()?;
    settings.signing_key()?;
    settings.index_key()?;
    settings.trusted()?;
    let repository = Repository::init(root, random())?;
    let document =
        json!({"repository": repository.root(), "id": repository.id(), "configuration": settings.file});
    let said = || format!("repository: {}\nNext: netdr backup\n", root.display());
    cx.terminal.report(Exit::Done, &document, said)?;
    Ok(Exit::Done)
}

/// Keys that exist already: each is read once, so that a mistake shows now and not at night.
fn given(recipients: &Path, settings: &Settings) -> Result<Paths> {
    let need = |value: &Option<PathBuf>, flag: &str| {
        let file = value.as_deref().ok_or_else(|| {
            Error::usage(format!("init needs {flag} FILE"))
                .hint("or let it make all keys: netdr init --generate-keys DIR")
        })?;
        full(file)
    };
    let paths = Paths {
        recipients: full(recipients)?,
        signing_key: need(&settings.signing_key, "--signing-key")?,
        index_key: need(&settings.index_key, "--index-key")?,
        trusted_signers: need(&settings.trusted_signers, "--trusted-signers")?,
    };
    let text = guard::read(&paths.recipients, "recipients")?;
    Recipients::parse(text.lines(), &paths.recipients.display().to_string())?;
    guard::check(&paths.trusted_signers, "trusted signers")?;
    TrustedSigners::read(&paths.trusted_signers)?;
    SigningKey::read(&paths.signing_key, &prompt::passphrase)?;
    Identities::read(std::slice::from_ref(&paths.index_key), &prompt::passphrase)?;
    Ok(paths)
}

/// Writes ./netdr.yaml, never over one that is there. It names no identity: whoever reads it must not learn
/// where a key is that opens bundles.
fn configure(repository: &Path, paths: &Paths) -> Result<bool> {
    let cannot = |e| {
        Error::failed(format!("./{LOCAL} cannot be written"))
            .because(e)
            .hint("the repository is made already")
    };
    if fs::symlink_metadata(LOCAL).is_ok() {
        return Ok(false);
    }
    let text = format!(
        "\
# cluster: {{name: …}}   # default: the kubeconfig's name of the cluster
repository: {}
recipients_file: {}
signing_key: {}
index_key: {}
trusted_signers: {}
retention: {{daily: 7, weekly: 4, monthly: 3}}
# git: {{history: {{url: …, branch: netdr}}}}   # what backups see, committed and signed; never a secret
",
        quoted(repository),
        quoted(&paths.recipients),
        quoted(&paths.signing_key),
        quoted(&paths.index_key),
        quoted(&paths.trusted_signers),
    );
    place(Path::new(LOCAL), &text).map_err(cannot)?;
    Ok(true)
}

/// Writes by rename: half a configuration would name no keys, and stay. In a folder that others can write, the file
/// on its way in is never one of theirs, nor a link to somewhere.
fn place(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_file_name(format!(".{LOCAL}.new"));
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {} // of an init that was killed
    }
    let mut out = fs::File::create_new(&new)?;
    let written = out.write_all(text.as_bytes()).and_then(|()| out.sync_all());
    let placed = written.and_then(|()| fs::rename(&new, file));
    if placed.is_err() {
        let _ = fs::remove_file(&new);
    }
    placed
}

/// A JSON string is a YAML string, whatever is in the path.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    if text.chars().all(plain) { text } else { json!(text).to_string() }
}

fn full(path: &Path) -> Result<PathBuf> {
    absolute(path).map_err(|e| Error::usage(format!("{} is no path", path.display())).because(e))
}

/// `missing` is what a configuration that was there already does not name; none where this one is new.
fn said(root: &Path, missing: Option<&[String]>, made: Option<&keys::Keys>) -> String {
    let mut text = format!("repository: {}\n", root.display());
    let mut next = Vec::new();
    match missing {
        None => {
            text += &format!("configuration: ./{LOCAL}\n");
            next.push(format!(
                "give the cluster its name in the first line of ./{LOCAL}: RKE2 calls every cluster `default`"
            ));
        }
        Some([]) => {
            text += &format!("configuration: ./{LOCAL}, which names all of it already and is unchanged\n")
        }
        Some(missing) => {
            text +=
                &format!("configuration: ./{LOCAL} was there already and is unchanged; it does not say:\n");
            text += &missing.iter().map(|line| format!("  {line}\n")).collect::<String>();
            next.push(format!("write that into ./{LOCAL}"));
        }
    }
    if let Some(made) = made {
        text += &custody(made);
        next.push("take the first two away: until then each backup warns".into());
    }
    next.push("netdr backup".into());
    match next.as_slice() {
        [only] => text + &format!("Next: {only}\n"),
        steps => {
            let steps = steps.iter().enumerate().map(|(number, step)| format!("  {}. {step}\n", number + 1));
            text + "Next:\n" + &steps.collect::<String>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_link_in_the_way_of_a_configuration_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (theirs, file) = (folder.path().join("theirs"), folder.path().join(LOCAL));
        fs::write(&theirs, "as it was").unwrap();
        std::os::unix::fs::symlink(&theirs, folder.path().join(format!(".{LOCAL}.new"))).unwrap();
        place(&file, "repository: /r\n").unwrap();
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "as it was");
        assert_eq!(fs::read_to_string(&file).unwrap(), "repository: /r\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn a_path_survives_yaml() {
        for path in ["/backup/netdr", "/with space/a: b", "/quote\"d"] {
            let text = format!("repository: {}\n", quoted(Path::new(path)));
            let config = Config::parse(&text, Path::new("/netdr.yaml")).unwrap();
            assert_eq!(config.repository, Some(path.into()));
        }
    }
}
