//! The metrics: name, labels, help. docs/monitoring.md has them from here, and rules and dashboard are held against it.
//!
//! All are gauges, for all are made anew from what a repository holds. Times are seconds since 1970 and 0 where it never was.

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its labels besides `cluster`, which every one has.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const fn metric(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, labels, help }
}

pub(super) const INFO: Metric =
    metric("netdr_info", &["version"], "The netdr that wrote these metrics; always 1.");
pub(super) const WRITTEN: Metric =
    metric("netdr_metrics_timestamp_seconds", &[], "When these metrics were made from the repository.");
pub(super) const LAST: Metric = metric(
    "netdr_snapshot_last_timestamp_seconds",
    &["set", "node", "place"],
    "When the newest trusted snapshot in a place was captured, whatever its state.",
);
pub(super) const LAST_COMPLETE: Metric = metric(
    "netdr_snapshot_last_complete_timestamp_seconds",
    &["set", "node", "place"],
    "When the newest complete trusted snapshot in a place was captured.",
);
pub(super) const SNAPSHOTS: Metric =
    metric("netdr_snapshots", &["set", "node", "place", "state"], "Trusted snapshots in a place, by state.");
pub(super) const UNTRUSTED: Metric = metric(
    "netdr_snapshots_untrusted",
    &[],
    "Snapshots in the repository that are unreadable, or not signed by one of ours.",
);
pub(super) const STATE: Metric = metric(
    "netdr_snapshot_last_state",
    &["set", "node", "state"],
    "1 for the state of the newest snapshot: complete, partial, shrunk.",
);
pub(super) const FAILURES: Metric = metric(
    "netdr_snapshot_last_failures",
    &["set", "node"],
    "Reasons why the newest snapshot is not complete.",
);
pub(super) const ITEMS: Metric =
    metric("netdr_snapshot_last_items", &["set", "node", "component"], "Items in the newest snapshot.");
pub(super) const BYTES: Metric =
    metric("netdr_snapshot_last_bytes", &["set", "node"], "Sealed size of the newest snapshot.");
pub(super) const BYTES_SUM: Metric = metric(
    "netdr_snapshots_bytes",
    &["set", "node"],
    "Sealed size of all trusted snapshots in the repository.",
);
pub(super) const KEPT: Metric =
    metric("netdr_snapshots_kept", &["set", "node", "rule"], "Snapshots that a rule of the retention keeps.");
pub(super) const EXPIRED: Metric =
    metric("netdr_snapshots_expired", &["set", "node"], "Snapshots that the next prune deletes.");
pub(super) const PLACE_UP: Metric =
    metric("netdr_place_up", &["place"], "Whether a place outside answered when these metrics were made.");
pub(super) const CERTIFICATE_NOT_AFTER: Metric = metric(
    "netdr_certificate_not_after_timestamp_seconds",
    &["namespace", "name"],
    "Until when the certificate of a TLS Secret is valid, as the newest complete snapshot has it.",
);
pub(super) const TASK_TIME: Metric =
    metric("netdr_task_last_timestamp_seconds", &["task"], "When a task ended last, however.");
pub(super) const TASK_DONE: Metric = metric(
    "netdr_task_last_success_timestamp_seconds",
    &["task"],
    "When a task last did what it was to do; what it finds, as drift, is no failure.",
);
pub(super) const TASK_FAILED: Metric = metric(
    "netdr_task_last_failure_timestamp_seconds",
    &["task"],
    "When a task last failed or was done in part.",
);
pub(super) const TASK_DURATION: Metric = metric(
    "netdr_task_last_duration_seconds",
    &["task"],
    "How long the command took that a task was last part of.",
);
pub(super) const TASK_EXIT: Metric =
    metric("netdr_task_last_exit_code", &["task"], "The exit code of that command.");
pub(super) const TASK_PROBLEMS: Metric = metric(
    "netdr_task_last_problems",
    &["task"],
    "Problems that a task ended with: failed, partial, shrunk, drift, a check, an objective.",
);
pub(super) const CHECK_TIME: Metric =
    metric("netdr_check_last_timestamp_seconds", &["subject"], "When a subject, as cni, was checked last.");
