//! Operations that no content tells of.
//!
//! In: an act and its place. Out: what became of it. Invariant: what is restarted is the very object that was just
//! read, which the API server is made to check, and one that carries the act's mark already is not restarted again.

use serde_json::{Value, json};

use super::{ATTEMPTS, Acting, Place};
use crate::{
    cluster::{Answer, Precondition},
    plan::RESTARTED,
    restore::ActOutcome,
};

impl Acting<'_> {
    /// Writes what `kubectl rollout restart` writes into the pods' template; the workload's controller does the rest, and
    /// writes its status meanwhile: a conflict is a reason to look again, not to fail.
    pub(super) async fn restart(&self, place: &Place<'_>) -> Answer<ActOutcome> {
        let wanted: Value = place.body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        for _ in 0..ATTEMPTS {
            let Some(live) = self.cluster.get(&place.write, place.namespace, place.name).await? else {
                return Ok(ActOutcome::Failed("it does not exist, so nothing was restarted".into()));
            };
            let Some(patch) = restarted(&live, &wanted) else {
                return Ok(ActOutcome::Done); // written, and the answer was lost
            };
            match self.cluster.merge(place.read, place.namespace, place.name, &patch).await {
                Err(refusal) if refusal.is_conflict() => {}
                answer => return answer.map(|()| ActOutcome::Done),
            }
        }
        Ok(ActOutcome::Failed("somebody keeps writing it; run the same command again".into()))
    }
}

/// The patch that restarts a workload as it was read, or None where it carries the mark.
fn restarted(live: &Value, wanted: &Value) -> Option<Value> {
    let mark = |object: &Value| object["spec"]["template"]["metadata"]["annotations"][RESTARTED].clone();
    if mark(live) == mark(wanted) {
        return None;
    }
    let Precondition { uid, resource_version } = Precondition::of(live);
    Some(json!({"metadata": {"uid": uid, "resourceVersion": resource_version}, "spec": wanted["spec"]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_restarted_and_no_other_and_that_once() {
        let template = |at: &str| json!({"template": {"metadata": {"annotations": {RESTARTED: at}}}});
        let live = |at: &str| json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": template(at)});
        let wanted = json!({"spec": template("b")});
        let patch = json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": template("b")});
        assert_eq!(restarted(&live("a"), &wanted), Some(patch));
        assert_eq!(restarted(&live("b"), &wanted), None);
    }
}
