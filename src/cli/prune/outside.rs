//! `netdr prune --place`: retention applied to places outside.

use serde_json::{Map, Value, json};

use super::{Prune, keep, of_others};
use crate::{
    Error, Result,
    cli::{
        context::Context,
        exit::Exit,
        interrupt, places,
        settings::Settings,
        words::{count, time},
    },
    config,
    model::SnapshotId,
    repository::{
        prune::{Doomed, PlacePlan, Rule},
        s3::{Bucket, Place},
    },
    signature::TrustedSigners,
};

/// What pruning one place came to.
struct Pruned {
    plan: PlacePlan,
    gone: Vec<SnapshotId>,
    failed: Vec<(SnapshotId, Error)>,
}

impl Prune {
    /// One place after the other; one that cannot be asked is in nobody's way.
    pub(super) fn outside(&self, cx: &Context, settings: &Settings) -> Result<Exit> {
        let trusted = settings.trusted()?;
        let (mut document, mut text) = (Map::new(), String::new());
        for list in ["keep", "delete", "deferred", "failed"] {
            document.insert(list.into(), json!([]));
        }
        let chosen = config::chosen(&settings.config.replicas, Some(&self.place))?;
        let unfinished =
            || "what is deleted is gone, and nothing half-deleted is offered: run it again".into();
        let outcomes = interrupt::run(&unfinished, async {
            let mut outcomes = Vec::new();
            for place in chosen {
                let retention = place.retention.unwrap_or(settings.config.retention);
                let cluster = settings.config.cluster_name.as_deref();
                let rule = Rule { cluster, retention, early: self.early };
                outcomes.push((place, self.prune(cx, place, rule, &trusted).await));
            }
            Ok(outcomes)
        })?;
        let (mut done, mut unasked, mut partly) = (0, Vec::new(), false);
        for (place, outcome) in outcomes {
            match outcome {
                Ok(pruned) => {
                    done += 1;
                    partly |= !pruned.failed.is_empty();
                    cx.record.of(&pruned.gone);
                    cx.record.counted("kept", pruned.plan.keep.len() as u64);
                    cx.record.counted("deleted", pruned.gone.len() as u64);
                    cx.record.counted("deferred", pruned.plan.deferred.len() as u64);
                    text += &self.said(place, &pruned);
                    pruned.describe(place, &mut document);
                }
                Err(error) => unasked.push(places::at(&place.name, error)),
            }
        }
        let last = if done == 0 { unasked.pop() } else { None };
        unasked.iter().for_each(|error| cx.terminal.error(error));
        if let Some(error) = last {
            return Err(error);
        }
        let exit = Exit::Partial.when(partly || !unasked.is_empty());
        self.told(cx, exit, &document, text)?;
        Ok(exit)
    }

    async fn prune(
        &self,
        cx: &Context,
        place: &Place,
        rule: Rule<'_>,
        trusted: &TrustedSigners,
    ) -> Result<Pruned> {
        let bucket = Bucket::open(place).await?;
        let phase = cx.terminal.phase(format!("reading what place {} has", place.name));
        let plan = bucket.prune_plan(rule, trusted, cx.now).await?;
        drop(phase);
        if plan.left_alone > 0 {
            cx.terminal.warn(format!(
                "place {} has {} untrusted, unreadable or not whole: left alone",
                place.name,
                count(plan.left_alone as u64, "snapshot"),
            ));
        }
        if self.dry_run {
            let gone = plan.delete.iter().map(|doomed| doomed.id.clone()).collect();
            return Ok(Pruned { plan, gone, failed: Vec::new() });
        }
        cx.terminal.show(shown(place, &plan))?;
        let phase = cx.terminal.phase(format!("deleting in place {}", place.name));
        phase.parts(plan.delete.len() as u64);
        let (gone, failed) = bucket.prune(&plan.delete, &|| phase.part()).await;
        drop(phase);
        failed.iter().for_each(|(_, error)| cx.terminal.error(error));
        Ok(Pruned { plan, gone, failed })
    }

    fn said(&self, place: &Place, pruned: &Pruned) -> String {
        let Pruned { plan, gone, failed } = pruned;
        let mut text = if self.dry_run { shown(place, plan) } else { String::new() };
        text += &format!(
            "place {}: {}, {} kept, {} deferred{}",
            place.name,
            self.deleted(gone.len()),
            plan.keep.len(),
            plan.deferred.len(),
            of_others(plan.others)
        );
        if !failed.is_empty() {
            text += &format!(", {} not deleted", failed.len());
        }
        text + "\n"
    }
}

impl Pruned {
    /// Adds its entries to the lists of the document.
    fn describe(&self, place: &Place, document: &mut Map<String, Value>) {
        let leftover = |id: &SnapshotId| self.plan.delete.iter().any(|d| d.leftover && d.id == *id);
        let name = &place.name;
        let lists: [(&str, Vec<Value>); 4] = [
            ("keep", self.plan.keep.iter().map(|(id, why)| json!({"id": id, "reasons": why, "place": name})).collect()),
            ("delete", self.gone.iter().map(|id| json!({"id": id, "leftover": leftover(id), "place": name})).collect()),
            ("deferred", self.plan.deferred.iter()
                .map(|(id, until, why)| json!({"id": id, "until": time(*until), "why": why, "place": name})).collect()),
            ("failed", self.failed.iter()
                .map(|(id, error)| json!({"id": id, "why": error.to_string(), "place": name})).collect()),
        ];
        for (list, entries) in lists {
            if let Some(Value::Array(all)) = document.get_mut(list) {
                all.extend(entries);
            }
        }
    }
}

fn shown(place: &Place, plan: &PlacePlan) -> String {
    let mut text = format!("place {}\n", place.name);
    text += &plan.keep.iter().map(keep).collect::<String>();
    for (id, until, why) in &plan.deferred {
        text += &format!("defer   {id}  until {}: {why}\n", time(*until));
    }
    for Doomed { id, leftover, .. } in &plan.delete {
        let what =
            if *leftover { "  it has no header: what a copy or a deletion that died left" } else { "" };
        text += &format!("delete  {id}{what}\n");
    }
    text
}
