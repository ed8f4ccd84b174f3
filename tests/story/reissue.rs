//! What netdr predicts of re-issues is what cert-manager's own code decides (tests/control-plane/reissue).

mod situations;

use std::collections::BTreeMap;

use netdr::certificates::reissue::{Prediction, predict};
use serde_json::Value;

use crate::support::Home;
use situations::Situations;

#[tokio::test]
async fn predictions_are_cert_managers_decisions() {
    let cases: Vec<Value> = Situations::new(4).take(2000).collect();
    let home = Home::new();
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    std::fs::write(home.path().join("situations.jsonl"), lines.join("\n")).unwrap();
    let told = home.run("reissue", &["situations.jsonl"]).await.ok();
    let decisions: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(decisions.len(), cases.len());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (case, decision) in cases.iter().zip(&decisions) {
        *seen.entry(agreed(case, decision)).or_default() += 1;
    }
    let enough = [
        "",
        "DoesNotExist",
        "MissingData",
        "InvalidKeyPair",
        "InvalidCertificate",
        "IncorrectIssuer",
        "IncorrectCertificate",
        "SecretMismatch",
        "InvalidCertificateRequest",
        "RequestChanged",
        "Renewing",
        "unknown",
    ];
    for reason in enough {
        assert!(
            seen.get(reason).is_some_and(|count| *count >= 10),
            "too few of {reason:?} to tell: {seen:?}"
        );
    }
    assert!(seen["unknown"] < cases.len() / 20, "{seen:?}");
}

/// cert-manager's reason, none where it keeps the certificate; "unknown" where netdr says that it cannot tell.
fn agreed(case: &Value, decision: &Value) -> String {
    let secret = Some(&case["secret"]).filter(|secret| !secret.is_null());
    let requests = case["requests"].as_array().unwrap();
    let now = case["now"].as_str().unwrap().parse().unwrap();
    let prediction = predict(&case["certificate"], secret, requests, now);
    let (reason, message) = match &prediction {
        Prediction::Unknown { .. } => return "unknown".to_owned(),
        Prediction::Kept => ("", ""),
        Prediction::Reissued { reason, message } | Prediction::Stuck { reason, message } => {
            (*reason, &**message)
        }
    };
    let context = || format!("predicted {prediction:?}\ndecided {decision}\nof {case:#}");
    assert_eq!(reason, decision["reason"], "{}", context());
    assert_eq!(!reason.is_empty(), decision["reissue"], "{}", context());
    // Up to what it appends of a decoding error, and the time that it takes from a status that is old or absent.
    let said = decision["message"].as_str().unwrap();
    let ours = message.split("; with rotationPolicy Never").next().unwrap();
    assert!(said.starts_with(ours) || reason == "Renewing", "{}", context());
    assert!(
        ours.is_empty() == said.is_empty() && (ours.ends_with(']') == said.ends_with(']')),
        "{}",
        context()
    );
    reason.to_owned()
}
