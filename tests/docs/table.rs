//! How each block of commands of the documentation is run, page by page: by the beginning of its first line.
//!
//! A block without a row fails a test, and so does a row without a block. Where a row begins several blocks' first lines,
//! the longest that fits is a block's.

pub(super) enum How {
    /// It is run on the stage; each command ends with 0 or with one of these codes.
    Run(&'static [u8]),
    /// The same, after these commands, which make what must be there.
    After(&'static str, &'static [u8]),
    /// The stage runs it before all others.
    Stage,
    /// This test takes it from the page and runs it.
    Page(&'static str),
    /// It is one command, and this test does it, on a stage of its own, by these words of it.
    By(&'static str, &'static str),
    /// Each of its commands by itself, by how it begins.
    Lines(&'static [(&'static str, How)]),
    /// Nobody here can run it: why. Its netdr commands are understood all the same.
    Not(&'static str),
}

use How::{After, By, Lines, Not, Page, Run, Stage};

/// `netdr check`, `netdr drift`: something is found.
const FOUND: &[u8] = &[4, 8];

/// systemd, which finds the unit where the page puts it.
const SYSTEMD: &str = r#"
mkdir -p etc/systemd/system
systemctl() { test "$1 $2" = "enable --now" && test -f "$HOME/etc/systemd/system/$3"; }
"#;
/// cargo, which builds the program that is there.
const CARGO: &str = r#"
mkdir -p bin usr/local/bin
printf '#!/bin/sh\ntest "$*" = "build --release" && mkdir -p target/release && cp %s target/release/\n' "$(command -v netdr)" > bin/cargo
chmod +x bin/cargo
"#;
/// The kind that the Prometheus operator reads.
const OPERATOR: &str = r#"
kubectl apply -f - <<'END'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: prometheusrules.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: PrometheusRule, plural: prometheusrules}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
END
kubectl wait --for=condition=Established crd/prometheusrules.monitoring.coreos.com
"#;
/// What controllers and a kubelet say of a job that did its work.
const COMPLETE: &str = r#"
kubectl -n netdr patch job/first --subresource=status --type=merge -p '{"status": {"succeeded": 1,
    "startTime": "2026-11-24T01:00:00Z", "completionTime": "2026-11-24T01:00:09Z", "uncountedTerminatedPods": {}, "conditions": [
    {"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": "2026-11-24T01:00:09Z"},
    {"type": "Complete", "status": "True", "lastTransitionTime": "2026-11-24T01:00:09Z"}]}}'
"#;
const SYNOPSIS: &str = "a synopsis: its verb and flags are understood";