pub(super) const CHECK_STATUS: Metric = metric(
    "netdr_check_status",
    &["subject", "check"],
    "What it found: 0 ok, 1 warn, 2 alert, 3 unknown, 4 not applicable.",
);
pub(super) const CHECK_VALUE: Metric =
    metric("netdr_check_value", &["subject", "check"], "What it measured, in the unit of the check.");
pub(super) const DRIFT_TIME: Metric = metric(
    "netdr_drift_last_timestamp_seconds",
    &["set", "node"],
    "When a set, the files of a node, or `git`, was last compared for drift.",
);
pub(super) const DRIFT_ITEMS: Metric = metric(
    "netdr_drift_items",
    &["set", "node", "severity"],
    "Items that differed then and are, or may be, that severe.",
);
pub(super) const WATCH_LOOKED: Metric = metric(
    "netdr_watch_last_look_timestamp_seconds",
    &[],
    "When `netdr watch` last looked at what it watches, whatever came of it.",
);
pub(super) const WATCH_DUE: Metric = metric(
    "netdr_watch_next_look_timestamp_seconds",
    &[],
    "By when it looks again, whatever changes; one that is dead does not.",
);
pub(super) const WATCH_TAKEN: Metric =
    metric("netdr_watch_last_snapshot_timestamp_seconds", &[], "When it last took a snapshot.");
/// Time, success, recovery time, objective.
pub(super) const RESTORE: [Metric; 4] = [
    metric("netdr_restore_last_timestamp_seconds", &["scenario"], "When a restore of a scenario ended last."),
    metric("netdr_restore_last_success", &["scenario"], "Whether it recovered."),
    metric("netdr_restore_last_recovery_time_seconds", &["scenario"], "How long the recovery took."),
    metric("netdr_restore_last_rto_seconds", &["scenario"], "How long it may take."),
];
/// The same of drills.
pub(super) const DRILL: [Metric; 4] = [
    metric("netdr_drill_last_timestamp_seconds", &["scenario"], "When a drill of a scenario ended last."),
    metric("netdr_drill_last_success", &["scenario"], "Whether it recovered."),
    metric(
        "netdr_drill_last_recovery_time_seconds",
        &["scenario", "readiness"],
        "How long the recovery took; where readiness was simulated, as in a sandbox, it is netdr's own time.",
    ),
    metric("netdr_drill_last_rto_seconds", &["scenario"], "How long it may take."),
];
pub(super) const DRILL_DONE: Metric =
    metric("netdr_drill_last_success_timestamp_seconds", &[], "When the last good drill ended.");
pub(super) const DELIVERY_TAKEN: Metric = metric(
    "netdr_notification_last_success_timestamp_seconds",
    &["channel"],
    "When a channel, or the Pushgateway, last took what was sent to it.",
);
pub(super) const DELIVERY_REFUSED: Metric =
    metric("netdr_notification_last_failure_timestamp_seconds", &["channel"], "When it last did not.");

/// All of them, in the order of the text.
pub const METRICS: [Metric; 40] = [
    INFO,
    WRITTEN,
    LAST,
    LAST_COMPLETE,
    SNAPSHOTS,
    UNTRUSTED,
    STATE,
    FAILURES,
    ITEMS,
    BYTES,
    BYTES_SUM,
    KEPT,
    EXPIRED,
    PLACE_UP,
    CERTIFICATE_NOT_AFTER,
    TASK_TIME,
    TASK_DONE,
    TASK_FAILED,
    TASK_DURATION,
    TASK_EXIT,
    TASK_PROBLEMS,
    CHECK_TIME,
    CHECK_STATUS,
    CHECK_VALUE,
    DRIFT_TIME,
    DRIFT_ITEMS,
    WATCH_LOOKED,
    WATCH_DUE,
    WATCH_TAKEN,
    RESTORE[0],
    RESTORE[1],
    RESTORE[2],
    RESTORE[3],
    DRILL[0],
    DRILL[1],
    DRILL[2],
    DRILL[3],
    DRILL_DONE,
    DELIVERY_TAKEN,
    DELIVERY_REFUSED,
];
