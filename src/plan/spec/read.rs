//! From YAML values to a plan.

use std::time::Duration;

use serde_json::Value;

use super::{
    Action, Existing, Extras, Isolation, Replicas, RestorePlan, StepSpec, Wait,
    mistakes::Mistakes,
    node::{Fields, Node},
    probe,
};
use crate::{
    Result,
    model::{Component, ItemKey},
    plan::install,
};

#[cfg(test)]
mod tests;

const PLAN: &[&str] = &["apiVersion", "kind", "name", "title", "rto", "rpo", "role", "runbook", "steps"];
const ACTIONS: &[&str] = &[
    "apply",
    "helmRelease",
    "hostFiles",
    "rolloutRestart",
    "scale",
    "renewCertificates",
    "run",
    "wait",
    "probe",
    "confirm",
];
const STEP: &[&str] = &["id", "title", "timeout"];
const WAITS: &[&str] = &["rollout", "helmCharts", "nodes", "ready", "webhooks"];
const APPLY: &[&str] = &["component", "kinds", "createNamespaces", "existing", "extras", "isolation"];

/// Gates of a step that names no timeout: an API server answers sooner, a rollout should say how long it takes.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Reads the whole file: a plan of the steps that read, and which of the file's they are, by number. What does not read is noted,
/// and nothing stands in its place. None where it is no plan of this language.
pub(super) fn plan(value: Value, mistakes: &mut Mistakes) -> Option<(RestorePlan, Vec<usize>)> {
    let (fields, unknown) = mistakes.of(None, Node::root(value).known(PLAN))?;
    let mistyped = !unknown.is_empty();
    unknown.into_iter().for_each(|error| mistakes.note(None, error));
    let mut file = File { fields, mistyped, mistakes };
    let language = file.read("apiVersion", |node| node.word(&[("netdr/v1", true)]))
        && file.read("kind", |node| node.word(&[("RestorePlan", true)]));
    if !language {
        return None;
    }
    let mut plan = RestorePlan {
        name: file.read("name", Node::text),
        title: file.read("title", Node::text),
        rto: file.read("rto", Node::duration),
        rpo: file.read("rpo", Node::duration),
        role: file.read("role", Node::text),
        runbook: file.read("runbook", Node::text),
        steps: Vec::new(),
    };
    let mut numbers = Vec::new();
    for (number, node) in file.read("steps", Node::list).into_iter().enumerate() {
        if let Some(step) = mistakes.of(Some(number), step(node)) {
            plan.steps.push(step);
            numbers.push(number);
        }
    }
    Some((plan, numbers))
}

/// The fields of the file itself, each of which is read whatever the others are.
struct File<'m> {
    fields: Fields,
    /// Whether it has keys that nobody knows: what is missing may be what is mistyped.
    mistyped: bool,
    mistakes: &'m mut Mistakes,
}

impl File<'_> {
    /// What stands there, or nothing.
    fn read<T: Default>(&mut self, key: &str, read: fn(Node) -> Result<T>) -> T {
        match self.fields.need(key) {
            Err(_) if self.mistyped => T::default(),
            node => self.mistakes.of(None, node.and_then(read)).unwrap_or_default(),
        }
    }
}

fn step(node: Node) -> Result<StepSpec> {
    let mut fields = node.fields(&[STEP, ACTIONS].concat())?;
    let (id, title) = (fields.need("id")?.text()?, fields.need("title")?.text()?);
    let timeout = fields.take("timeout").map_or(Ok(TIMEOUT), Node::duration)?;
    let mut actions: Vec<(&str, Node)> =
        ACTIONS.iter().filter_map(|name| Some((*name, fields.take(name)?))).collect();
    let (Some((name, node)), true) = (actions.pop(), actions.is_empty()) else {
        return Err(fields.error(format!("a step has exactly one of {}", ACTIONS.join(", "))));
    };
    let action = match name {
        "apply" => apply(node)?,
        "helmRelease" => helm_release(node)?,
        "hostFiles" => {
            node.fields(&[])?;
            Action::HostFiles
        }
        "rolloutRestart" => {
            let workloads = node.fields(&["workloads"])?.need("workloads")?.list()?;
            let read = |node| workload(node, &["deployments", "daemonsets", "statefulsets"]);
            Action::RolloutRestart { workloads: workloads.into_iter().map(read).collect::<Result<_>>()? }
        }
        "scale" => scale(node)?,
        "renewCertificates" => node.fields(&[]).map(|_| Action::RenewCertificates)?,
        "run" => {
            let mut fields = node.fields(&["command", "allowed", "ifChanged"])?;
            Action::Run {
                command: fields.need("command")?.texts()?,
                allowed: fields.take("allowed").map_or(Ok(false), Node::flag)?,
                if_changed: fields.take("ifChanged").map(Node::text).transpose()?,
            }
        }
        "wait" => Action::Wait(wait(node)?),
        "probe" => Action::Probe(probe::read(node)?),
        _ => Action::Confirm { question: node.fields(&["question"])?.need("question")?.text()? },
    };
    Ok(StepSpec { id, title, action, timeout })
}

