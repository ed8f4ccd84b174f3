//! `netdr prune`: retention applied.

mod outside;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::{context::Context, exit::Exit, settings::Settings, words::count};
use crate::{
    Error, Result, config,
    model::SnapshotId,
    repository::{
        Listed, Repository,
        retention::{self, PrunePlan},
    },
    restore::{
        journal,
        safety::{self, Expired},
    },
};

/// Delete snapshots that no rule keeps (7 daily, 4 weekly, 3 monthly per set, or `retention` of the configuration), and
/// what runs saved for their undo more than 30 days ago.
#[derive(Args)]
pub(super) struct Prune {
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Where: local, the name of a place outside, or s3 for all of these
    #[arg(long, value_name = "NAME", default_value = config::LOCAL)]
    place: String,
    /// Outside, delete now also what S3 bills for anyway (Deep Archive: 180 days); a lock is never passed
    #[arg(long)]
    early: bool,
}

/// What of the snapshots here may be deleted.
pub(super) struct Decided {
    /// All that there are of the configured cluster; of all clusters, where none is configured.
    pub(super) listed: Vec<Listed>,
    /// How many there are of others.
    others: usize,
    pub(super) plan: PrunePlan,
    /// Of those sealed anew: the old ones that stay, because the new one that is to stand in for each is not whole.
    stay: Vec<(SnapshotId, SnapshotId)>,
}

/// Decides by the rule, by what runs that can be resumed need, and by what was sealed anew.
pub(super) fn decide(repository: &Repository, settings: &Settings, now: DateTime<Utc>) -> Result<Decided> {
    let own = settings.config.cluster_name.as_deref();
    let listed = repository.list(&settings.trusted()?, now)?.into_iter();
    let (others, listed): (Vec<Listed>, Vec<Listed>) = listed.partition(|one| one.is_of_another(own));
    let needed = journal::needed(&repository.root().join("runs"), now - safety::KEPT)?;
    let plan = retention::plan(&listed, settings.config.retention, now).needed_by(&needed, &listed);
    let (plan, stay) = repository.proved(plan, &listed);
    Ok(Decided { listed, others: others.len(), plan, stay })
}

impl Prune {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        if self.early && self.place == config::LOCAL {
            return Err(Error::usage("--early is of places outside, and none is named")
                .hint("name one, or s3 for all of them: --place NAME"));
        }
        let settings = cx.settings()?;
        if !self.dry_run {
            cx.about(format!("prune {}", self.place));
        }
        if self.place == config::LOCAL { self.local(cx, &settings) } else { self.outside(cx, &settings) }
    }

    fn local(&self, cx: &Context, settings: &Settings) -> Result<Exit> {
        let repository = settings.repository()?;
        let Decided { listed, others, plan, stay } = decide(&repository, settings, cx.now)?;
        let expired = safety::expired(&repository.root().join("runs"), cx.now)?;
        for (old, new) in &stay {
            cx.terminal.warn(format!(
                "{old} stays: {new}, which is to stand in for it, is not whole; run again: netdr keys rotate --recipients FILE"
            ));
        }
        let left_alone = listed.len() - plan.keep.len() - plan.delete.len() - stay.len();
        if left_alone > 0 {
            cx.terminal.warn(format!(
                "{} untrusted or unreadable: left alone, see netdr snapshots",
                count(left_alone as u64, "snapshot")
            ));
        }
        let mut gone = plan.delete.clone();
        let mut text = shown(&plan, &expired);
        if !self.dry_run {
            if !text.is_empty() {
                cx.terminal.show(std::mem::take(&mut text))?;
            }
            gone = repository.prune(&plan.delete, cx.now)?;
            expired.iter().try_for_each(Expired::delete)?;
        }
        let document = json!({
            "keep": plan.keep.iter().map(|(id, why)| json!({"id": id, "reasons": why})).collect::<Vec<Value>>(),
            "delete": gone.iter().map(|id| json!({"id": id})).collect::<Vec<Value>>(),
            "deferred": [],
            "undo": expired.iter().map(|expired| json!({"run": expired.run})).collect::<Vec<Value>>(),
        });
        text += &format!("{}, {} kept{}\n", self.deleted(gone.len()), plan.keep.len(), of_others(others));
        cx.record.of(&gone);
        cx.record.counted("kept", plan.keep.len() as u64);
        cx.record.counted("deleted", gone.len() as u64);
        let exit = Exit::Damaged.when(!stay.is_empty());
        self.told(cx, exit, &document, text)?;
        Ok(exit)
    }

    /// With `--dry-run` what would go is what was asked for.
    fn told(&self, cx: &Context, exit: Exit, document: &impl Serialize, text: String) -> Result<()> {
        match self.dry_run {
            true => cx.terminal.answer(document, || text),
            false => cx.terminal.report(exit, document, || text),
        }
    }

    fn deleted(&self, snapshots: usize) -> String {
        let word = if self.dry_run { "would be deleted" } else { "deleted" };
        format!("{} {word}", count(snapshots as u64, "snapshot"))
    }
}

/// Of those that only their own cluster's configuration prunes.
fn of_others(others: usize) -> String {
    if others == 0 { String::new() } else { format!(", {others} of other clusters") }
}

fn shown(plan: &PrunePlan, expired: &[Expired]) -> String {
    let mut text: String = plan.keep.iter().map(keep).collect();
    text += &plan.delete.iter().map(|id| format!("delete  {id}\n")).collect::<String>();
    let undo = |e: &Expired| format!("delete  what run {} saved for its undo\n", e.run);
    text + &expired.iter().map(undo).collect::<String>()
}

fn keep((id, why): &(SnapshotId, Vec<String>)) -> String {
    format!("keep    {id}  {}\n", why.join(", "))
}
