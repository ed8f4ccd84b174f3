//! Whether cert-manager calls an issuer or a Certificate ready.
//!
//! In: a live object. Out: it is, or what cert-manager says of it. Invariant: pure; what it said of an older generation
//! is no answer.

use serde_json::Value;

use super::rollout::{condition, text};

/// Its condition Ready is true for what its spec says now.
pub(super) fn ready(live: &Value) -> Result<(), String> {
    let Some(ready) = condition(live, "Ready") else {
        return Err("cert-manager has not looked at it yet; is its controller running?".into());
    };
    let generation = live["metadata"]["generation"].as_u64().unwrap_or(0);
    if ready["observedGeneration"].as_u64().is_some_and(|observed| observed < generation) {
        return Err("cert-manager has not seen its new generation yet; is its controller running?".into());
    }
    if ready["status"] == "True" {
        return Ok(());
    }
    let said = |condition: &Value| format!("{}: {}", text(&condition["reason"]), text(&condition["message"]));
    let failed = condition(live, "Issuing").filter(|issuing| issuing["reason"] == "Failed");
    Err(std::iter::once(ready).chain(failed).map(said).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ready_counts_only_of_the_present_spec_and_a_failed_issuance_says_why() {
        let object = |status: &str, observed: u64| {
            json!({"metadata": {"generation": 2}, "status": {"conditions": [
            {"type": "Issuing", "status": "False", "reason": "Failed", "message": "DNS says no"},
            {"type": "Ready", "status": status, "reason": "DoesNotExist", "message": "no Secret", "observedGeneration": observed}]}})
        };
        assert_eq!(ready(&object("True", 2)), Ok(()));
        assert_eq!(ready(&object("False", 2)).unwrap_err(), "DoesNotExist: no Secret; Failed: DNS says no");
        assert!(ready(&object("True", 1)).unwrap_err().contains("generation"));
        assert!(ready(&json!({})).unwrap_err().contains("controller"));
        // Issuers' conditions of older versions carry no generation.
        let issuer = json!({"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(ready(&issuer), Ok(()));
    }
}
