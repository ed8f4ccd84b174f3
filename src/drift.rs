//! What a difference from the last snapshot, or from Git, means: how grave it is and why, or that it was to be expected.
//!
//! In: differences, what is at hand of the contents on both sides, what cert-manager issued and Helm deployed. Out: findings, the gravest
//! first, and what needs nobody's attention. Invariant: pure; a finding shows of a content what `plan::diff` shows.

mod expected;
mod rules;
mod upgrade;

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    certificates::Observed,
    model::{Class, Component, Content, Extent, FileContent, Item, ItemKey, Json, Set, Severity, SourceName},
    plan::{Change, Difference, diff},
};

use rules::Judged;
pub use rules::{RULES, Rule, markdown};
pub use upgrade::{Rendered, Upgrade};

/// A difference, and what is known of it besides.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which.
    pub difference: Difference,
    /// What the snapshot holds, where an identity opened it; what people author.
    pub before: Option<Content>,
    /// What is live.
    pub after: Option<Content>,
    /// sha256 of the content in the snapshot, from its index.
    pub stored: Option<String>,
    /// Whether its snapshot's index says, without anybody who opens it, that it was a TLS Secret.
    pub was_tls: bool,
    /// Whether a HorizontalPodAutoscaler sets its replicas.
    pub autoscaled: bool,
    /// When the snapshot was captured; of Git, when it was read.
    pub since: DateTime<Utc>,
}

/// What controllers and tools leave behind of what they did, by which it is proved.
#[derive(Debug, Default)]
pub struct Traces {
    /// What cert-manager issued.
    pub issued: Observed,
    /// Releases that were upgraded.
    pub upgrades: Vec<Upgrade>,
}

/// A difference that somebody should look at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Which, and its fields where they are known.
    #[serde(flatten)]
    pub difference: Difference,
    /// How grave it is at least.
    pub severity: Severity,
    /// How grave it may be: what it was before is sealed, and nobody opened it. None where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_be: Option<Severity>,
    /// Why it is that grave, and why it may be graver.
    pub reasons: Vec<String>,
}

impl Finding {
    /// The gravest that it may be: nobody is to miss it because the snapshot is sealed.
    pub fn gravest(&self) -> Severity {
        self.may_be.unwrap_or(self.severity)
    }
}

/// A difference that a controller makes in the normal course of things.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expected {
    /// Which.
    pub key: ItemKey,
    /// In which bundle.
    pub component: Component,
    /// What happened, and how that is known.
    pub why: String,
}

impl Expected {
    fn of(Difference { key, component, .. }: Difference, why: String) -> Self {
        Self { key, component, why }
    }
}

/// What a comparison with the last snapshots, or with Git, came to: the JSON of `netdr drift`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The snapshots, or the commits, that the live state was compared with.
    pub against: Vec<SourceName>,
    /// What somebody should look at, the gravest first.
    pub items: Vec<Finding>,
    /// How many more there are that cannot be as grave as what was asked for.
    pub less_grave: usize,
    /// What needs nobody's attention.
    pub expected: Vec<Expected>,
    /// What could not be read, so that nothing is known of it.
    pub unread: Vec<String>,
    /// How many are how grave, or may be, whatever was asked for; of those of files, of host.
    #[serde(skip)]
    pub grave: BTreeMap<(Set, Severity), u64>,
}

impl Report {
    /// Whether all was read, and nobody needs to look at anything.
    pub fn is_well(&self) -> bool {
        self.items.is_empty() && self.unread.is_empty()
    }

    /// Judges every difference; those that cannot be `least` are counted only. An item that several bundles hold, as a namespace
    /// is, is one finding. What an upgrade of a release did is told as the release, unless it is critical.
    pub fn of(seen: Vec<Seen>, traces: &Traces, least: Severity, now: DateTime<Utc>) -> Self {
        let mut report = Self::default();
        for seen in seen {
            if let Some(why) = expected::why(&seen, &traces.issued, now) {
                report.expected.push(Expected::of(seen.difference, why));
                continue;
            }
            let upgrade = upgrade::done(&seen, &traces.upgrades);
            let mut facts = Facts::of(&seen);
            if let Some(done) = &upgrade {
                facts.before = facts.before.or_else(|| done.before.clone());
            }
            let Judged { severity, may_be, mut reasons } = rules::judge(&facts);
            match upgrade.map(|done| done.why) {
                // An upgrade that opens or cuts off something is no less critical than a hand that does.
                Some(why) if severity < Severity::Critical => {
                    report.expected.push(Expected::of(seen.difference, why));
                }
                upgraded => {
                    reasons.extend(upgraded);
                    report.items.push(Finding { difference: shown(seen), severity, may_be, reasons });
                }
            }
        }
        let order =
            |f: &Finding| (f.difference.key.clone(), f.difference.change, Reverse((f.severity, f.may_be)));
        report.items.sort_by_key(order);
        report.items.dedup_by(|a, b| {
            a.difference.key == b.difference.key && a.difference.change == b.difference.change
        });
        report.items.sort_by_key(|f| (Reverse((f.severity, f.may_be)), f.difference.component));
        report.expected.sort_by(|a, b| a.key.cmp(&b.key));
        report.expected.dedup_by(|a, b| a.key == b.key);
        for finding in &report.items {
            *report.grave.entry((finding.difference.component.set(), finding.gravest())).or_default() += 1;
        }
        let all = report.items.len();
        report.items.retain(|finding| finding.gravest() >= least);
        report.less_grave = all - report.items.len();
        report
    }

