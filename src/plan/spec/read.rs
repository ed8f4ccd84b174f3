//! From YAML values to a plan.

use std::time::Duration;

use serde_json::Value;

use super::{Action, Existing, Extras, Isolation, RestorePlan, StepSpec, node::Node};
use crate::{Result, model::Component};

const PLAN: &[&str] = &["apiVersion", "kind", "name", "title", "rto", "rpo", "role", "runbook", "steps"];
const ACTIONS: &[&str] = &["apply", "helmRelease", "wait", "confirm"];
const STEP: &[&str] = &["id", "title", "timeout", "apply", "helmRelease", "wait", "confirm"];
const APPLY: &[&str] = &["component", "kinds", "createNamespaces", "existing", "extras", "isolation"];

/// Gates of a step that names no timeout: an API server answers sooner, a rollout should say how long it takes.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Reads the whole file.
pub(super) fn plan(value: Value) -> Result<RestorePlan> {
    let mut fields = Node::root(value).fields(PLAN)?;
    fields.need("apiVersion")?.word(&[("netdr/v1", ())])?;
    fields.need("kind")?.word(&[("RestorePlan", ())])?;
    Ok(RestorePlan {
        name: fields.need("name")?.text()?,
        title: fields.need("title")?.text()?,
        rto: fields.need("rto")?.duration()?,
        rpo: fields.need("rpo")?.duration()?,
        role: fields.need("role")?.text()?,
        runbook: fields.need("runbook")?.text()?,
        steps: fields.need("steps")?.list()?.into_iter().map(step).collect::<Result<_>>()?,
    })
}

fn step(node: Node) -> Result<StepSpec> {
    let mut fields = node.fields(STEP)?;
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
        "wait" => {
            let mut rollout = node.fields(&["rollout"])?.need("rollout")?.fields(&["component"])?;
            Action::WaitRollout { component: component(rollout.need("component")?)? }
        }
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

fn component(node: Node) -> Result<Component> {
    node.word(&Component::ALL.map(|component| (component.name(), component)))
}
