//! `netdr keys generate`: the keys of an installation.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{context::Context, exit::Exit};
use crate::{Result, keys};

/// Make the keys of an installation.
#[derive(Subcommand)]
pub(super) enum Keys {
    Generate(Generate),
}

/// Make identities, recipients, index key, signing key and trusted signers.
#[derive(Args)]
pub(super) struct Generate {
    /// Write them into this folder; nothing in it is overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Keys {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let Self::Generate(generate) = self;
        let made = keys::generate(&generate.out, cx.now)?;
        let document = json!({"recipients": made.recipient_lines, "signer": made.signer});
        cx.terminal.answer(&document, || custody(&made))?;
        Ok(Exit::Done)
    }
}

/// Who keeps which file.
pub(super) fn custody(made: &keys::Keys) -> String {
    format!(
        "\
Leave this machine now, they open every snapshot:
  {operator}     to the operator's password store
  {break_glass}  offline, on paper or in a safe
Stay with the job that backs up:
  {index}   opens indexes, no content
  {signing}   signs snapshots
  {recipients}   public: to whom snapshots are sealed
  {trusted}   public: whose snapshots are trusted
",
        operator = made.operator.display(),
        break_glass = made.break_glass.display(),
        index = made.index.display(),
        signing = made.signing.display(),
        recipients = made.recipients.display(),
        trusted = made.trusted_signers.display(),
    )
}
