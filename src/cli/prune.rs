//! `netdr prune`: retention applied.

use clap::Args;
use serde_json::{Value, json};

use super::{context::Context, exit::Exit, words::count};
use crate::{
    Result,
    model::SnapshotId,
    repository::retention::{self, PrunePlan},
    restore::safety::{self, Expired},
};

/// Delete snapshots that no rule keeps (7 daily, 4 weekly, 3 monthly per set, or `retention` of the configuration), and
/// what runs saved for their undo more than 30 days ago.
#[derive(Args)]
pub(super) struct Prune {
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

impl Prune {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let listed = repository.list(&settings.trusted()?, cx.now)?;
        let plan = retention::plan(&listed, settings.config.retention, cx.now);
        let gone = if self.dry_run { plan.delete.clone() } else { repository.prune(&plan.delete, cx.now)? };
        let expired = safety::expired(&repository.root().join("runs"), cx.now)?;
        if !self.dry_run {
            expired.iter().try_for_each(Expired::delete)?;
        }
        let left_alone = listed.len() - plan.keep.len() - plan.delete.len();
        if left_alone > 0 {
            cx.terminal.warn(format!(
                "{} untrusted or unreadable: left alone, see netdr snapshots",
                count(left_alone as u64, "snapshot")
            ));
        }
        let document = json!({
            "keep": plan.keep.iter().map(|(id, why)| json!({"id": id, "reasons": why})).collect::<Vec<Value>>(),
            "delete": gone.iter().map(|id| json!({"id": id})).collect::<Vec<Value>>(),
            "deferred": [],
            "undo": expired.iter().map(|expired| json!({"run": expired.run})).collect::<Vec<Value>>(),
        });
        cx.terminal.answer(&document, || said(&plan, &gone, &expired, self.dry_run))?;
        Ok(Exit::Done)
    }
}

fn said(plan: &PrunePlan, gone: &[SnapshotId], expired: &[Expired], dry_run: bool) -> String {
    let mut text: String =
        plan.keep.iter().map(|(id, why)| format!("keep    {id}  {}\n", why.join(", "))).collect();
    let word = if dry_run { "would be deleted" } else { "deleted" };
    text += &gone.iter().map(|id| format!("delete  {id}\n")).collect::<String>();
    text += &expired
        .iter()
        .map(|e| format!("delete  what run {} saved for its undo\n", e.run))
        .collect::<String>();
    text + &format!("{} {word}, {} kept\n", count(gone.len() as u64, "snapshot"), plan.keep.len())
}
