//! The authored plan, as it stands in `restore-plans/*.yaml`.
//!
//! In: YAML, strict. Out: a [`RestorePlan`], or an error that names the key and the nearest known one.
//! Invariant: a plan that parses and lints names only components and kinds that netdr knows.

mod action;
mod lint;
mod mistakes;
mod node;
mod probe;
mod read;

pub use action::{Action, Existing, Extras, Isolation, Replicas, Wait};
pub(super) use lint::prunable;
pub(crate) use node::duration;
pub use probe::{Http, Probe};

use std::{collections::BTreeSet, time::Duration};

use serde::Serialize;

use crate::{Error, Result, model::Component, strict};
use mistakes::Mistakes;

/// An authored plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestorePlan {
    /// Scenario name, for example `network-policies`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Recovery time objective.
    pub rto: Duration,
    /// Recovery point objective.
    pub rpo: Duration,
    /// Responsible role.
    pub role: String,
    /// Its runbook page, below `docs/`.
    pub runbook: String,
    /// The steps, in order.
    pub steps: Vec<StepSpec>,
}

/// One authored step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepSpec {
    /// Unique within the plan.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// What it does.
    pub action: Action,
    /// How long its gates may take.
    pub timeout: Duration,
}

impl RestorePlan {
    /// The JSON Schema of plans, for editors; what it says and what is parsed here is the same (`read/tests.rs`).
    pub const SCHEMA: &'static str = include_str!("../../restore-plans/schema.json");

