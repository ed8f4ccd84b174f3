//! Which snapshot is `latest` where snapshots of changes are among them.
//!
//! In: what the repository lists, what was asked for. Out: the choice. Invariant: where nobody says when the incident began,
//! it is none that a change occasioned, for that change may be the damage; what is passed over for it is said.

use std::collections::BTreeSet;

use super::Asked;
use crate::{
    Result,
    model::{Component, Set},
    repository::{self, Choice, Listed, Unchosen},
};

/// The latest of a set to restore from.
///
/// # Errors
/// When there is none; what there is instead is named.
pub(super) fn latest(
    listed: &[Listed],
    cluster: &str,
    (set, node): (Set, Option<&str>),
    asked: &Asked<'_>,
) -> Result<Choice> {
    let components: BTreeSet<Component> =
        asked.components.iter().copied().filter(|component| component.set() == set).collect();
    let choose =
        |listed: &[Listed]| repository::choose(listed, cluster, set, node, &components, asked.before);
    let of_a_change = |choice: &Choice| !choice.header.occasion.is_backup();
    let newest = match choose(listed) {
        // One that begins with the command is one of which nobody said when it began.
        Ok(choice) if asked.before >= asked.now && of_a_change(&choice) => choice.header.id,
        chosen => return chosen.map_err(Unchosen::to_restore),
    };
    let others: Vec<Listed> = listed.iter().filter(|one| !one.is_of_a_change()).cloned().collect();
    let taken = format!("it is taken with --incident-start TIME or --snapshot {newest}");
    match choose(&others) {
        Ok(mut choice) => {
            let why = format!("a change occasioned it, which may be the damage; {taken}");
            choice.passed_over.insert(0, (newest, why));
            Ok(choice)
        }
        Err(none) => Err(none
            .to_restore()
            .hint(format!("a change occasioned {newest}, and may be the damage; {taken}"))),
    }
}
