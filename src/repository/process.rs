//! Whether the process that wrote a lock is dead, where that can be known.
//!
//! In: what a process wrote of itself. Out: dead, or perhaps not. Invariant: "dead" is said only of a process of
//! this very boot and pid namespace: two pods on the host's network share its name and not its pids.

use std::fs;

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// What tells a process from every other one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Boot id of its kernel.
    pub(super) boot: String,
    /// Its pid namespace.
    namespace: String,
}

/// The host's name, as far as it may stand in a file's name.
pub(super) fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if name.is_empty() { "host".into() } else { name }
}

impl Process {
    /// This one.
    pub(super) fn this() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            pid: std::process::id(),
            boot: boot.trim().into(),
            namespace: namespace.to_string_lossy().into_owned(),
        }
    }

    /// Whether it certainly does not run any more.
    pub(super) fn is_dead(&self) -> bool {
        let this = Self::this();
        let here = !this.boot.is_empty() && this.boot == self.boot && this.namespace == self.namespace;
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        here && pid.is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
    }
}
