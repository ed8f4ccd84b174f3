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
    /// Whether it answers again, after it was silent: every target is followed again that is not named as lost.
    pub answers: bool,
    /// Whether the definition of a kind changed.
    pub(super) definitions: bool,
}

/// How a target fares that was tried.
#[derive(PartialEq, Eq)]
enum Fares {
    /// It is followed.
    Heard,
    /// It cannot be, for the server's sake.
    Away,
    /// It cannot be, for its own.
    Lost,
}

#[derive(Default)]
struct State {
    news: News,
    /// Each target that was tried.
    targets: BTreeMap<String, Fares>,
    /// Whether it was told that the server is silent.
    silent: bool,
}

impl State {
    /// Takes note of how a target fares; whether it had been told as lost.
    fn set(&mut self, name: &str, fares: Fares) -> bool {
        self.targets.insert(name.to_owned(), fares) == Some(Fares::Lost)
    }

    /// Whether a target fares so.
    fn has(&self, fares: Fares) -> bool {
        self.targets.values().any(|of| *of == fares)
    }

    /// Tells that the server answers again, once nobody waits for it any more.
    fn settle(&mut self) {
        if !self.has(Fares::Away) && std::mem::take(&mut self.silent) {
            self.news.answers = true;
        }
    }
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

    /// Changes what is known, and wakes whoever waits where that is news.
    fn post(&self, what: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        what(&mut state);
        if state.news != News::default() {
            self.posted.notify_one();
        }
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
            state.targets.remove(name);
            state.settle();
        });
    }

    /// Whether no target is followed.
    pub(super) fn is_deaf(&self) -> bool {
        !self.state.lock().unwrap_or_else(PoisonError::into_inner).has(Fares::Heard)
    }

    /// A target cannot be followed, and that is the server's doing: of one that is silent all targets are lost at once, and
    /// it is said once. `lasts`: it is longer than a moment.
    pub(super) fn away(&self, target: &Target, refusal: &Refusal, lasts: bool) {
        self.post(|state| {
            state.set(&target.name, Fares::Away);
            if lasts && !state.has(Fares::Heard) && !state.silent {
                state.silent = true;
                state.news.silent = Some(refusal.to_string());
                state.news.answers = false;
            }
        });
    }

    /// A target cannot be followed, whatever the others can.
    pub(super) fn lost(&self, target: &Target, refusal: &Refusal) {
        self.post(|state| {
            if !state.set(&target.name, Fares::Lost) {
                state.news.lost.insert(target.name.clone(), refusal.to_string());
            }
            state.settle();
        });
    }

    /// A target is followed.
    pub(super) fn heard(&self, target: &Target) {
        self.post(|state| {
            if state.set(&target.name, Fares::Heard) {
                state.news.back.insert(target.name.clone());
            }
            state.settle();
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::watch::targets::any_target;

    fn refusal(code: u16, message: &str) -> Refusal {
        let (reason, message) = (String::new(), message.into());
        Refusal { code, reason, message, fields: vec![], retry_after: Duration::ZERO }
    }

    #[test]
    fn many_changes_are_one_line() {
        let (board, policies) = (Board::default(), any_target("policies"));
        (0..1_000).for_each(|n| board.changed(&policies, format!("shop/{n}")));
        let first = ["shop/0", "shop/1", "shop/2"].map(Into::into).into();
        assert_eq!(board.take().changed["policies"], Changed { times: 1_000, objects: first });
    }

    #[test]
    fn a_silent_server_is_said_once_and_once_that_all_are_followed_again() {
        let board = Board::default();
        let targets: [Target; 3] = ["policies", "routes", "pools"].map(any_target);
        let (refused, busy) = (refusal(0, "refused"), refusal(429, "storage is (re)initializing"));
        targets.iter().for_each(|target| board.heard(target));
        targets.iter().for_each(|target| board.away(target, &refused, false));
        assert_eq!(board.take(), News::default(), "a connection that breaks is no news");
        targets.iter().for_each(|target| board.away(target, &refused, true));
        let silent = News { silent: Some("refused".into()), ..News::default() };
        assert_eq!(board.take(), silent);
        targets.iter().for_each(|target| board.away(target, &busy, true));
        board.heard(&targets[0]);
        assert_eq!(board.take(), News::default(), "not all yet");
        board.heard(&targets[1]);
        board.lost(&targets[2], &refusal(503, "its server is dead"));
        let news = board.take();
        assert_eq!((news.answers, news.lost.len(), news.back.len()), (true, 1, 0));
        // One that another server serves is silent alone.
        board.away(&targets[1], &busy, true);
        board.heard(&targets[1]);
        assert_eq!(board.take(), News::default());
    }

    #[test]
    fn a_server_that_is_silent_anew_before_anybody_read_does_not_answer() {
        let (board, target) = (Board::default(), any_target("policies"));
        board.away(&target, &refusal(0, "refused"), true);
        board.heard(&target);
        board.away(&target, &refusal(0, "reset"), true);
        let news = board.take();
        assert_eq!((news.silent.as_deref(), news.answers), (Some("reset"), false));
    }

    #[test]
    fn a_kind_that_is_forbidden_is_named_once_until_it_is_back() {
        let board = Board::default();
        let target = any_target("secrets");
        let forbidden = refusal(403, "no");
        board.lost(&target, &forbidden);
        board.lost(&target, &forbidden);
        assert_eq!(board.take().lost["secrets"], "no (403)");
        board.lost(&target, &forbidden);
        assert!(board.take().lost.is_empty());
        board.heard(&target);
        assert!(board.take().back.contains("secrets"));
    }
}
