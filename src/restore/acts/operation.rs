//! Operations that no content tells of.
//!
//! In: an act and its place. Out: what became of it. Invariant: what is restarted is the very object that was just
//! read, and one that carries the act's mark already is not restarted again.

use serde_json::{Value, json};

use super::{Acting, Place};
use crate::{cluster::Answer, plan::RESTARTED, restore::ActOutcome};

impl Acting<'_> {
    /// Writes what `kubectl rollout restart` writes into the pods' template; the workload's controller does the rest.
    pub(super) async fn restart(&self, place: &Place<'_>) -> Answer<ActOutcome> {
        let Some(live) = self.cluster.get(&place.write, place.namespace, place.name).await? else {
            return Ok(ActOutcome::Failed("it does not exist, so nothing was restarted".into()));
        };
        let wanted: Value = place.body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let mark = |object: &Value| object["spec"]["template"]["metadata"]["annotations"][RESTARTED].clone();
        if mark(&live) == mark(&wanted) {
            return Ok(ActOutcome::Done); // written, and the answer was lost
        }
        let patch = json!({"metadata": {"uid": live["metadata"]["uid"]}, "spec": wanted["spec"]});
        self.cluster.merge(place.read, place.namespace, place.name, &patch).await?;
        Ok(ActOutcome::Done)
    }
}
