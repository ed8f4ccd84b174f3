//! Where those who follow a kind leave their news, and who asks takes them.
//!
//! In: a line of each. Out: all of them at once. Invariant: a hundred changes of a kind are one line, and news that nobody
//! takes do not grow.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

use super::targets::Target;
use crate::{cluster::Refusal, model::Set};

/// So many names of objects a line of news has.
const NAMES: usize = 3;

/// What changed of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// How often.
    pub times: u64,
    /// Which, as `namespace/name`: the first few.
    pub objects: BTreeSet<String>,
}

/// What happened since news were taken the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// What changed, by target.
    pub changed: BTreeMap<String, Changed>,
    /// The sets whose snapshots that concerns.
    pub sets: BTreeSet<Set>,
    /// What cannot be followed, and why.
    pub lost: BTreeMap<String, String>,
    /// What can be followed again.
    pub back: BTreeSet<String>,
    /// Targets that are served since.
    pub came: BTreeSet<String>,
    /// Targets that are served no longer.
    pub went: BTreeSet<String>,
    /// Why the API server does not answer; said once for all targets.
    pub silent: Option<String>,
    /// Whether the definition of a kind changed.
    pub(super) definitions: bool,
}

#[derive(Default)]
struct State {
    news: News,
    /// Those that cannot be followed, and those of them that hear nothing.
    lost: BTreeSet<String>,
    unheard: BTreeSet<String>,
}

/// Shared by those who follow.
#[derive(Default)]
pub(super) struct Board {
    state: Mutex<State>,
    posted: Notify,
}

impl Board {
    /// Waits until there is something to take.
    pub(super) async fn posted(&self) {
        self.posted.notified().await;
    }

    pub(super) fn take(&self) -> News {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.news)
    }

    fn post(&self, news: impl FnOnce(&mut State)) {
        news(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.posted.notify_one();
    }

    /// An object of a target came, went, or is otherwise now.
    pub(super) fn changed(&self, target: &Target, object: String) {
        self.post(|state| {
            let changed = state.news.changed.entry(target.name.clone()).or_default();
            changed.times += 1;
            if changed.objects.len() < NAMES {
                changed.objects.insert(object);
            }
            state.news.sets.extend(&target.sets);
            state.news.definitions |= target.defines;
        });
    }

    pub(super) fn came(&self, target: &Target) {
        self.post(|state| {
            state.news.came.insert(target.name.clone());
            state.news.sets.extend(&target.sets);
        });
    }

    pub(super) fn went(&self, name: &str) {
        self.post(|state| {
            state.news.went.insert(name.to_owned());
            state.lost.remove(name);
            state.unheard.remove(name);
        });
    }

    /// A target cannot be followed. Of a server that is silent all targets are lost at once: it is said once.
    pub(super) fn lost(&self, target: &Target, refusal: &Refusal) {
        self.post(|state| {
            if refusal.code == 0 {
                if state.unheard.is_empty() {
                    state.news.silent = Some(refusal.to_string());
                }
                state.unheard.insert(target.name.clone());
            } else if state.lost.insert(target.name.clone()) {
                state.news.lost.insert(target.name.clone(), refusal.to_string());
            }
        });
    }

    /// A target can be followed again, where it could not.
    pub(super) fn heard(&self, target: &Target) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let unheard = state.unheard.remove(&target.name);
        let back = state.lost.remove(&target.name) || (unheard && state.unheard.is_empty());
        if back {
            state.news.back.insert(target.name.clone());
            self.posted.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::targets::any_target;

    #[test]
    fn many_changes_are_one_line_and_a_silent_server_is_said_once() {
        let board = Board::default();
        let (policies, routes) = (any_target("policies"), any_target("routes"));
        (0..1_000).for_each(|n| board.changed(&policies, format!("shop/{n}")));
        let silent = Refusal { code: 0, reason: String::new(), message: "refused".into(), fields: vec![] };
        board.lost(&policies, &silent);
        board.lost(&routes, &silent);
        let news = board.take();
        assert_eq!((news.changed["policies"].times, news.changed["policies"].objects.len()), (1_000, NAMES));
        assert_eq!((news.silent.as_deref(), news.lost.len()), (Some("refused"), 0));
        board.lost(&routes, &silent);
        assert_eq!(board.take(), News::default(), "it is known");
        board.heard(&policies);
        assert_eq!(board.take().back.len(), 0, "not yet all");
        board.heard(&routes);
        assert_eq!(board.take().back.len(), 1);
    }

    #[test]
    fn a_kind_that_is_forbidden_is_named_once_until_it_is_back() {
        let board = Board::default();
        let target = any_target("secrets");
        let forbidden = Refusal { code: 403, reason: String::new(), message: "no".into(), fields: vec![] };
        board.lost(&target, &forbidden);
        board.lost(&target, &forbidden);
        assert_eq!(board.take().lost["secrets"], "no (403)");
        board.lost(&target, &forbidden);
        assert!(board.take().lost.is_empty());
        board.heard(&target);
        assert!(board.take().back.contains("secrets"));
    }
}