pub(super) const PAGES: &[(&str, &[(&str, How)])] = &[
    (
        "README.md",
        &[
            (
                "make demo",
                Lines(&[
                    ("make demo", By(DEMO, "make demo")),
                    ("make test", Not("these tests themselves: their target is there")),
                    ("make test-all", Not("these tests themselves: their target is there")),
                ]),
            ),
            ("mkdir -p /etc/netdr", Stage),
            ("netdr backup --set all", Run(&[])),
            ("mkdir -m 700 /dev/shm/look", Run(&[])),
            ("netdr restore --scenario network-policies --identity operator.txt --dry-run", Run(&[])),
        ],
    ),
    (
        "docs/checks.md",
        &[
            ("netdr check", Run(FOUND)),
            (
                "netdr doctor",
                After(
                    "mkdir -p helm etc/rancher/rke2; echo 'a: 1' > helm/traefik-values.yaml; \
                     echo 'cni: canal' > etc/rancher/rke2/config.yaml",
                    FOUND,
                ),
            ),
        ],
    ),
    ("docs/comparison.md", &[("velero backup download", After(VELERO, &[]))]),
    (
        "docs/custody.md",
        &[
            ("netdr keys check --identity operator.txt", Run(&[])),
            (
                "kubectl -n netdr create secret generic netdr-drill-keys",
                After("kubectl apply -f schedules/rendered/namespace.yaml; touch identity.txt drill", &[]),
            ),
            ("snapshot=", Page(BREAK_GLASS)),
            ("set -o pipefail", Page(BREAK_GLASS)),
            ("sed -n -e", Page(BREAK_GLASS)),
            ("umask 077", Page(BREAK_GLASS)),
            ("age -d -i \"$identity\" index", Page(BREAK_GLASS)),
            ("kubectl create -R", Page(BREAK_GLASS)),
            ("cd /", Page(BREAK_GLASS)),
        ],
    ),
    ("docs/drift.md", &[("netdr drift [", Not(SYNOPSIS)), ("netdr watch [", Not(SYNOPSIS))]),
    (
        "docs/drills.md",
        &[
            ("ssh-keygen -q", Page(DRILLS)),
            ("netdr drill --scenario", Page(DRILLS)),
            ("cd /backup/netdr/reports", Page(DRILLS)),
            ("cd /backup/netdr && tar", Page(DRILLS)),
            ("install -m 0644 schedules/drill", After(SYSTEMD, &[])),
            (
                "kubectl -n netdr create secret generic netdr-drill-s3",
                After("kubectl apply -f schedules/rendered/namespace.yaml; touch drill-credentials", &[]),
            ),
        ],
    ),
    (
        "docs/git.md",
        &[
            ("kubectl apply --server-side", By(HISTORY, "kubectl apply --server-side --force-conflicts")),
            (
                "echo \"netdr $(cat signing.pub)\"",
                Lines(&[
                    ("echo", By(HISTORY, "echo \"netdr $(cat")),
                    ("git config", By(HISTORY, "config gpg.ssh.allowedSignersFile")),
                    ("git verify-commit", By(HISTORY, "verify-commit")),
                ]),
            ),
            (
                "kubectl -n netdr create secret generic netdr-git",
                After(
                    "kubectl apply -f schedules/rendered/namespace.yaml; touch id_ed25519 known_hosts",
                    &[],
                ),
            ),
        ],
    ),
    (
        "docs/install.md",
        &[
            ("make build", After(CARGO, &[])),
            ("mkdir -p /etc/netdr", Stage),
            (
                "install -m 0600 operator.txt",
                Lines(&[
                    ("install", Run(&[])),
                    // The rest needs the identities where they are.
                    ("rm", After("rm() { test -f \"$1\" && test -f \"$2\"; }", &[])),
                ]),
            ),
            ("netdr backup --set all", Run(&[])),
            ("netdr check", Run(FOUND)),
            (
                "netdr keys check",
                After("cp operator.txt shm; mkdir -p media/safe; cp break-glass.txt media/safe", &[]),
            ),
            ("netdr restore --scenario network-policies", After("cp operator.txt shm", &[])),
            ("kubectl apply -f schedules/rendered/namespace.yaml", Run(&[])),
            (
                "kubectl apply -k schedules/",
                Lines(&[
                    ("kubectl apply -k", Run(&[])),
                    ("kubectl -n netdr create job", Run(&[])),
                    ("kubectl -n netdr wait", After(COMPLETE, &[])),
                    (
                        "kubectl -n netdr logs",
                        Not("no kubelet starts a job's pod here; story::schedules does its work"),
                    ),
                    ("netdr snapshots", Run(&[])),
                ]),
            ),
            ("ssh-keygen -q", Page(DRILLS)),
            (
                "netdr drill --all",
                Lines(&[
                    ("netdr drill --all", By(ALL_PLANS, "drill --all")),
                    ("install -m 0644", After(SYSTEMD, &[])),
                    ("systemctl", After(SYSTEMD, &[])),
                ]),
            ),
            (
                "netdr replicate",
                Lines(&[
                    (
                        "netdr replicate",
                        By(
                            "story::s3::copy::a_backup_copies_its_snapshot_and_replicate_only_what_is_missing",
                            "replicate",
                        ),
                    ),
                    ("netdr snapshots", Run(&[])),
                ]),
            ),
            ("mkdir -p /etc/netdr/plans", Run(&[])),
            (
                "mkdir -p /backup/metrics",
                Lines(&[
                    ("mkdir", Run(&[])),
                    ("chown", After("chown() { test -d \"$2\"; }", &[])),
                    (
                        "netdr notify --test",
                        By(
                            "story::notify::mail_goes_over_tls_to_whom_the_authority_answers_for",
                            "notify --test",
                        ),
                    ),
                ]),
            ),
        ],
    ),
    (
        "docs/monitoring.md",
        &[
            (
                "mkdir -p /backup/metrics",
                Lines(&[
                    ("mkdir", Run(&[])),
                    ("chown", After("chown() { test -d \"$2\"; }", &[])),
                    ("node_exporter", Not("there is none here; story::promtool reads the file as it does")),
                ]),
            ),
            (
                "cp schedules/monitoring",
                Lines(&[
                    ("cp schedules/monitoring", After("mkdir -p etc/prometheus/rules", &[])),
                    ("promtool check rules", By(ALERTS, "promtool check rules")),
                    ("systemctl reload prometheus", Not("there is no Prometheus to be told")),
                ]),
            ),
            ("kubectl apply -n monitoring", After(OPERATOR, &[])),
        ],
    ),
    ("docs/plan-reference.md", &[("netdr plan show network-policies", After("mkdir own; cd own", &[]))]),
    (
        "docs/runbooks/README.md",
        &[
            ("netdr runs", Run(&[])),
            ("age -d -i operator.txt RUN/safety", After("cd backup/netdr/runs", &[])),
            (
                "netdr snapshots",
                Lines(&[
                    ("netdr snapshots", Run(&[])),
                    (
                        "netdr thaw",
                        By(
                            "story::archive::thaw::a_snapshot_is_thawed_in_twelve_hours_and_archived_again_when_the_copy_expires",
                            "thaw",
                        ),
                    ),
                    (
                        "netdr fetch latest",
                        By(
                            "story::s3::back::a_new_machine_gets_everything_back_and_restores_from_it",
                            "fetch latest",
                        ),
                    ),
                ]),
            ),
        ],
    ),
    (
        "docs/runbooks/api-server-down.md",
        &[
            ("netdr restore --scenario cni --incident-start", Run(&[])),
            (
                "netdr restore --scenario cni --allow-run --dry-run --json",
                Lines(&[
                    (
                        "netdr restore --scenario cni --allow-run --dry-run --json",
                        By(DOWN, "--dry-run --json"),
                    ),
                    ("netdr restore --scenario cni --allow-run --yes --expect DIGEST", By(DOWN, "--expect")),
                    ("netdr restore --resume RUN --dry-run --json", By(DOWN, "--dry-run --json")),
                    ("netdr restore --resume RUN --yes --expect", By(DOWN, "restore --resume")),
                ]),
            ),
        ],
    ),
    (
        "docs/runbooks/certificates.md",
        &[
            ("netdr check certificates", Run(FOUND)),
            ("netdr restore --scenario certificates", Run(&[])),
            ("openssl s_client", Not("no host of yours is served here")),
            ("kubectl create -R", Page(BY_HAND)),
        ],
    ),
    (
        "docs/runbooks/cni.md",
        &[
            (
                "kubectl get nodes",
                Lines(&[
                    ("kubectl get nodes", Run(&[])),
                    (
                        "kubectl -n kube-system get daemonset/rke2-canal",
                        After("kubectl -n kube-system create job helm-install-rke2-canal --image=none", &[]),
                    ),
                    (
                        "netdr check cni",
                        By(
                            "story::check::cni::pods_of_every_node_reach_each_other_or_it_is_said_who_does_not",
                            "check cni",
                        ),
                    ),
                    ("netdr snapshots", Run(&[])),
                    ("netdr drift", Run(FOUND)),
                ]),
            ),
            ("netdr restore --scenario cni --incident-start", Run(&[])),
            ("kubectl -n kube-system delete secret", Page(BY_HAND)),
        ],
    ),
    (
        "docs/runbooks/full-stack.md",
        &[
            ("kubectl get nodes", Run(&[])),
            ("netdr restore --scenario full-stack", Run(&[])),
            ("kubectl create -R", Page(BY_HAND)),
        ],
    ),
    (
        "docs/runbooks/network-policies.md",
        &[
            ("netdr check policies", Run(FOUND)),
            ("netdr restore --scenario network-policies", Run(&[])),
            ("kubectl create -R", Page(BY_HAND)),
        ],
    ),
    (
        "docs/runbooks/traefik.md",
        &[
            ("netdr check ingress", Run(FOUND)),
            ("netdr restore --scenario traefik", Run(&[])),
            (
                "curl -sSI",
                Lines(&[
                    ("curl -sSI", Not("no host of yours is served here")),
                    ("helm -n traefik", Run(&[])),
                ]),
            ),
            ("kubectl create -R", Page(BY_HAND)),
        ],
    ),
    (
        "docs/s3.md",
        &[
            ("aws s3api list", By(VERSIONS, "list-object-versions")),
            ("aws s3api delete", By(VERSIONS, "delete-object")),
        ],
    ),
    (
        "docs/schedules.md",
        &[
            ("kubectl apply -k schedules/", Page(BEFORE_SCHEDULES)),
            ("kubectl apply -f schedules/rendered/namespace", Page(BEFORE_SCHEDULES)),
            ("netdr init --repo", Page(BEFORE_SCHEDULES)),
            (
                "kubectl -n netdr create secret generic netdr-prune-s3",
                After("kubectl apply -f schedules/rendered/namespace.yaml; touch pruning-credentials", &[]),
            ),
            ("kubectl apply -f schedules/rendered/failover", After("kubectl apply -k schedules/", &[])),
        ],
    ),
    ("docs/snapshot-format.md", &[("snapshot=/backup/netdr", After("cp operator.txt shm/", &[1]))]),
    (
        "docs/sources.md",
        &[
            (
                "netdr restore --scenario network-policies --from git",
                By(
                    "story::restore::git::policies_come_back_from_a_signed_commit_and_nothing_authored_is_lost",
                    "--from git",
                ),
            ),
            (
                "netdr extract SNAPSHOT --component ingress",
                Lines(&[
                    ("netdr extract", Run(&[])),
                    ("git -C CLONE show", By(AUTHORED, "show")),
                    ("helm upgrade traefik", By(AUTHORED, "upgrade")),
                ]),
            ),
            ("velero backup download", After(VELERO, &[])),
        ],
    ),
    ("docs/upgrades.md", &[("netdr schedule render", Run(&[]))]),
];

