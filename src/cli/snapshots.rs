//! `netdr snapshots`: what there is, where, and what each changed.

pub(super) mod places;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
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
    config::LOCAL,
    model::{Index, Occasion, Series, Set, SnapshotHeader, SnapshotId},
    plan::{Change, diff},
    repository::{Listed, Repository, passed::in_short, resealed},
    seal::Identities,
};
use places::{Archive, Elsewhere};

/// List the snapshots, newest last, and where each is
#[derive(Args)]
#[command(
    after_help = "Nothing is thawed for it. A place outside that does not answer within five seconds is passed over \
                        with a warning."
)]
pub(super) struct Snapshots {
    /// Do not ask the places outside
    #[arg(long)]
    local: bool,
}

/// One snapshot in JSON. What an unreadable header does not say is null.
#[derive(Serialize)]
struct Line {
    id: SnapshotId,
    /// Whose it is, by name.
    cluster: Option<String>,
    set: Option<Set>,
    node: Option<String>,
    captured_at: Option<String>,
    state: &'static str,
    /// What it was taken for.
    occasion: Option<Occasion>,
    trusted: bool,
    /// Why it is not relied on.
    remark: Option<String>,
    items: Option<u64>,
    #[serde(flatten)]
    changes: Changes,
    bytes: Option<u64>,
    places: Vec<String>,
    /// Its state in the places outside, by their names.
    archive: BTreeMap<String, Archive>,
    /// What its remark says of its state.
    #[serde(skip)]
    reasons: String,
    #[serde(skip)]
    age: String,
    #[serde(skip)]
    at: Option<DateTime<Utc>>,
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
        let outside = !self.local && !settings.config.replicas.is_empty();
        // A new machine has nothing yet, and sees what it can fetch.
        let local = match settings.repository() {
            Err(error) if !outside || !Repository::is_absent(settings.repository_path()?)? => {
                return Err(error);
            }
            repository => repository.ok(),
        };
        let trusted = settings.trusted()?;
        let listed = local.as_ref().map_or(Ok(Vec::new()), |local| local.list(&trusted, cx.now))?;
        let mut elsewhere = Vec::new();
        let asked = if outside {
            places::ask(cx, &settings, &trusted, &listed, "netdr snapshots --local")?
        } else {
            Vec::new()
        };
        for (place, answer) in asked {
            match answer {
                Ok(answer) => elsewhere.push(answer),
                Err(error) => {
                    cx.terminal.warn_of(format!("what is in place {place} is not listed"), &error);
                }
            }
        }
        let key = settings.index_key_if_there(&cx.terminal)?;
        let open = |header: &SnapshotHeader, key: &Identities| local.as_ref()?.index(header, key).ok();
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
            let mut line = Line::of(one, changes, true, &elsewhere, cx);
            if let Some(new) = resealed.get(&one.id) {
                line.remark = Some(format!("{new} stands in for it; it goes with the next: netdr prune"));
            }
            lines.push(line);
        }
        let mut seen = BTreeSet::from_iter(listed.iter().map(|one| &one.id));
        for one in elsewhere.iter().flat_map(|place| &place.only_there) {
            if seen.insert(&one.id) {
                lines.push(Line::of(one, Changes::default(), false, &elsewhere, cx));
            }
        }
        lines.sort_by(|a, b| a.order().cmp(&b.order()));
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
    fn of(listed: &Listed, changes: Changes, local: bool, elsewhere: &[Elsewhere], cx: &Context) -> Self {
        let header = listed.header.as_ref().ok();
        let archive: BTreeMap<String, Archive> = elsewhere
            .iter()
            .filter_map(|place| Some((place.name.clone(), place.archive_of(&listed.id, header)?)))
            .collect();
        let own: Vec<String> = match listed.believed() {
            Ok(header) => {
                let damaged =
                    |(_, what): &(_, String)| format!("{what}; see all of it: netdr verify {}", listed.id);
                header
                    .reasons
                    .iter()
                    .cloned()
                    .chain(listed.damage.first().or(listed.unseen.first()).map(damaged))
                    .collect()
            }
            Err(why) => vec![why.to_owned()],
        };
        let outside = archive.iter().filter_map(|(place, archive)| archive.remark(place));
        let of_a_change =
            listed.is_of_a_change().then(|| "taken by netdr watch: it stays here, for a day".to_owned());
        let reasons = own.join("; ");
        let remarks: Vec<String> = own.into_iter().chain(of_a_change).chain(outside).collect();
        let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        Self {
            id: listed.id.clone(),
            cluster: header.map(|h| h.cluster.name.clone()),
            set: header.map(|h| h.set),
            node: header.and_then(|h| h.node.clone()),
            captured_at: header.map(|h| time(h.captured_at)),
            state: match header {
                None => "unreadable",
                Some(_) if !listed.damage.is_empty() => "damaged",
                Some(header) => header.state.name(),
            },
            occasion: header.map(|h| h.occasion),
            trusted: listed.trust.is_trusted(),
            remark,
            items: header.map(|h| h.bundles.iter().map(|b| b.items).sum()),
            changes,
            bytes: header.map(|h| h.bundles.iter().map(|b| b.bytes).sum()),
            places: local.then(|| LOCAL.to_owned()).into_iter().chain(archive.keys().cloned()).collect(),
            archive,
            reasons,
            age: header.map_or_else(String::new, |h| age(h.captured_at, cx.now)),
            at: header.map(|h| h.captured_at),
        }
    }

    /// By when it was captured, wherever it is; the id's time comes first, as a header that is not ours may claim anything.
    fn order(&self) -> impl Ord + use<'_> {
        (self.id.captured_at(), self.at, &self.id)
    }
}

