//! Undoing: what a run changed + how it was before + live state → exactly what will be put back.
//!
//! In: [`UndoInputs`]. Out: a [`ResolvedPlan`]. Invariant: pure and deterministic; only what is still as the run left it is
//! touched, and a namespace or CustomResourceDefinition is never deleted.

use std::collections::BTreeSet;

use super::{
    Act, Batch, Change, Difference, ResolvedPlan, RestorePlan, Source, Step, Verb, diff, guard,
    resolve::immutable::{self, Way},
    tally::Tally,
};
use crate::{
    cluster::Precondition,
    model::{Class, Component, Content, Extent, Item, ItemKey},
};

/// What an undo is resolved from.
pub struct UndoInputs {
    /// Name and objectives, for the report.
    pub plan: RestorePlan,
    /// When it was asked for.
    pub source: Source,
    /// Which cluster it is for.
    pub cluster: String,
    /// What the run changed, in the order in which it did, each with what is there now.
    pub changes: Vec<(Changed, Found)>,
    /// What a person should know before saying yes.
    pub warnings: Vec<String>,
}

/// One object that a run changed, or may have changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Which.
    pub key: ItemKey,
    /// Its component.
    pub component: Component,
    /// The step that did it.
    pub step: String,
    /// Which batch of the run.
    pub batch: usize,
    /// As it was before; none where there was none.
    pub before: Option<Item>,
    /// sha256 of what the run may have left there; none stands for "no such object".
    pub after: BTreeSet<Option<String>>,
    /// Whether only some of its fields are netdr's.
    pub extent: Extent,
}

/// What is there now.
#[derive(Clone, Debug)]
pub enum Found {
    /// Nothing.
    Absent,
    /// This object.
    Live(Box<Live>),
    /// Nobody knows, and why.
    Unknown(String),
}

/// A live object.
#[derive(Clone, Debug)]
pub struct Live {
    /// sha256 of its content.
    pub sha256: String,
    /// Its content, canonical.
    pub content: Content,
    /// Which very object it is.
    pub seen: Precondition,
    /// Of a release: the Secret that holds it, with its own content.
    pub secret: Option<(ItemKey, Content)>,
}

/// What becomes of one object.
enum Verdict {
    Same,
    Do(Verb),
    Keep(String),
    Refuse(String),
}

use Verdict::{Do, Keep, Refuse, Same};

/// Resolves. What was done last is undone first.
pub fn undo(inputs: UndoInputs) -> ResolvedPlan {
    let UndoInputs { plan, source, cluster, mut changes, warnings } = inputs;
    let mut undoing = Undoing::default();
    releases(&mut changes);
    for (changed, found) in changes.into_iter().rev() {
        undoing.judge(changed, found);
    }
    let Undoing { steps, tally, .. } = undoing;
    ResolvedPlan { warnings, ..tally.plan(plan, source, cluster, steps) }
}

/// A release that was brought back in a Secret of its own is undone as that Secret: deleted, or made again what it was if
/// the run had removed another revision of its number. Written over in place, it is undone as a release.
fn releases(changes: &mut Vec<(Changed, Found)>) {
    let mut gone = BTreeSet::new();
    for number in 0..changes.len() {
        let (release, Found::Live(live)) = &changes[number] else { continue };
        let Some((secret, content)) = live.secret.clone() else { continue };
        let left = release.after.contains(&Some(live.sha256.clone()));
        let in_place = release.before.as_ref().is_some_and(|before| holder(before) == secret.name());
        if !left || in_place {
            continue;
        }
        let found = Live {
            sha256: item(&secret, release.component, Extent::Whole, content.clone()).sha256(),
            content,
            seen: live.seen.clone(),
            secret: None,
        };
        let twin = changes.iter().position(|(changed, _)| changed.key == secret);
        gone.extend(twin);
        let before = twin.and_then(|twin| changes[twin].0.before.clone());
        let after = BTreeSet::from([Some(found.sha256.clone())]);
        let (changed, now) = &mut changes[number];
        *changed = Changed { key: secret, before, after, ..changed.clone() };
        *now = Found::Live(Box::new(found));
    }
    let mut number = 0;
    changes.retain(|_| {
        number += 1;
        !gone.contains(&(number - 1))
    });
}

/// The name of the Secret that a stored release was in.
fn holder(release: &Item) -> String {
    let content = release.json().map(crate::model::Json::value).unwrap_or_default();
    content["name"].as_str().unwrap_or_default().to_owned()
}

