//! `netdr man`: the manual page.

use std::io::{self, Write as _};

use clap::{Args, Command};
use clap_mangen::Man as Page;
use serde_json::json;

use super::{context::Context, exit::Exit};
use crate::{Error, Result};

/// Print the manual page, for `man -l -`.
#[derive(Args)]
pub(super) struct Man {}

impl Man {
    pub(super) fn run(&self, cx: &Context, command: Command) -> Result<Exit> {
        let page =
            pages(command).map_err(|e| Error::failed("the manual page cannot be written").because(e))?;
        cx.terminal.answer(&json!({"page": page}), || page.clone())?;
        Ok(Exit::Done)
    }
}

/// One page: the program, then each verb with its own flags.
fn pages(mut command: Command) -> io::Result<String> {
    let mut page = Vec::new();
    Page::new(command.clone()).render(&mut page)?;
    command.build();
    for verb in command.get_subcommands() {
        writeln!(page, ".SH NETDR {}", verb.get_name().to_uppercase())?;
        let own = Page::new(verb.clone().mut_args(|arg| {
            let everywhere = arg.is_global_set();
            arg.hide(everywhere)
        }));
        own.render_description_section(&mut page)?;
        own.render_options_section(&mut page)?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}