    /// Parses and lints; `file` names it in errors.
    ///
    /// # Errors
    /// Usage: the first mistake of each step and those of the file's own keys, each naming the place in the file, what stands there,
    /// and what may.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let value: serde_json::Value =
            serde_saphyr::from_str(text).map_err(|error| strict::malformed(&error, file))?;
        let mut mistakes = Mistakes::default();
        let plan = read::plan(value, &mut mistakes);
        let plan = plan.inspect(|(plan, numbers)| lint::lint(plan, numbers, &mut mistakes));
        match (plan, mistakes.error()) {
            (Some((plan, _)), None) => Ok(plan),
            (_, error) => Err(error.unwrap_or_else(|| Error::usage("it is no plan")).doing(file)),
        }
    }

    /// Parses a plan that people write: none of those that are in journals since before some names were taken.
    ///
    /// # Errors
    /// As [`Self::parse`], and where it is called as runs of netdr's own are.
    pub fn authored(text: &str, file: &str) -> Result<Self> {
        let plan = Self::parse(text, file)?;
        lint::is_free(&plan.name).map_err(|error| error.doing(file))?;
        Ok(plan)
    }

    /// The plans that are built in, as name and YAML; a file of the same name overrides one.
    pub fn builtin() -> Vec<(&'static str, &'static str)> {
        vec![
            ("certificates", include_str!("../../restore-plans/certificates.yaml")),
            ("cni", include_str!("../../restore-plans/cni.yaml")),
            ("full-stack", include_str!("../../restore-plans/full-stack.yaml")),
            ("network-policies", include_str!("../../restore-plans/network-policies.yaml")),
            ("traefik", include_str!("../../restore-plans/traefik.yaml")),
        ]
    }

    /// How many of its first steps need no API server: files of the node, and what directly follows to make them count, a
    /// program or a question. None where it begins otherwise.
    pub fn without_cluster(&self) -> usize {
        let mut actions = self.steps.iter().map(|step| &step.action);
        match actions.next() {
            Some(Action::HostFiles) => {
                let follows =
                    |action: &&Action| matches!(action, Action::Run { .. } | Action::Confirm { .. });
                1 + actions.take_while(follows).count()
            }
            _ => 0,
        }
    }

    /// The components its steps touch.
    pub fn components(&self) -> BTreeSet<Component> {
        self.steps.iter().filter_map(|step| step.action.component()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_named_by_mistake_is_not_repeated() {
        for key in ["# public key: age1\nAGE-SECRET-KEY-1SECRET\n", "a: [\n  AGE-SECRET-KEY-1SECRET\n"] {
            let error = RestorePlan::parse(key, "operator.txt").unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET-KEY"), "{error}");
            assert!(error.to_string().starts_with("operator.txt"), "{error}");
        }
    }

    const PLAN: &str = "
apiVersion: netdr/v1
kind: RestorePlan
name: p
title: A plan
rto: 15m
rpo: 0s
role: Admin
runbook: runbooks/p.md
steps:
  - id: sets
    title: Sets
    timeout: 1m30s
    apply: {component: policies, kinds: [tiers.crd.projectcalico.org]}
  - id: ask
    title: Ask
    confirm: {question: Go on?}
";

    /// The error of the plan above with one text put in another's place.
    fn error(old: &str, new: &str) -> String {
        assert!(PLAN.contains(old), "{old}");
        match RestorePlan::parse(&PLAN.replace(old, new), "p.yaml") {
            Ok(plan) => format!("{plan:?}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_plan_reads_as_written_with_cautious_defaults() -> Result<()> {
        let plan = RestorePlan::parse(PLAN, "p.yaml")?;
        assert_eq!((plan.rto, plan.rpo), (Duration::from_secs(900), Duration::ZERO));
        assert_eq!(plan.steps[0].timeout, Duration::from_secs(90));
        assert_eq!(
            plan.steps[0].action,
            Action::Apply {
                component: Component::Policies,
                kinds: vec!["tiers.crd.projectcalico.org".into()],
                create_namespaces: false,
                existing: Existing::Replace,
                extras: Extras::Report,
                isolation: None,
            }
        );
        assert_eq!(plan.components(), BTreeSet::from([Component::Policies]));
        Ok(())
    }

    #[test]
    fn what_needs_no_cluster_is_the_nodes_files_and_what_follows_at_once() {
        let files = "{id: f, title: F, hostFiles: {}}";
        let program = "{id: r, title: R, run: {command: [systemctl, restart, rke2-server]}}";
        let ask = "{id: a, title: A, confirm: {question: Go on?}}";
        let apply = "{id: p, title: P, apply: {component: policies}}";
        let head = PLAN.split("steps:").next().unwrap_or_default();
        let first = |steps: &[&str]| {
            let steps = steps.iter().map(|step| format!("  - {step}\n")).collect::<String>();
            RestorePlan::parse(&format!("{head}steps:\n{steps}"), "p.yaml").unwrap().without_cluster()
        };
        assert_eq!(first(&[files, program, ask, apply]), 3);
        assert_eq!(first(&[files, apply, program]), 1);
        assert_eq!(first(&[program, files, apply]), 0);
        assert_eq!(first(&[apply]), 0);
    }

    #[test]
    fn what_is_built_in_parses_under_its_own_name() -> Result<()> {
        for (name, text) in RestorePlan::builtin() {
            let plan = RestorePlan::parse(text, name)?;
            let (rto, rpo) = match name {
                "certificates" | "cni" => (30, 24 * 60),
                "full-stack" => (60, 24 * 60),
                _ => (15, 0),
            };
            let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
            assert_eq!((plan.name.as_str(), plan.rto, plan.rpo), (name, minutes(rto), minutes(rpo)));
        }
        Ok(())
    }

    #[test]
    fn an_error_names_the_place_the_word_and_the_nearest_known_one() {
        for (old, new, expected) in [
            ("    title: Sets", "    titel: Sets", &["p.yaml: steps[0]: unknown key `titel`", "`title`"][..]),
            ("kinds:", "kindz:", &["steps[0].apply: unknown key `kindz`", "did you mean `kinds`?"]),
            (
                "component: policies",
                "component: polices",
                &["steps[0].apply.component", "`polices`", "`policies`"],
            ),
            (
                "tiers.crd",
                "tires.crd",
                &["`tires.crd.projectcalico.org`", "did you mean `tiers.crd.projectcalico.org`?"],
            ),
            ("rto: 15m", "rto: 15", &["rto", "`15`", "15m, 24h or 0s"]),
            ("rto: 15m", "rto: 15min", &["rto", "`15min`", "15m, 24h or 0s"]),
            ("role: Admin\n", "", &["`role` is missing"]),
            ("question: Go on?", "question: 3", &["steps[1].confirm.question", "a text"]),
            (
                "confirm: {question: Go on?}",
                "timeout: 1s",
                &[
                    "steps[1]",
                    "apply, helmRelease, hostFiles, rolloutRestart, scale, renewCertificates, run, wait, probe, confirm",
                ],
            ),
            ("netdr/v1", "netdr/v2", &["apiVersion", "netdr/v2"]),
            ("name: p\n", "name: ../p\n", &["name", "`../p`"]),
            (
                "confirm: {question: Go on?}",
                "wait: {}",
                &["steps[1].wait", "exactly one of rollout, helmCharts, nodes, ready, webhooks"],
            ),
            (
                "confirm: {question: Go on?}",
                "rolloutRestart: {workloads: [pods/demo/x]}",
                &["steps[1].rolloutRestart.workloads[0]", "deployments.apps/NAMESPACE/NAME"],
            ),
            (
                "confirm: {question: Go on?}",
                "scale: {workload: daemonsets.apps/demo/x, replicas: 1}",
                &["steps[1].scale.workload", "deployments, statefulsets"],
            ),
            (
                "confirm: {question: Go on?}",
                "scale: {workload: deployments.apps/demo/x, replicas: -1}",
                &["steps[1].scale.replicas", "`-1`", "`before`"],
            ),
            (
                "confirm: {question: Go on?}",
                "scale: {workload: deployments.apps/demo/x, replicas: before}",
                &["step `ask`: replicas: no step before it scales deployments.apps demo/x"],
            ),
            (
                "confirm: {question: Go on?}",
                "wait: {ready: {component: ingress, kinds: []}}",
                &["no kind is named"],
            ),
            (
                "confirm: {question: Go on?}",
                "timeout: 0s\n    probe: {nodes: {}}",
                &["step `ask`: timeout: 0s"],
            ),
            (
                "confirm: {question: Go on?}",
                "probe: {tcp: {allowed: [], denied: []}}",
                &["step `ask`: probe.tcp: neither"],
            ),
            (
                "confirm: {question: Go on?}",
                "probe: {tcp: {allowed: ['h:1'], denied: ['h:1']}}",
                &["`h:1` is both"],
            ),
            (
                "confirm: {question: Go on?}",
                "probe: {tcp: {allowed: ['https://127.0.0.1:26443']}}",
                &["steps[1].probe.tcp.allowed[0]", "without a scheme"],
            ),
            (
                "confirm: {question: Go on?}",
                "probe: {tcp: {denied: ['fd00::1:443']}}",
                &["denied[0]", "[ADDRESS]:port"],
            ),
            ("confirm: {question: Go on?}", "probe: {dns: {names: []}}", &["steps[1].probe.dns: no name"]),
            (
                "confirm: {question: Go on?}",
                "probe: {dns: {names: ['https://x y']}}",
                &["dns.names[0]", "without scheme"],
            ),
            (
                "confirm: {question: Go on?}",
                "probe: {http: {hosts: ['https://portal/x']}}",
                &["http.hosts[0]"],
            ),
            (
                "confirm: {question: Go on?}",
                "probe: {http: {path: x}}",
                &["steps[1].probe.http.path", "begins with /"],
            ),
            ("confirm: {question: Go on?}", "run: {command: systemctl}", &["steps[1].run.command", "a list"]),
            (
                "confirm: {question: Go on?}",
                "probe: {nodes: {}, dns: {names: [x]}}",
                &["steps[1].probe", "exactly one of workloads, nodes"],
            ),
            (
                "confirm: {question: Go on?}",
                "probe: {http: {port: 70000}}",
                &["steps[1].probe.http.port", "a port"],
            ),
            (
                "confirm: {question: Go on?}",
                "probe: {tcp: {denied: [db]}}",
                &["steps[1].probe.tcp.denied[0]", "host:port"],
            ),
            ("kind: RestorePlan", "kind: [", &["p.yaml is not valid YAML"]),
        ] {
            let text = error(old, new);
            for part in expected {
                assert!(text.contains(part), "{old} → {new}: {text}");
            }
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once_by_step_and_none_that_follows_from_another() {
        let wrong = PLAN
            .replace("rto: 15m", "rto: 15")
            .replace("    title: Sets", "    titel: Sets")
            .replace("id: ask", "id: Ask")
            .replace("confirm: {question: Go on?}", "run: {command: [], ifChanged: sets}");
        let wrong = wrong
            + "  - {id: back, title: Back, scale: {workload: deployments.apps/d/x, replicas: before}}\n";
        let text = RestorePlan::parse(&wrong, "p.yaml").unwrap_err().to_string();
        let lines: Vec<&str> = text.lines().collect();
        let starts = [
            "p.yaml: 4 mistakes",
            "  rto: `15`",
            "  steps[0]: unknown key `titel`; did you mean `title`?",
            "  steps[1].id: `Ask`",
            "  step `Ask`: run: the command is empty",
        ];
        assert_eq!(lines.len(), starts.len(), "{text}");
        assert!(lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{text}");
        // What is missing is what is mistyped.
        let text = error("role: Admin\n", "rule: Admin\n");
        assert!(text.contains("unknown key `rule`") && !text.contains("missing"), "{text}");
        // Of another language nothing more is known.
        let text = error("netdr/v1\nkind: RestorePlan\nname: p\n", "netdr/v2\nkind: RestorePlan\nname: P\n");
        assert!(text.contains("netdr/v2") && !text.contains("mistakes"), "{text}");
    }

    #[test]
    fn people_call_no_plan_as_runs_of_netdr_are_called_and_what_began_under_such_a_name_goes_on() {
        for name in ["drill", "undo"] {
            let text = PLAN.replace("name: p\n", &format!("name: {name}\n"));
            let error = RestorePlan::authored(&text, "p.yaml").unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("p.yaml: name: `{name}` is a word of netdr's own")),
                "{error}"
            );
            assert_eq!(RestorePlan::parse(&text, "the plan of run x").unwrap().name, name);
        }
    }

    #[test]
    fn a_plan_that_could_not_do_what_it_says_is_refused() {
        let tiers = "kinds: [tiers.crd.projectcalico.org]";
        for (old, new, expected) in [
            ("id: ask", "id: sets", "`sets` is used twice"),
            (
                "confirm: {question: Go on?}",
                "hostFiles: {}\n  - {id: again, title: Again, hostFiles: {}}",
                "two steps restore the node's files",
            ),
            (tiers, "kinds: [namespaces, namespaces]", "`namespaces` is named twice"),
            (tiers, "kinds: [namespaces], extras: delete", "`namespaces` is never deleted"),
            (tiers, "kinds: [tiers.crd.projectcalico.org], isolation: guarded", "no kind of network policy"),
            (tiers, "kinds: [tiers.crd.projectcalico.org], createNamespaces: true", "`namespaces`"),
            ("component: policies, kinds: [tiers.crd.projectcalico.org]", "component: host", "files"),
            (
                "component: policies, kinds: [tiers.crd.projectcalico.org]",
                "component: cni, kinds: [ipamblocks.crd.projectcalico.org]",
                "never restored",
            ),
            (
                "confirm: {question: Go on?}",
                "helmRelease: {component: ingress, releases: [traefik]}",
                "namespace/name",
            ),
            ("confirm: {question: Go on?}", "run: {command: []}", "the command is empty"),
            (
                "apply: {component: policies, kinds: [tiers.crd.projectcalico.org]}",
                "probe: {nodes: {}}",
                "after a probe",
            ),
            ("confirm: {question: Go on?}", "rolloutRestart: {workloads: []}", "no workload"),
            (
                "confirm: {question: Go on?}",
                "rolloutRestart: {workloads: [deployments.apps/d/x, deployments.apps/d/x]}",
                "restarted twice",
            ),
        ] {
            let text = error(old, new);
            assert!(text.contains(expected), "{new}: {text}");
        }
    }
}
