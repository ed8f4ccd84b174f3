//! `netdr plan`: restore plans as they are authored.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    context::Context,
    exit::Exit,
    plans::{self, Authored},
    words::{objective, table},
};
use crate::{Error, Result, plan::RestorePlan};

/// See and check restore plans.
#[derive(Subcommand)]
pub(super) enum Plan {
    Lint(Lint),
    List(List),
    Show(Show),
    Schema(Schema),
}

/// Check a plan file.
#[derive(Args)]
pub(super) struct Lint {
    /// The plan
    file: PathBuf,
}

/// List the plans: built in, or from the folder `plans` of the configuration.
#[derive(Args)]
pub(super) struct List {}

/// Print a plan as it is authored, to start one of your own from.
#[derive(Args)]
pub(super) struct Show {
    /// Its scenario
    name: String,
}

/// Print the JSON Schema of plans, for an editor.
#[derive(Args)]
#[command(
    after_help = "Keep it beside your plans: netdr plan schema > schema.json\nAn editor reads it where a plan begins with:\n  \
                  # yaml-language-server: $schema=schema.json"
)]
pub(super) struct Schema {}

impl Plan {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        match self {
            Self::Lint(lint) => {
                let authored = plans::read(&lint.file)?;
                let text = format!(
                    "{}: plan {} is sound, {} steps\n",
                    authored.origin(),
                    authored.plan.name,
                    authored.plan.steps.len()
                );
                cx.terminal.report(Exit::Done, &line(&authored), || text)?;
            }
            Self::List(_) => {
                let all = plans::all(&cx.settings()?)?;
                let document = json!({"plans": all.iter().map(line).collect::<Vec<Value>>()});
                cx.terminal.answer(&document, || listed(&all))?;
            }
            Self::Schema(_) => {
                let schema: Value = serde_json::from_str(RestorePlan::SCHEMA)
                    .map_err(|e| Error::failed("the schema of plans is not JSON").because(e))?;
                cx.terminal.answer(&schema, || RestorePlan::SCHEMA.into())?;
            }
            Self::Show(show) => {
                let authored = plans::find(&cx.settings()?, &show.name)?;
                let mut document = line(&authored);
                document["text"] = json!(authored.text);
                cx.terminal.answer(&document, || authored.text.clone())?;
            }
        }
        Ok(Exit::Done)
    }
}

fn line(authored: &Authored) -> Value {
    let plan = &authored.plan;
    json!({
        "name": plan.name,
        "title": plan.title,
        "role": plan.role,
        "rto_s": plan.rto.as_secs(),
        "rpo_s": plan.rpo.as_secs(),
        "steps": plan.steps.iter().map(|s| &s.id).collect::<Vec<_>>(),
        "origin": authored.origin(),
    })
}

fn listed(all: &[Authored]) -> String {
    let row = |a: &Authored| {
        let plan = &a.plan;
        vec![
            plan.name.clone(),
            objective(plan.rto),
            objective(plan.rpo),
            a.origin().to_owned(),
            plan.title.clone(),
        ]
    };
    table(&["scenario", "rto", "rpo", "from", "title"], &all.iter().map(row).collect::<Vec<_>>())
}