    /// How many may be graver than they are said to be.
    pub fn sealed(&self) -> usize {
        self.items.iter().filter(|finding| finding.may_be.is_some()).count()
    }
}

/// A finding as lines for a terminal.
pub fn lines(finding: &Finding) -> Vec<String> {
    // Of what came or went whole, the item's name says it.
    let fields = match finding.difference.change {
        Change::Changed => finding.difference.fields.clone(),
        Change::Added | Change::Removed => Vec::new(),
    };
    let mut lines = diff::lines(&Difference { fields, ..finding.difference.clone() });
    if let Some(first) = lines.first_mut() {
        *first = format!("{:9}{first}", finding.severity.name());
    }
    let reasons = finding.reasons.iter().map(|reason| format!("             {reason}"));
    let at = 1.min(lines.len());
    lines.splice(at..at, reasons);
    lines
}

/// What of an item the rules look at.
pub(crate) struct Facts<'a> {
    pub(crate) key: &'a ItemKey,
    pub(crate) component: Component,
    pub(crate) change: Change,
    /// What differs, where both sides are known.
    pub(crate) fields: &'a [diff::FieldChange],
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    /// What the index says of a Secret that nobody opened.
    pub(crate) was_tls: bool,
}

impl<'a> Facts<'a> {
    fn of(seen: &'a Seen) -> Self {
        let value = |content: &Option<Content>| content.as_ref().map(value);
        let Difference { key, component, change, fields } = &seen.difference;
        Self {
            key,
            component: *component,
            change: *change,
            fields,
            before: value(&seen.before).or_else(|| mode(seen)),
            after: value(&seen.after),
            was_tls: seen.was_tls,
        }
    }
}

/// An object as it is; of a file its mode, for no rule reads its bytes.
fn value(content: &Content) -> Value {
    match content {
        Content::Resource(json) | Content::Release(json) => json.value(),
        Content::File(file) => json!({"mode": file.mode}),
    }
}

/// The mode of a file that nobody opened, where nothing else differs: with that mode the content is the stored one.
fn mode(seen: &Seen) -> Option<Value> {
    let (Some(Content::File(file)), Some(stored)) = (&seen.after, &seen.stored) else { return None };
    let mut file = file.clone();
    let before = (0..=0o777).find(|mode| {
        file.mode = *mode;
        file.sha256() == *stored
    })?;
    Some(json!({"mode": before}))
}

/// The difference with all that may be shown: of what came or went whole, everything but what its key says already.
fn shown(seen: Seen) -> Difference {
    let Seen { mut difference, before, after, .. } = seen;
    let one = match difference.change {
        Change::Added => after.as_ref().map(|after| (nothing(after), after.clone())),
        Change::Removed => before.as_ref().map(|before| (before.clone(), nothing(before))),
        Change::Changed => None,
    };
    if let Some((before, after)) = one {
        let named = ["apiVersion", "kind", "metadata"];
        difference.fields = diff::fields(&difference.key, &before, &after);
        difference.fields.retain(|field| !named.contains(&field.path.as_str()));
    }
    difference
}

/// What there is of a content where there is none.
fn nothing(content: &Content) -> Content {
    let empty = Json::new(&json!({}));
    match content {
        Content::Resource(_) => Content::Resource(empty),
        Content::Release(_) => Content::Release(empty),
        Content::File(_) => Content::File(FileContent { mode: 0, uid: 0, gid: 0, bytes: Vec::new() }),
    }
}

/// sha256 of a content, as an index has it.
fn digest(seen: &Seen, content: Content) -> String {
    let Difference { key, component, .. } = &seen.difference;
    let (class, extent) = (Class::Config, Extent::Whole);
    Item { key: key.clone(), component: *component, class, extent, content }.sha256()
}

#[cfg(test)]
mod tests;