fn apply(node: Node) -> Result<Action> {
    let mut fields = node.fields(APPLY)?;
    let existing = [("replace", Existing::Replace), ("keep", Existing::Keep)];
    let extras = [("report", Extras::Report), ("delete", Extras::Delete)];
    let isolation = [("fail-closed", Isolation::FailClosed), ("guarded", Isolation::Guarded)];
    Ok(Action::Apply {
        component: component(fields.need("component")?)?,
        kinds: fields.take("kinds").map_or(Ok(Vec::new()), Node::texts)?,
        create_namespaces: fields.take("createNamespaces").map_or(Ok(false), Node::flag)?,
        existing: fields.take("existing").map_or(Ok(Existing::Replace), |node| node.word(&existing))?,
        extras: fields.take("extras").map_or(Ok(Extras::Report), |node| node.word(&extras))?,
        isolation: fields.take("isolation").map(|node| node.word(&isolation)).transpose()?,
    })
}

fn helm_release(node: Node) -> Result<Action> {
    let mut fields = node.fields(&["component", "releases"])?;
    Ok(Action::HelmRelease {
        component: component(fields.need("component")?)?,
        releases: fields.take("releases").map_or(Ok(Vec::new()), Node::texts)?,
    })
}

fn wait(node: Node) -> Result<Wait> {
    let (name, node) = node.one_of(WAITS)?;
    Ok(match name {
        "helmCharts" => {
            Wait::HelmCharts { charts: node.list()?.into_iter().map(helm_chart).collect::<Result<_>>()? }
        }
        "nodes" => node.fields(&[]).map(|_| Wait::Nodes)?,
        "ready" => {
            let mut fields = node.fields(&["component", "kinds"])?;
            let kinds = fields.need("kinds")?.texts()?;
            Wait::Ready { component: component(fields.need("component")?)?, kinds }
        }
        "webhooks" => Wait::Webhooks { component: of_component(node)? },
        _ => Wait::Rollout { component: of_component(node)? },
    })
}

/// `kube-system/rke2-canal`.
fn helm_chart(node: Node) -> Result<ItemKey> {
    let wrong = node.error("a HelmChart is named NAMESPACE/NAME");
    match node.text()?.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(install::helm_chart(namespace, name))
        }
        _ => Err(wrong),
    }
}

fn scale(node: Node) -> Result<Action> {
    let mut fields = node.fields(&["workload", "replicas"])?;
    let replicas = fields.need("replicas")?;
    Ok(Action::Scale {
        workload: workload(fields.need("workload")?, &["deployments", "statefulsets"])?,
        replicas: match replicas.is("before") {
            true => Replicas::Before,
            false => Replicas::Count(replicas.number("a number of replicas, or `before`")?),
        },
    })
}

/// `deployments.apps/metallb-system/controller`.
fn workload(node: Node, plurals: &[&str]) -> Result<ItemKey> {
    let wrong = node.error(format!(
        "a workload is one of {}, then its namespace and name: {}.apps/NAMESPACE/NAME",
        plurals.join(", "),
        plurals.first().copied().unwrap_or_default()
    ));
    let text = node.text()?;
    let parts: Vec<&str> = text.split('/').collect();
    match parts[..] {
        [kind, namespace, name] if !namespace.is_empty() && !name.is_empty() => {
            let plural = plurals.iter().find(|plural| kind.strip_suffix(".apps") == Some(**plural));
            Ok(ItemKey::resource("apps", plural.ok_or(wrong)?, Some(namespace), name))
        }
        _ => Err(wrong),
    }
}

/// `{component: NAME}`.
pub(super) fn of_component(node: Node) -> Result<Component> {
    component(node.fields(&["component"])?.need("component")?)
}

fn component(node: Node) -> Result<Component> {
    node.word(&Component::ALL.map(|component| (component.name(), component)))
}
