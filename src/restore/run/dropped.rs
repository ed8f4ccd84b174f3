//! Why an object still differs that was written as the source has it: fields that this cluster does not know.
//!
//! In: what the same plan would still do, and why steps failed. Out: lines for the report. Invariant: nothing is written; the API
//! server is asked by strict dry runs, and only about what is left and was not refused, for webhooks and definitions are as they
//! will be by then, and one that does not answer has been waited for.

use crate::{
    cluster::{Answer, Cluster, Discovery, Precondition},
    model::{Content, Item, ItemKey},
    plan::ResolvedPlan,
    restore::{StepOutcome, decide},
};

/// So many objects are asked about: whoever serves a kind in another version drops the same field of all.
const ASKED: usize = 8;

/// A line for each of the first objects that differ for that reason.
pub(super) async fn fields(cluster: &Cluster, left: &ResolvedPlan, steps: &[StepOutcome]) -> Vec<String> {
    let refused = |key: &ItemKey| {
        let key = key.to_string();
        steps.iter().flat_map(|step| &step.failures).any(|why| why.contains(&key))
    };
    let written = |item: &Item| matches!(item.content, Content::Resource(_)) && !refused(&item.key);
    let acts = left
        .changes()
        .filter_map(|act| Some((act.item.as_ref().filter(|item| written(item))?, act.seen.as_ref()?)));
    let acts: Vec<_> = acts.take(ASKED).collect();
    if acts.is_empty() {
        return Vec::new();
    }
    let Ok(discovery) = cluster.discover().await else { return Vec::new() };
    let mut lines = Vec::new();
    for (item, seen) in acts {
        if let Some(Err(refusal)) = ask(cluster, &discovery, item, seen).await
            && let Some(fields) = decide::unknown_fields(item, &refusal)
        {
            lines.push(format!(
                "{}: this cluster does not know all that the source has of it, and drops it: {fields}; is its \
                 CustomResourceDefinition of another version?",
                item.key
            ));
        }
    }
    lines
}

async fn ask(
    cluster: &Cluster,
    discovery: &Discovery,
    item: &Item,
    seen: &Precondition,
) -> Option<Answer<()>> {
    let ItemKey::Resource { group, plural, namespace, name } = &item.key else { return None };
    let wanted = item.json()?.value();
    let mut kind = discovery.find(group, plural)?.clone();
    kind.version = wanted["apiVersion"].as_str()?.rsplit('/').next()?.into();
    Some(cluster.try_replace(&kind, namespace.as_deref(), name, wanted, seen).await.map(drop))
}
