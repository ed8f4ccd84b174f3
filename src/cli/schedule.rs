//! `netdr schedule render`: the CronJobs of an installation.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{context::Context, exit::Exit, words::count};
use crate::{Error, Result, schedule};

/// The schedules of an installation in a cluster.
#[derive(Subcommand)]
pub(super) enum Schedule {
    Render(Render),
}

/// Write the CronJobs, each with a service account and a role that may read what the catalog names and no more.
#[derive(Args)]
pub(super) struct Render {
    /// Write the files into this folder, in place of those of the same name [default: print them]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// How many servers (control-plane nodes) the cluster has: so many save their files
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    servers: u32,
}

impl Schedule {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let Self::Render(Render { to, servers }) = self;
        let files = schedule::render(*servers, &cx.settings()?.config.scope.extra)?;
        if let Some(folder) = to {
            let unwritten = |e| Error::failed(format!("cannot write into {}", folder.display())).because(e);
            fs::create_dir_all(folder).map_err(unwritten)?;
            for file in &files {
                fs::write(folder.join(&file.name), &file.text).map_err(unwritten)?;
            }
        }
        let document = json!({"files": files.iter().map(|f| json!({"name": f.name, "text": f.text})).collect::<Vec<_>>()});
        match to {
            Some(folder) => cx.terminal.report(Exit::Done, &document, || {
                format!("{} in {}\n", count(files.len() as u64, "file"), folder.display())
            })?,
            None => cx.terminal.answer(&document, || {
                files.iter().map(|f| format!("# {}\n{}", f.name, f.text)).collect::<Vec<_>>().join("---\n")
            })?,
        }
        Ok(Exit::Done)
    }
}
