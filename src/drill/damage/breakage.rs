//! What a scenario broke so far: whoever stops a drill finds it here, for on a cluster it stays broken.
//!
//! In: each damage, before it is done and after. Out: what was caused. Invariant: no damage is done that is not noted before, so
//! that also the one is named at which the drill was stopped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Caused, Damage};

/// What the scenario under way broke so far.
#[derive(Default)]
pub struct Breakage(Mutex<SoFar>);

#[derive(Default)]
struct SoFar {
    caused: Vec<Caused>,
    doing: Option<Damage>,
}

impl Breakage {
    /// Another scenario: nothing yet.
    pub(in crate::drill) fn begin(&self) {
        *self.so_far() = SoFar::default();
    }

    /// This is about to be done.
    pub(in crate::drill) fn doing(&self, damage: &Damage) {
        self.so_far().doing = Some(damage.clone());
    }

    /// It was done, or it was not. Its number, if it was.
    pub(in crate::drill) fn done(&self, is_done: bool) -> Option<usize> {
        let mut so_far = self.so_far();
        let damage = so_far.doing.take().filter(|_| is_done)?;
        so_far.caused.push(Caused { damage, held: None, is_unsure: false });
        Some(so_far.caused.len() - 1)
    }

    /// What holds one that was deleted and is still there.
    pub(in crate::drill) fn held(&self, number: usize, by: Option<String>) {
        if let Some(one) = self.so_far().caused.get_mut(number) {
            one.held = by;
        }
    }

    /// What was caused, and what nobody saw the end of.
    pub(in crate::drill) fn caused(&self) -> Vec<Caused> {
        let so_far = self.so_far();
        let unsure = so_far.doing.clone().map(|damage| Caused { damage, held: None, is_unsure: true });
        so_far.caused.iter().cloned().chain(unsure).collect()
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ItemKey;

    #[test]
    fn what_was_begun_when_the_drill_was_stopped_is_named_and_what_was_not_there_is_not() {
        let breakage = Breakage::default();
        let lost = |name: &str| Damage::Lost(ItemKey::resource("", "services", Some("a"), name));
        for (name, is_done) in [("x", true), ("absent", false), ("y", true)] {
            breakage.doing(&lost(name));
            breakage.done(is_done);
        }
        breakage.held(1, Some("a/b".into()));
        breakage.doing(&lost("z"));
        let said: Vec<String> = breakage.caused().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "services a/x is lost",
                "services a/y is being deleted, and held by finalizers (a/b)",
                "services a/z was about to be broken when that was stopped, or failed: whether it is, nobody saw",
            ]
        );
        breakage.begin();
        assert!(breakage.caused().is_empty());
    }
}
