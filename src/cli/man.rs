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

/// One page: the program, then each verb with the flags that are its own.
fn pages(mut command: Command) -> io::Result<String> {
    let mut page = Vec::new();
    Page::new(command.clone()).render(&mut page)?;
    command.build();
    verbs(&command, "netdr", &mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn verbs(command: &Command, name: &str, page: &mut Vec<u8>) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("{name} {}", verb.get_name());
        writeln!(page, ".SH {}", name.to_uppercase())?;
        let own = Page::new(verb.clone().mut_args(|arg| {
            let everywhere = arg.is_global_set();
            arg.hide(everywhere)
        }));
        let mut text = Vec::new();
        own.render_description_section(&mut text)?;
        own.render_options_section(&mut text)?;
        // One section per verb, its parts below it.
        page.extend(String::from_utf8_lossy(&text).replace(".SH ", ".SS ").into_bytes());
        verbs(verb, &name, page)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_verb_and_its_own_flags() {
        use clap::CommandFactory as _;
        let page = pages(crate::cli::Cli::command()).unwrap();
        for expected in [".SH NETDR KEYS GENERATE", ".SH NETDR RUNS SHOW", "policy\\-order"] {
            assert!(page.contains(expected), "{expected}");
        }
        assert_eq!(
            page.matches("\\-\\-trusted\\-signers\\fR \\fI").count(),
            1,
            "flags of every verb are said once"
        );
    }
}
