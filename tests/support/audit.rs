//! The API server's audit log: who wrote what, in which order.

use std::{fs, path::PathBuf};

use netdr::drill::ControlPlane;
use serde_json::Value;

use super::planes::AUDIT_LOG;

/// Programs of the plane, which log in as its administrator too: a controller's work is not a person's.
const PROGRAMS: [&str; 4] = ["kube-controller-manager/", "kube-scheduler/", "kwok/", "helm-controller/"];
const WRITES: [&str; 6] = ["create", "update", "patch", "delete", "deletecollection", "connect"];

/// The log of a plane that was started [`super::audited`].
pub(crate) struct Audit {
    file: PathBuf,
}

/// One request that would change something, as it was answered.
#[derive(Debug, PartialEq)]
pub(crate) struct Write {
    /// `create`, `update`, `patch`, `delete`.
    pub(crate) verb: String,
    /// `networkpolicies.networking.k8s.io archive/allow-dns`.
    pub(crate) object: String,
    /// HTTP status.
    pub(crate) code: u64,
}

impl Audit {
    pub(crate) fn of(plane: &ControlPlane) -> Self {
        Self { file: plane.folder().join(AUDIT_LOG) }
    }

    /// The end of the log, to begin from later.
    pub(crate) fn mark(&self) -> usize {
        fs::metadata(&self.file).unwrap().len().try_into().unwrap()
    }

    /// What people and netdr wrote since; not what the API server itself keeps up to date.
    pub(crate) fn writes_since(&self, mark: usize) -> Vec<Write> {
        let log = fs::read(&self.file).unwrap();
        let lines = log[mark..].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let events = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        events.filter_map(|event| Write::of(&event)).collect()
    }
}

impl Write {
    fn of(event: &Value) -> Option<Self> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let program = PROGRAMS.iter().any(|program| text("/userAgent").starts_with(program));
        let person = !program && !text("/user/username").starts_with("system:");
        let ours = person && text("/stage") == "ResponseComplete";
        let verb = WRITES.iter().find(|verb| ours && **verb == text("/verb"))?;
        let (namespace, name) = (text("/objectRef/namespace"), text("/objectRef/name"));
        let name = if namespace.is_empty() { name.into() } else { format!("{namespace}/{name}") };
        if text("/objectRef/resource") == "leases" {
            return None; // who restores, not what
        }
        let group = text("/objectRef/apiGroup");
        let dot = if group.is_empty() { "" } else { "." };
        let object = format!("{}{dot}{group} {name}", text("/objectRef/resource"));
        Some(Self { verb: (*verb).into(), object, code: event["responseStatus"]["code"].as_u64()? })
    }

    /// Whether it was answered with success.
    pub(crate) fn succeeded(&self) -> bool {
        self.code < 300
    }
}
