//! `netdr completions`: a script for a shell.

use clap::{Args, Command};
use clap_complete::Shell;
use serde_json::json;

use super::{context::Context, exit::Exit};
use crate::Result;

/// Print the completions of a shell.
#[derive(Args)]
pub(super) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, cx: &Context, mut command: Command) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "netdr", &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        cx.terminal.answer(&json!({"script": script}), || script.clone())?;
        Ok(Exit::Done)
    }
}