fn item(key: &ItemKey, component: Component, extent: Extent, content: Content) -> Item {
    Item { key: key.clone(), component, class: Class::Config, extent, content }
}

#[derive(Default)]
struct Undoing {
    steps: Vec<Step>,
    /// The batch of the run that the last act undoes.
    batch: Option<usize>,
    tally: Tally,
}

impl Undoing {
    fn judge(&mut self, changed: Changed, found: Found) {
        // A guard is nobody's intent: it is taken away, never put back.
        let before = changed.before.clone().filter(|_| !guard::is_guard(&changed.key));
        let verdict = verdict(&changed, before.as_ref(), &found);
        let live = match found {
            Found::Live(live) => Some(*live),
            Found::Absent | Found::Unknown(_) => None,
        };
        match verdict {
            Same => self.tally.unchanged += 1,
            Keep(why) => self.tally.kept.push((changed.key, why)),
            Refuse(why) => self.tally.refused.push((changed.key, why)),
            Do(verb) => {
                self.differs(&changed, before.as_ref(), live.as_ref());
                let act = Act {
                    item: before,
                    seen: live.as_ref().map(|live| live.seen.clone()),
                    live_sha256: live.as_ref().map(|live| live.sha256.clone()),
                    live: live.map(|live| live.content),
                    ..Act::of(changed.key, changed.component, verb)
                };
                self.push(&changed.step, changed.batch, act);
            }
        }
    }

    /// Acts of one batch of the run are one batch here: they needed nothing of each other.
    fn push(&mut self, step: &str, batch: usize, act: Act) {
        if self.steps.last().is_none_or(|last| last.id != step) {
            self.batch = None;
            self.steps.push(Step {
                id: step.into(),
                title: format!("What step `{step}` changed, as it was before"),
                action: "apply",
                question: None,
                command: None,
                batches: Vec::new(),
                gates: Vec::new(),
                looks: Vec::new(),
                timeout_s: 0,
            });
        }
        let Some(last) = self.steps.last_mut() else { return };
        if self.batch != Some(batch) {
            last.batches.push(Batch { note: "what was done last is undone first", acts: Vec::new() });
            self.batch = Some(batch);
        }
        if let Some(batch) = last.batches.last_mut() {
            batch.acts.push(act);
        }
    }

    fn differs(&mut self, changed: &Changed, before: Option<&Item>, live: Option<&Live>) {
        let (change, fields) = match (before, live) {
            (Some(before), Some(live)) => {
                (Change::Changed, diff::fields(&changed.key, &live.content, &before.content))
            }
            (Some(_), None) => (Change::Added, Vec::new()),
            _ => (Change::Removed, Vec::new()),
        };
        let (key, component) = (changed.key.clone(), changed.component);
        self.tally.differences.push(Difference { key, component, change, fields });
    }
}

fn verdict(changed: &Changed, before: Option<&Item>, found: &Found) -> Verdict {
    let live = match found {
        Found::Unknown(why) => return Refuse(why.clone()),
        Found::Absent => None,
        Found::Live(live) => Some(live),
    };
    let digest = live.map(|live| live.sha256.clone());
    if digest == before.map(Item::sha256) {
        return Same;
    }
    if !changed.after.contains(&digest) {
        return Refuse("it was changed since the run, so it is left alone".into());
    }
    let key = &changed.key;
    let ground =
        key.is_kind("", "namespaces") || key.is_kind("apiextensions.k8s.io", "customresourcedefinitions");
    match (before, live) {
        (None, None) => Same,
        (None, Some(_)) if ground => Keep(format!(
            "the run made it, and an undo never deletes it, for everything in it would go too; if that is wanted: \
             kubectl delete {} {}",
            key.kind_name(),
            key.name()
        )),
        (None, Some(_)) => Do(Verb::Delete),
        (Some(_), None) => Do(Verb::Create),
        (Some(_), Some(_)) if changed.extent == Extent::Fields => Do(Verb::Merge),
        (Some(before), Some(live)) => match (&before.content, &live.content) {
            (Content::Resource(wanted), Content::Resource(live)) => {
                match immutable::way(key, &wanted.value(), &live.value()) {
                    Way::InPlace => Do(Verb::Replace),
                    Way::Anew => Do(Verb::Recreate),
                    Way::None(why) => Refuse(why),
                }
            }
            _ => Do(Verb::Replace),
        },
    }
}

#[cfg(test)]
mod tests;
