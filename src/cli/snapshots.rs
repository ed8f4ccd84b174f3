//! `netdr snapshots`: what there is, and what each changed.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::{
    context::Context,
    exit::Exit,
    words::{age, bytes, count, table, time},
};
use crate::{
    Result,
    model::{Index, Series, Set, SnapshotHeader},
    plan::{Change, diff},
    repository::{Listed, resealed},
    seal::Identities,
};

/// List the snapshots, newest last.
#[derive(Args)]
pub(super) struct Snapshots {}

/// One snapshot in JSON. What an unreadable header does not say is null.
#[derive(Serialize)]
struct Line {
    id: String,
    set: Option<Set>,
    node: Option<String>,
    captured_at: Option<String>,
    state: &'static str,
    trusted: bool,
    /// Why it is not relied on.
    remark: Option<String>,
    items: Option<u64>,
    #[serde(flatten)]
    changes: Changes,
    bytes: Option<u64>,
    places: [&'static str; 1],
    #[serde(skip)]
    age: String,
}

/// Against the one before of the same series; null where one of the two indexes does not open.
#[derive(Clone, Copy, Default, Serialize)]
struct Changes {
    added: Option<u64>,
    removed: Option<u64>,
    changed: Option<u64>,
}

impl Snapshots {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let listed = repository.list(&settings.trusted()?, cx.now)?;
        let key = if settings.index_key.is_some() { Some(settings.index_key()?) } else { None };
        let open = |header: &SnapshotHeader, key: &Identities| repository.index(header, key).ok();
        let resealed = resealed(&listed);
        let mut before: BTreeMap<Series<'_>, Index> = BTreeMap::new();
        let mut lines = Vec::new();
        for one in &listed {
            let mut changes = Changes::default();
            if let (Ok(header), true, Some(key)) = (&one.header, one.trust.is_trusted(), &key)
                && let Some(index) = open(header, key)
            {
                if let Some(earlier) = before.get(&header.series()) {
                    changes = Changes::between(earlier, &index);
                }
                before.insert(header.series(), index);
            }
            let mut line = Line::of(one, changes, cx);
            if let Some(new) = resealed.get(&one.id) {
                line.remark = Some(format!("{new} stands in for it; it goes with the next: netdr prune"));
            }
            lines.push(line);
        }
        cx.terminal.answer(&json!({"snapshots": lines}), || said(&lines))?;
        Ok(Exit::Done)
    }
}

impl Changes {
    fn between(before: &Index, after: &Index) -> Self {
        let differences = diff::compare(&before.entries, &after.entries, false);
        let of = |change| Some(differences.iter().filter(|d| d.change == change).count() as u64);
        Self { added: of(Change::Added), removed: of(Change::Removed), changed: of(Change::Changed) }
    }
}

impl Line {
    fn of(listed: &Listed, changes: Changes, cx: &Context) -> Self {
        let header = listed.header.as_ref().ok();
        let remark = match (&listed.header, &listed.trust) {
            (Err(why), _) => Some(why.clone()),
            (_, crate::signature::Trust::Untrusted(why)) => Some(why.clone()),
            (Ok(header), _) if !header.reasons.is_empty() => Some(header.reasons.join("; ")),
            _ => None,
        };
        Self {
            id: listed.id.to_string(),
            set: header.map(|h| h.set),
            node: header.and_then(|h| h.node.clone()),
            captured_at: header.map(|h| time(h.captured_at)),
            state: header.map_or("unreadable", |h| h.state.name()),
            trusted: listed.trust.is_trusted(),
            remark,
            items: header.map(|h| h.bundles.iter().map(|b| b.items).sum()),
            changes,
            bytes: header.map(|h| h.bundles.iter().map(|b| b.bytes).sum()),
            places: ["local"],
            age: header.map_or_else(String::new, |h| age(h.captured_at, cx.now)),
        }
    }
}

fn said(lines: &[Line]) -> String {
    let number = |n: Option<u64>| n.map_or_else(|| "-".into(), |n| n.to_string());
    let row = |l: &Line| {
        vec![
            l.id.clone(),
            l.set.map_or_else(|| "-".into(), |s| s.to_string()),
            l.age.clone(),
            l.state.into(),
            if l.trusted { "yes" } else { "no" }.into(),
            number(l.items),
            number(l.changes.added),
            number(l.changes.changed),
            number(l.changes.removed),
            l.bytes.map_or_else(|| "-".into(), bytes),
        ]
    };
    let head = ["id", "set", "captured", "state", "trusted", "items", "added", "changed", "removed", "size"];
    let mut text = table(&head, &lines.iter().map(row).collect::<Vec<_>>());
    for line in lines {
        if let Some(remark) = &line.remark {
            text += &format!("{}: {remark}\n", line.id);
        }
    }
    text + &format!("{}\n", count(lines.len() as u64, "snapshot"))
}
