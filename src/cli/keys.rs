//! `netdr keys`: the keys of an installation.

mod check;
mod generate;
mod rotate;

use clap::Subcommand;

use super::{context::Context, exit::Exit};
use crate::Result;

pub(super) use generate::custody;

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