/// Velero, which downloads a backup of one policy.
const VELERO: &str = r#"
velero() {
    test "$1 $2 $4" = "backup download --output"
    local kind=archive/resources/networkpolicies.networking.k8s.io/namespaces
    kubectl get networkpolicy -A -o json | jq '.items[0]' > policy.json
    mkdir -p archive/metadata "$kind/$(jq -r .metadata.namespace policy.json)"
    echo 1.1.0 > archive/metadata/version
    cp policy.json "$kind/$(jq -r '.metadata.namespace + "/" + .metadata.name' policy.json).json"
    tar -C archive -czf "$5" .
}
aws() {
    test "$1 $2 $3 $4" = "s3 cp s3://BUCKET/backups/BACKUP/velero-backup.json ."
    echo '{"metadata": {"name": "BACKUP"}, "spec": {}, "status": {"phase": "Completed"}}' > velero-backup.json
}
"#;
const BY_HAND: &str = "story::by_hand::every_part_comes_back_on_a_damaged_cluster_and_on_an_empty_one";
const BREAK_GLASS: &str = "story::custody::drill::the_break_glass_drill_is_followed_word_by_word";
const DEMO: &str = "story::demo::the_demo_brings_everything_back_and_looks_as_in_the_readme";
const ALERTS: &str = "story::promtool::an_alert_fires_beyond_its_threshold_and_not_at_it";
const ALL_PLANS: &str =
    "story::drills::every_plan_is_proved_where_nothing_of_production_is_and_the_report_is_signed";
const DRILLS: &str = "story::drills::page::the_page_is_followed_word_by_word";
const DOWN: &str = "story::restore::down::killed_between_the_parts_it_is_resumed_and_a_digest_that_was_expected_is_the_first_parts";
const AUTHORED: &str =
    "story::restore::traefik::authored::what_git_has_is_compared_with_what_comes_back_and_can_be_rolled_out";
const HISTORY: &str = "story::history::what_a_cluster_has_is_committed_once_a_change_and_applied_by_kubectl_and_holds_no_secret";
const VERSIONS: &str = "story::s3::refused::what_was_hidden_or_overwritten_comes_back_from_its_version";
const BEFORE_SCHEDULES: &str = "story::schedules::what_the_page_says_to_do_before_is_done_by_its_commands";
