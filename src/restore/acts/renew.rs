//! Having a certificate issued anew, as `cmctl renew` does (cmctl's pkg/renew/renew.go).
//!
//! In: a Certificate's place. Out: what became of it. Invariant: at most one issuance is triggered: none where one is
//! under way, or where the Secret has become good since the plan was made.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{ATTEMPTS, Acting, Place};
use crate::{
    certificates::{secret_of, why_useless},
    cluster::{Answer, Precondition},
    restore::ActOutcome,
};

impl Acting<'_> {
    /// Sets the condition on which cert-manager issues, whatever it waited for.
    pub(super) async fn renew(&self, place: &Place<'_>) -> Answer<ActOutcome> {
        for _ in 0..ATTEMPTS {
            let Some(live) = self.cluster.get(place.read, place.namespace, place.name).await? else {
                return Ok(ActOutcome::Failed("it does not exist, so nothing was triggered".into()));
            };
            let now = (self.clock)();
            let secret = self.secret(&live).await?;
            let Some(renewed) = renewed(&live, secret.as_ref(), now) else {
                return Ok(ActOutcome::Unchanged);
            };
            let seen = Precondition::of(&live);
            match self.cluster.replace_status(place.read, place.namespace, place.name, renewed, &seen).await {
                Err(refusal) if refusal.is_conflict() => {}
                answer => return answer.map(|()| ActOutcome::Done),
            }
        }
        Ok(ActOutcome::Failed("somebody keeps writing it; run the same command again".into()))
    }

    async fn secret(&self, certificate: &Value) -> Answer<Option<Value>> {
        let (Some(key), Some(kind)) = (secret_of(certificate), self.discovery.find("", "secrets")) else {
            return Ok(None);
        };
        self.cluster.get(kind, key.namespace(), key.name()).await
    }
}

/// The Certificate with the condition set, or None where there is nothing to trigger.
fn renewed(live: &Value, secret: Option<&Value>, now: DateTime<Utc>) -> Option<Value> {
    let conditions = live["status"]["conditions"].as_array();
    let is_issuing = |condition: &&Value| condition["type"] == "Issuing";
    let issuing = conditions.into_iter().flatten().find(is_issuing);
    if issuing.is_some_and(|issuing| issuing["status"] == "True") || why_useless(secret, now).is_none() {
        return None;
    }
    let mut certificate = live.clone();
    let condition = json!({
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "Certificate re-issuance manually triggered",
        "observedGeneration": live["metadata"]["generation"],
        "lastTransitionTime": now.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    let others = conditions.into_iter().flatten().filter(|c| !is_issuing(c)).cloned();
    let conditions: Vec<Value> = others.chain([condition]).collect();
    certificate["status"]["conditions"] = conditions.into();
    Some(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(conditions: Value) -> Value {
        json!({"metadata": {"name": "web", "generation": 3}, "status": {"revision": 1, "conditions": conditions}})
    }

    #[test]
    fn the_condition_is_cmctls_and_the_rest_of_the_status_stays() {
        let now = "2026-11-24T03:15:00Z".parse().unwrap();
        let ready = json!({"type": "Ready", "status": "False"});
        let failed = json!({"type": "Issuing", "status": "False", "reason": "Failed"});
        let condition = json!({"type": "Issuing", "status": "True", "reason": "ManuallyTriggered",
            "message": "Certificate re-issuance manually triggered", "observedGeneration": 3,
            "lastTransitionTime": "2026-11-24T03:15:00Z"});
        let renewed = renewed(&certificate(json!([failed, ready])), None, now);
        assert_eq!(renewed, Some(certificate(json!([ready, condition]))));
    }

    #[test]
    fn what_is_being_issued_is_not_triggered_again() {
        let now = "2026-11-24T03:15:00Z".parse().unwrap();
        let issuing = json!([{"type": "Issuing", "status": "True", "reason": "DoesNotExist"}]);
        assert_eq!(renewed(&certificate(issuing), None, now), None);
        assert!(renewed(&certificate(json!(null)), None, now).is_some());
    }
}
