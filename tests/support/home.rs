//! Programs in a clean environment: netdr itself, and the stock tools that must agree with it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{kinds::unfrozen, planes::built};

/// Built like the control plane, so that their versions are pinned too.
const BUILT: [&str; 8] =
    ["kubectl", "helm", "helm-controller", "age", "age-keygen", "jq", "reissue", "cert-manager"];
/// Where a home's own programs are.
const OWN: &str = "bin";
/// A program that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// A home folder, and the only environment variables that programs run in it see.
pub(crate) struct Home {
    folder: TempDir,
    variables: BTreeMap<String, OsString>,
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let ours =
            [folder.path().join(OWN), locate("netdr").parent().unwrap().to_owned(), built().join("bin")];
        let path = std::env::join_paths(ours.into_iter().chain(std::env::split_paths(&path))).unwrap();
        let variables = [("PATH", path), ("HOME", folder.path().into()), ("LC_ALL", "C".into())]
            .map(|(k, v)| (k.into(), v));
        Self { folder, variables: variables.into() }
    }

    /// With this cluster as kubectl, helm and netdr find it.
    pub(crate) fn with_kubeconfig(mut self, path: &Path) -> Self {
        self.variables.insert("KUBECONFIG".into(), path.into());
        self
    }

    /// With keys below `keys/` and an empty repository `repo`, which `netdr.yaml` names.
    pub(crate) async fn with_repository(self) -> Self {
        self.netdr(&["init", "--repo", "repo", "--generate-keys", "keys"]).await.ok();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A script in the place of a program, for whatever a shell of this home starts.
    pub(crate) fn stand_in(&self, program: &str, script: &str) {
        let (folder, path) = (self.path().join(OWN), self.path().join(OWN).join(program));
        fs::create_dir_all(folder).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Such a program, not started yet.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(locate(program));
        command.args(arguments).current_dir(self.path()).env_clear().envs(&self.variables);
        if program == "netdr" {
            command.env("PATH", ""); // it needs no helm, no kubectl, nothing
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a script, in which `netdr` and the built tools are on the PATH.
    pub(crate) async fn shell(&self, script: &str) -> Outcome {
        self.run("bash", &["-euo", "pipefail", "-c", script]).await
    }

    /// Runs `netdr` in the home folder.
    pub(crate) async fn netdr(&self, arguments: &[&str]) -> Outcome {
        self.run("netdr", arguments).await
    }

    /// Runs `netdr`, a built tool, or one of the system's, in the home folder.
    ///
    /// # Panics
    /// When the program is not there, with the command that makes it, or does not end in three minutes.
    pub(crate) async fn run(&self, program: &str, arguments: &[&str]) -> Outcome {
        let ended = tokio::time::timeout(PATIENCE, self.command(program, arguments).output()).await;
        let output = ended
            .unwrap_or_else(|_| panic!("{program} {arguments:?} did not end in {} s", PATIENCE.as_secs()))
            .unwrap_or_else(|e| panic!("cannot run {program}: {e}; it comes with: make test-tools"));
        output.into()
    }
}

impl Drop for Home {
    /// Whichever story lets netdr leave a new kind of file in its repository is told to freeze one.
    fn drop(&mut self) {
        let unfrozen = unfrozen(&self.path().join("repo"));
        assert!(
            unfrozen.is_empty() || std::thread::panicking(),
            "no frozen repository has the like of {unfrozen:?}: docs/upgrades.md says how to freeze one"
        );
    }
}

/// Sends a signal to a program that has not been waited for.
#[track_caller]
pub(crate) fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap(), signal).unwrap();
}

/// A kubeconfig of this server, whoever is there; its context is `c`.
pub(crate) fn kubeconfig_of(server: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u}}}}], \
         users: [{{name: u, user: {{}}}}], clusters: [{{name: c, cluster: {{server: '{server}'}}}}]}}\n"
    )
}

fn locate(program: &str) -> PathBuf {
    if program == "netdr" {
        return env!("CARGO_BIN_EXE_netdr").into();
    }
    if !BUILT.contains(&program) {
        return program.into();
    }
    let path = built().join("bin").join(program);
    assert!(path.is_file(), "{program} is not built; run: tests/control-plane/build {program}");
    path
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Outcome {
    /// Its standard output, if it did what it was asked.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Its standard output as JSON, if it ended with this exit code.
    #[track_caller]
    pub(crate) fn json(self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Its standard error, if it failed with this exit code.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}
