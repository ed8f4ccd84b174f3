//! When to look, after changes that come one by one or by the hundred.
//!
//! In: moments of a monotonic clock: a change, a look that was taken, one that failed. Out: when to look next. Invariant:
//! pure; a change is looked at once it has settled, however many come then after `at_most`, and whatever changes or does not,
//! a look follows the one before after `every`. No clock that somebody sets has a part in it.

use std::time::{Duration, Instant};

/// After failures it waits no longer than this for the next look.
const LONGEST: Duration = Duration::from_secs(300);

/// When to look at a set next. Each set has one of its own: what happens to one delays no look at another.
#[derive(Clone, Debug)]
pub struct Debounce {
    settle: Duration,
    at_most: Duration,
    every: Duration,
    /// The first and the last change since the last look.
    pending: Option<(Instant, Instant)>,
    looked: Instant,
    failures: u32,
}

impl Debounce {
    /// A change is looked at when none followed for `settle`, or after `at_most` whatever follows; it is looked `every` so
    /// often at least.
    pub fn new(settle: Duration, at_most: Duration, every: Duration, now: Instant) -> Self {
        Self { settle, at_most, every, pending: None, looked: now, failures: 0 }
    }

    /// Something changed.
    pub fn changed(&mut self, now: Instant) {
        let first = self.pending.map_or(now, |(first, _)| first);
        self.pending = Some((first, now));
    }

    /// It was looked, at all that had changed when `began`.
    pub fn looked(&mut self, began: Instant) {
        self.pending = self.pending.filter(|(_, last)| *last > began).map(|(_, last)| (last, last));
        (self.looked, self.failures) = (began, 0);
    }

    /// It could not be looked: again, each time after twice as long.
    pub fn failed(&mut self, now: Instant) {
        self.pending = Some(self.pending.unwrap_or((now, now)));
        (self.looked, self.failures) = (now, self.failures.saturating_add(1));
    }

    /// Whether something changed that nobody has looked at.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// When to look next.
    pub fn due(&self) -> Instant {
        let latest = self.looked + self.every;
        let due = self
            .pending
            .map_or(latest, |(first, last)| (last + self.settle).min(first + self.at_most).min(latest));
        match self.failures {
            0 => due,
            n => due.max(self.looked + (self.settle * 2u32.saturating_pow(n.min(16))).min(LONGEST)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn debounce(began: Instant) -> Debounce {
        Debounce::new(5 * SECOND, 30 * SECOND, 600 * SECOND, began)
    }

    #[test]
    fn a_change_settles_a_stream_of_them_does_not_wait_for_ever_and_quiet_is_looked_at_now_and_then() {
        let began = Instant::now();
        let mut d = debounce(began);
        assert_eq!(d.due(), began + 600 * SECOND);
        d.changed(began + SECOND);
        d.changed(began + 3 * SECOND);
        assert_eq!(d.due(), began + 8 * SECOND);
        (4..40).for_each(|n| d.changed(began + n * SECOND));
        assert_eq!(d.due(), began + 31 * SECOND);
        // What changed while it was looked at is looked at anew.
        d.looked(began + 31 * SECOND);
        assert!(d.is_pending());
        assert_eq!(d.due(), began + 44 * SECOND);
        d.looked(began + 44 * SECOND);
        assert!(!d.is_pending());
        assert_eq!(d.due(), began + 644 * SECOND);
    }

    #[test]
    fn after_failures_it_waits_longer_each_time_and_not_for_ever() {
        let began = Instant::now();
        let mut d = debounce(began);
        d.changed(began);
        d.failed(began);
        assert_eq!(d.due(), began + 10 * SECOND);
        d.failed(began);
        assert_eq!(d.due(), began + 20 * SECOND);
        (0..100).for_each(|_| d.failed(began));
        assert_eq!(d.due(), began + LONGEST);
        d.looked(began + SECOND);
        assert_eq!(d.due(), began + 601 * SECOND);
    }

    proptest! {
        /// Whatever comes and when: a change is never looked at later than `at_most` after it.
        #[test]
        fn no_change_waits_longer_than_it_may(gaps in prop::collection::vec(0u64..40_000, 1..200)) {
            let mut now = Instant::now();
            let mut d = debounce(now);
            let mut waiting: Option<Instant> = None;
            for gap in gaps {
                let next = now + Duration::from_millis(gap);
                while d.due() <= next {
                    let at = d.due();
                    if let Some(since) = waiting.take() {
                        prop_assert!(at - since <= 30 * SECOND);
                    }
                    d.looked(at);
                }
                now = next;
                d.changed(now);
                waiting.get_or_insert(now);
            }
        }

        /// Whatever changes, and however a change is waited for: what nobody is told of is looked at every so often.
        #[test]
        fn no_set_goes_unlooked_longer_than_it_may(
            gaps in prop::collection::vec(0u64..40_000, 1..200),
            every in 1u32..60,
        ) {
            let mut now = Instant::now();
            let mut d = Debounce::new(5 * SECOND, 30 * SECOND, every * SECOND, now);
            let mut looked = now;
            for gap in gaps {
                now += Duration::from_millis(gap);
                while d.due() <= now {
                    let at = d.due();
                    prop_assert!(at - looked <= every * SECOND);
                    d.looked(at);
                    looked = at;
                }
                prop_assert!(d.due() - looked <= every * SECOND);
                d.changed(now);
            }
        }
    }
}
