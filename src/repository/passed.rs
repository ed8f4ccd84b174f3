//! Words of the snapshots that `latest` passed over.
//!
//! In: each with why. Out: a line for each reason. Invariant: short, for at night it stands above a plan: a reason is said once, and
//! of many in one the first few.

use crate::model::SnapshotId;

/// How many reasons are named.
pub(super) const SHOWN: usize = 3;

/// The first few reasons why one is not relied on, and where all of them are.
pub fn in_short(reasons: &str, id: &SnapshotId) -> String {
    let all: Vec<&str> = reasons.split("; ").collect();
    match all.len().saturating_sub(SHOWN) {
        0 | 1 => reasons.into(),
        more => format!("{}; and {more} more: netdr show {id}", all[..SHOWN].join("; ")),
    }
}

/// Each reason once, with the newest of which it is true, and of how many; in the order given, which is newest first.
pub(super) fn by_reason<'a>(
    passed_over: impl IntoIterator<Item = (&'a SnapshotId, String)>,
) -> Vec<(String, &'a SnapshotId, usize)> {
    let mut reasons: Vec<(String, &SnapshotId, usize)> = Vec::new();
    for (id, why) in passed_over {
        match reasons.iter_mut().find(|(other, ..)| *other == why) {
            Some((.., n)) => *n += 1,
            None => reasons.push((why, id, 1)),
        }
    }
    reasons
}

/// A line for each reason; `incident` is whether somebody said when it began: else what is later is from the future.
pub fn lines(passed_over: &[(SnapshotId, String)], incident: bool) -> Vec<String> {
    let each = by_reason(passed_over.iter().map(|(id, why)| (id, why.clone())));
    each.iter()
        .map(|(why, id, n)| {
            let why = match why.as_str() {
                LATER if !incident => {
                    "from the future: a clock is wrong, this one's or the one's that made it".into()
                }
                why => in_short(why, id),
            };
            match n {
                1 => format!("newer snapshot {id} was passed over: {why}"),
                n => format!("{n} newer snapshots were passed over, the newest of them {id}: {why}"),
            }
        })
        .collect()
}

/// Why one is not taken that was captured too late.
pub(super) const LATER: &str = "captured after the incident";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_said_once_and_of_seventeen_the_first_three() {
        let id =
            |day: u32| -> SnapshotId { format!("202611{day:02}T010000Z-network-000000").parse().unwrap() };
        let many =
            (1..=17).map(|kind| format!("kind {kind} had 9 items and has 0")).collect::<Vec<_>>().join("; ");
        let shrunk = format!("shrunk: {many}");
        let mut passed: Vec<_> = (11..=24).rev().map(|day| (id(day), shrunk.clone())).collect();
        passed.insert(0, (id(25), LATER.into()));
        let [future, nights] = &lines(&passed, false)[..] else { panic!("{passed:?}") };
        assert!(future.contains(id(25).as_str()) && future.contains("from the future"), "{future}");
        assert_eq!(
            *nights,
            "14 newer snapshots were passed over, the newest of them 20261124T010000Z-network-000000: shrunk: kind 1 had 9 \
             items and has 0; kind 2 had 9 items and has 0; kind 3 had 9 items and has 0; and 14 more: netdr show \
             20261124T010000Z-network-000000"
        );
        assert!(lines(&passed, true)[0].ends_with("was passed over: captured after the incident"));
        assert_eq!(in_short("a; b; c; d", &id(1)), "a; b; c; d", "one more is as long as its count");
    }
}
