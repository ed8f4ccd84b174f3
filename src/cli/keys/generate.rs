//! `netdr keys generate`: the keys of an installation.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    Result,
    cli::{context::Context, exit::Exit},
    keys,
};

/// Make identities, recipients, index key, signing key and trusted signers.
#[derive(Args)]
pub(in crate::cli) struct Generate {
    /// Write them into this folder; nothing in it is overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Generate {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let made = keys::generate(&self.out, cx.now)?;
        let document = json!({"recipients": made.recipient_lines, "signer": made.signer});
        cx.terminal.report(Exit::Done, &document, || custody(&made))?;
        Ok(Exit::Done)
    }
}

/// Who keeps which file.
pub(in crate::cli) fn custody(made: &keys::Keys) -> String {
    let leaving = [
        (&made.operator, "to the operator's password store"),
        (&made.break_glass, "offline, on paper or in a safe"),
    ];
    let staying = [
        (&made.signing, "signs snapshots"),
        (&made.index, "opens indexes, no content"),
        (&made.recipients, "public: to whom snapshots are sealed"),
        (&made.trusted_signers, "public: whose snapshots are trusted"),
    ];
    let lines = |files: &[(&PathBuf, &str)]| -> String {
        let shown: Vec<String> = files.iter().map(|(file, _)| file.display().to_string()).collect();
        let width = shown.iter().map(String::len).max().unwrap_or(0);
        shown.iter().zip(files).map(|(file, (_, why))| format!("  {file:width$}  {why}\n")).collect()
    };
    format!(
        "These leave this machine now, they open every snapshot:\n{}These stay with the job that backs up:\n{}",
        lines(&leaving),
        lines(&staying)
    )
}