fn said(lines: &[Line]) -> String {
    let number = |n: Option<u64>| n.map_or_else(|| "-".into(), |n| n.to_string());
    let row = |l: &Line| {
        vec![
            l.id.to_string(),
            l.cluster.clone().unwrap_or_else(|| "-".into()),
            l.set.map_or_else(|| "-".into(), |s| s.to_string()),
            l.age.clone(),
            l.state.into(),
            if l.trusted { "yes" } else { "no" }.into(),
            number(l.items),
            number(l.changes.added),
            number(l.changes.changed),
            number(l.changes.removed),
            l.bytes.map_or_else(|| "-".into(), bytes),
            l.places
                .iter()
                .map(|place| l.archive.get(place).map_or_else(|| place.clone(), |a| a.beside(place)))
                .collect::<Vec<_>>()
                .join(", "),
        ]
    };
    let head = [
        "id", "cluster", "set", "captured", "state", "trusted", "items", "added", "changed", "removed",
        "size", "places",
    ];
    let mut text = table(&head, &lines.iter().map(row).collect::<Vec<_>>());
    text += &remarks(lines);
    text + &format!("{}\n", count(lines.len() as u64, "snapshot"))
}

/// What is to be known of each; nights that have it in common share a line.
fn remarks(lines: &[Line]) -> String {
    let mut told: Vec<(&str, Vec<&Line>)> = Vec::new();
    for line in lines {
        let Some(remark) = &line.remark else { continue };
        match told.iter_mut().find(|(other, _)| other == remark) {
            Some((_, same)) => same.push(line),
            None => told.push((remark, vec![line])),
        }
    }
    let said = |(remark, same): &(&str, Vec<&Line>)| {
        let words = |line: &Line| match line.reasons.as_str() {
            "" => (*remark).to_owned(),
            all => remark.replacen(all, &in_short(all, &line.id), 1),
        };
        match &same[..] {
            [.., newest] if same.len() > 2 => {
                format!("{} snapshots, the newest of them {}: {}\n", same.len(), newest.id, words(newest))
            }
            few => few.iter().map(|line| format!("{}: {}\n", line.id, words(line))).collect(),
        }
    };
    told.iter().map(said).collect()
}
