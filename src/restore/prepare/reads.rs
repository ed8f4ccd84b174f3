//! What of the cluster a plan needs besides a capture.
//!
//! In: a plan, authored or resolved. Out: the live objects that it names. Invariant: what a run will delete is at hand
//! before.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    Result, canonical,
    cluster::{Answer, Cluster, Discovery, ListOptions},
    model::{Component, Content, ItemKey, Json},
    plan::{Act, Action, Gate, Install, Probe, ROUTES, ResolvedPlan, RestorePlan, Target, Verb, install},
    restore::gates,
};

/// The workloads that steps name, as they are.
pub(super) async fn workloads(
    cluster: &Cluster,
    discovery: &Discovery,
    plan: &RestorePlan,
) -> Result<BTreeMap<ItemKey, Value>> {
    let mut live = BTreeMap::new();
    for key in plan.steps.iter().flat_map(|step| step.action.workloads()) {
        live.extend(read(cluster, discovery, key).await?.map(|object| (key.clone(), object)));
    }
    Ok(live)
}

/// What helm-controller did last for the HelmCharts that steps name.
pub(super) async fn installs(
    cluster: &Cluster,
    discovery: &Discovery,
    plan: &RestorePlan,
) -> Result<BTreeMap<ItemKey, Install>> {
    let mut installs = BTreeMap::new();
    for chart in plan.steps.iter().flat_map(|step| step.action.charts()) {
        let config = ItemKey::resource("helm.cattle.io", "helmchartconfigs", chart.namespace(), chart.name());
        let mut live = [Value::Null, Value::Null, Value::Null];
        for (place, key) in live.iter_mut().zip([chart, &config, &install::job(chart)]) {
            *place = read(cluster, discovery, key).await?.unwrap_or_default();
        }
        let [live_chart, config, job] = &live;
        installs.insert(chart.clone(), Install::of(live_chart, config, job));
    }
    Ok(installs)
}

/// Live routes, where hosts are to be probed and the plan is not about the ingress: they say which hosts its certificates
/// are served for.
pub(super) async fn routes(
    cluster: &Cluster,
    discovery: &Discovery,
    plan: &RestorePlan,
) -> Answer<Vec<(ItemKey, Value)>> {
    let mut routes = Vec::new();
    let probed = plan.steps.iter().any(|step| matches!(step.action, Action::Probe(Probe::Http(_))));
    if !probed || plan.components().contains(&Component::Ingress) {
        return Ok(routes);
    }
    for (group, plural) in ROUTES {
        let Some(kind) = discovery.find(group, plural) else { continue };
        for route in cluster.list_all(kind, &ListOptions::default()).await? {
            let text = |name: &str| route["metadata"][name].as_str();
            let key = ItemKey::resource(group, plural, text("namespace"), text("name").unwrap_or_default());
            routes.push((key, route));
        }
    }
    Ok(routes)
}

async fn read(cluster: &Cluster, discovery: &Discovery, key: &ItemKey) -> Result<Option<Value>> {
    let ItemKey::Resource { group, plural, namespace, name } = key else { return Ok(None) };
    let Some(kind) = discovery.find(group, plural) else { return Ok(None) };
    let read = cluster.get(kind, namespace.as_deref(), name).await;
    read.map_err(|refusal| refusal.about("cannot read", &key.to_string(), cluster.server()))
}

/// What will be deleted and is known by its metadata alone, such as newer revisions of a release (up to 1 MiB each): the
/// safety snapshot must hold it.
pub(super) async fn deleted(cluster: &Cluster, discovery: &Discovery, plan: &mut ResolvedPlan) -> Result<()> {
    let unread = |act: &&mut Act| act.verb == Verb::Delete && act.seen.is_some() && act.live.is_none();
    let acts = plan.steps.iter_mut().flat_map(|s| &mut s.batches).flat_map(|b| &mut b.acts);
    for act in acts.filter(unread) {
        let object = read(cluster, discovery, &act.key).await?;
        act.live = object.map(|object| Content::Resource(Json::new(&canonical::canonical(&act.key, object))));
        act.live_sha256 = act.overwritten().map(|item| item.sha256()); // by which undo finds it
    }
    Ok(())
}

/// Warns of admission webhooks that will refuse what the plan writes, because nobody answers for them now.
pub(super) async fn webhooks(cluster: &Cluster, discovery: &Discovery, plan: &mut ResolvedPlan) {
    let targets = Target::of(plan.changes().map(|act| &act.key));
    if targets.is_empty() {
        return;
    }
    let found = match gates::read_webhooks(cluster, discovery, &targets).await {
        Ok(found) => found,
        Err(refusal) => {
            plan.warnings.push(format!("whether admission webhooks answer could not be read: {refusal}"));
            return;
        }
    };
    let waits = |gate: &Gate| match gate {
        Gate::Webhooks { targets, .. } => !found.unready(targets).is_empty(),
        _ => false,
    };
    let step = plan.steps.iter().find(|step| step.gates.iter().any(waits)).map(|step| &step.id);
    let then = match step {
        Some(id) => format!("step `{id}` waits for it"),
        None => "until then they are refused".into(),
    };
    let unready = found.unready(&targets).into_iter();
    plan.warnings.extend(unready.map(|line| format!("{line}; {then}")));
}
