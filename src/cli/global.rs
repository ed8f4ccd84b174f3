//! Flags that every verb takes; clap reads their environment variables, so a flag wins over its variable.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};

use super::{access::Surroundings, log::Format};
use crate::plan::CommandLine;

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Global {
    /// Read this configuration [default: ./netdr.yaml if yours, then /etc/netdr/netdr.yaml]
    #[arg(long, global = true, value_name = "FILE", env = "NETDR_CONFIG", hide_env_values = true)]
    pub(super) config: Option<PathBuf>,
    /// Keep snapshots in this repository [default: `repository` of the configuration]
    #[arg(long, global = true, value_name = "PATH", env = "NETDR_REPO", hide_env_values = true)]
    pub(super) repo: Option<PathBuf>,
    /// Reach the cluster by this kubeconfig [default: KUBECONFIG, the pod's service account, ~/.kube/config,
    /// /etc/rancher/rke2/rke2.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Use this context of the kubeconfig [default: its current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) context: Option<String>,
    /// Open bundles with this age identity or SSH key; repeatable [default: SOPS_AGE_KEY_FILE, then SOPS' places]
    #[arg(long, global = true, value_name = "FILE", env = "NETDR_IDENTITY", hide_env_values = true)]
    pub(super) identity: Vec<PathBuf>,
    /// Sign with this key [default: `signing_key` of the configuration]
    #[arg(long, global = true, value_name = "FILE", env = "NETDR_SIGNING_KEY", hide_env_values = true)]
    pub(super) signing_key: Option<PathBuf>,
    /// Open indexes with this identity [default: `index_key` of the configuration]
    #[arg(long, global = true, value_name = "FILE", env = "NETDR_INDEX_KEY", hide_env_values = true)]
    pub(super) index_key: Option<PathBuf>,
    /// Trust the signers in this allowed_signers file [default: `trusted_signers` of the configuration]
    #[arg(long, global = true, value_name = "FILE", env = "NETDR_TRUSTED_SIGNERS", hide_env_values = true)]
    pub(super) trusted_signers: Option<PathBuf>,
    /// Find a server node's files below this folder
    #[arg(long, global = true, value_name = "DIR", default_value = "/")]
    pub(super) host_root: PathBuf,
    /// Print one JSON document on stdout and nothing else there
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say only what went wrong; what was asked for is printed all the same: a list, a preview, --json
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more, such as which configuration is in use
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
    /// Show no progress bars
    #[arg(long, global = true, action = ArgAction::SetTrue)]
    pub(super) no_progress: bool,
    /// Write lines on stderr for a person, or as one JSON object each
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        env = LOG_FORMAT,
        hide_env_values = true,
        default_value_t
    )]
    pub(super) log_format: Format,
}

/// The variable of `--log-format`.
pub(super) const LOG_FORMAT: &str = "NETDR_LOG_FORMAT";

impl Global {
    /// The flags among them, for commands that are printed; clap took some from variables, which the next command has too.
    pub(super) fn again(&self, surroundings: &Surroundings<'_>) -> CommandLine {
        let one = |value: &Option<PathBuf>| value.iter().cloned().collect::<Vec<_>>();
        let named = [
            ("--config", "NETDR_CONFIG", one(&self.config)),
            ("--repo", "NETDR_REPO", one(&self.repo)),
            ("--identity", "NETDR_IDENTITY", self.identity.clone()),
            ("--signing-key", "NETDR_SIGNING_KEY", one(&self.signing_key)),
            ("--index-key", "NETDR_INDEX_KEY", one(&self.index_key)),
            ("--trusted-signers", "NETDR_TRUSTED_SIGNERS", one(&self.trusted_signers)),
        ];
        let mut line = CommandLine::default();
        for (flag, variable, values) in named {
            if !surroundings.names(variable, &values) {
                line = values.iter().fold(line, |line, value| line.with(flag, value));
            }
        }
        if let Some(file) = &self.kubeconfig {
            line = line.reaching("--kubeconfig", &file.display().to_string());
        }
        if let Some(context) = &self.context {
            line = line.reaching("--context", context);
        }
        match self.host_root == Path::new("/") {
            true => line,
            false => line.here("--host-root", &self.host_root),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_has_the_flags_of_this_one_and_not_what_the_environment_says() {
        let flags = Global {
            repo: Some("/env".into()),
            identity: vec!["a.txt".into(), "b.txt".into()],
            kubeconfig: Some("k".into()),
            host_root: "host".into(),
            ..Global::default()
        };
        let variable = |name: &str| (name == "NETDR_REPO").then(|| "/env".to_owned());
        let line = flags.again(&Surroundings { variable: &variable, exists: &|_| true });
        assert_eq!(
            line.again("x"),
            "netdr x --identity a.txt --identity b.txt --kubeconfig k --host-root host"
        );
        let other = flags.again(&Surroundings { variable: &|_| None, exists: &|_| true });
        assert!(other.again("x").starts_with("netdr x --repo /env --identity"), "{}", other.again("x"));
    }
}
