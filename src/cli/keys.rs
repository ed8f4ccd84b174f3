//! `netdr keys`: the keys of an installation.

mod check;
mod generate;
mod rotate;

use clap::Subcommand;

use super::{context::Context, exit::Exit};
use crate::{
    Result,
    repository::{Proved, Repository},
};

pub(super) use generate::custody;

/// Remembers whose identities opened what; that it cannot is no reason to end.
pub(super) fn record(repository: &Repository, proved: &[Proved], cx: &Context) {
    if let Err(error) = repository.record_proofs(proved) {
        let unknown = "`netdr check recoverability` will not know of this proof";
        cx.terminal.warn_of(unknown, &error);
    }
}

/// Make keys, prove that they open what they must, seal to others.
#[derive(Subcommand)]
pub(super) enum Keys {
    Generate(generate::Generate),
    Check(check::Check),
    Rotate(rotate::Rotate),
}

impl Keys {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        match self {
            Self::Generate(verb) => verb.run(cx),
            Self::Check(verb) => verb.run(cx),
            Self::Rotate(verb) => verb.run(cx),
        }
    }
}
