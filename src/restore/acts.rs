//! One act: one object changed as the plan says, or left alone, or refused in words.
//!
//! In: an act and the cluster. Out: what became of it. Invariant: an object is written only while it is as the plan
//! saw it; the API server is made to check that (resourceVersion, uid), never this program alone.

mod release;
mod words;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    ActOutcome,
    decide::{self, Next},
};
use crate::{
    cluster::{Answer, ApiKind, Cluster, Discovery, Precondition},
    model::{Content, Item, ItemKey},
    plan::{Act, Verb},
};

/// How often an act begins anew when its object's bookkeeping changes under its hands.
const ATTEMPTS: usize = 8;
/// How long a deleted object may take to go before it is created again.
const GONE: Duration = Duration::from_secs(60);

/// What acts need.
pub(super) struct Acting<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) discovery: &'a Discovery,
    /// Pause between looks at an object that is going away.
    pub(super) poll: Duration,
}

/// Where an object is, and the version in which it is read and written.
struct Place<'a> {
    /// In the version that captures read.
    read: &'a ApiKind,
    /// In the version that the stored object is written in.
    write: ApiKind,
    namespace: Option<&'a str>,
    name: &'a str,
}

impl Acting<'_> {
    /// Does it. A failure is an outcome, with the API server's words and the way out.
    pub(super) async fn act(&self, act: &Act) -> ActOutcome {
        if let ItemKey::File { .. } = act.key {
            return ActOutcome::Failed(
                "host files are not restored by this version; use: netdr extract".into(),
            );
        }
        let done = match &act.key {
            ItemKey::Release { namespace, name } => self.release(act, namespace, name).await,
            _ => match self.place(act) {
                Ok(place) => self.resource(act, &place).await,
                Err(why) => return ActOutcome::Failed(why),
            },
        };
        done.unwrap_or_else(|refusal| {
            ActOutcome::Failed(words::failure(act, &refusal, self.cluster.server()))
        })
    }

    async fn resource(&self, act: &Act, place: &Place<'_>) -> Answer<ActOutcome> {
        if act.verb == Verb::Delete && act.seen.is_none() {
            return self.delete_unseen(place).await;
        }
        // A create that finds nothing and a delete that finds what the plan saw need no look first.
        let mut look = !matches!(act.verb, Verb::Create | Verb::Delete | Verb::Recreate);
        for _ in 0..ATTEMPTS {
            let mut live = None;
            if look {
                live = self.cluster.get(place.read, place.namespace, place.name).await?;
                if let Some(held_by) = live.as_ref().and_then(decide::terminating) {
                    return Ok(going(act, &held_by));
                }
                let digest = live.clone().and_then(|live| decide::digest(act, live));
                let wanted = act.item.as_ref().map(Item::sha256);
                match decide::next(digest.as_deref(), act.live_sha256.as_deref(), wanted.as_deref()) {
                    Next::Write => {}
                    Next::Unchanged => return Ok(ActOutcome::Unchanged),
                    Next::Leave => return Ok(ActOutcome::ChangedSincePlanned),
                }
            }
            match self.write(act, place, live.as_ref()).await {
                Err(refusal) if refusal.is_conflict() => look = true,
                answer => return answer,
            }
        }
        Ok(ActOutcome::Failed(
            "somebody keeps writing it, though not its content; find out who: kubectl get --show-managed-fields"
                .into(),
        ))
    }

    /// Deletes what the plan could not see because an act before this one made it: a guard.
    async fn delete_unseen(&self, place: &Place<'_>) -> Answer<ActOutcome> {
        if let Some(live) = self.cluster.get(place.read, place.namespace, place.name).await? {
            self.cluster.delete(place.read, place.namespace, place.name, &precondition(&live)).await?;
        }
        Ok(ActOutcome::Done)
    }

    /// Writes once; `live` is the object as just read, where it was.
    async fn write(&self, act: &Act, place: &Place<'_>, live: Option<&Value>) -> Answer<ActOutcome> {
        let Place { read, write, namespace, name } = place;
        let content = act.item.as_ref().and_then(|item| item.json());
        let seen = live.map(precondition).or_else(|| act.seen.clone());
        match (act.verb, content, live, seen) {
            (Verb::Create, Some(content), ..) => {
                self.cluster.create(write, *namespace, content.bytes()).await?;
            }
            (Verb::Replace, Some(content), Some(live), Some(seen)) => {
                let mut object = content.value();
                crate::canonical::keep_live(&act.key, &mut object, live);
                self.cluster.replace(write, *namespace, name, object, &seen).await?;
            }
            (Verb::Merge, Some(content), Some(live), Some(seen)) => {
                let owned = crate::canonical::owned_fields(&act.key, live).unwrap_or_else(|| json!({}));
                let mut patch = decide::merge_patch(&owned, &content.value());
                patch["metadata"]["resourceVersion"] = seen.resource_version.into();
                patch["metadata"]["uid"] = seen.uid.into();
                self.cluster.merge(read, *namespace, name, &patch).await?;
            }
            (Verb::Delete, .., Some(seen)) => {
                if act.seen.as_ref().is_some_and(|planned| planned.uid != seen.uid) {
                    return Ok(ActOutcome::ChangedSincePlanned);
                }
                self.cluster.delete(read, *namespace, name, &seen).await?;
            }
            (Verb::Recreate, Some(content), _, Some(seen)) => {
                self.cluster.delete(read, *namespace, name, &seen).await?;
                if let Some(held_by) = self.wait_gone(place, &seen.uid).await? {
                    return Ok(going(act, &held_by));
                }
                self.cluster.create(write, *namespace, content.bytes()).await?;
            }
            (verb, ..) => return Ok(impossible(verb)),
        }
        Ok(ActOutcome::Done)
    }

    /// Waits until the very object is gone; says who holds it when it does not go.
    async fn wait_gone(&self, place: &Place<'_>, uid: &str) -> Answer<Option<String>> {
        let deadline = Instant::now() + GONE;
        loop {
            match self.cluster.get(place.read, place.namespace, place.name).await? {
                Some(live) if live["metadata"]["uid"] == uid => {
                    if Instant::now() > deadline {
                        return Ok(Some(decide::terminating(&live).unwrap_or_default()));
                    }
                }
                _ => return Ok(None),
            }
            sleep(self.poll).await;
        }
    }

    /// The paths of an act's object. A stored version that the server no longer serves is refused: netdr does not
    /// convert between versions.
    fn place<'a>(&'a self, act: &'a Act) -> Result<Place<'a>, String> {
        let ItemKey::Resource { group, plural, namespace, name } = &act.key else {
            return Err("it is no Kubernetes resource".into());
        };
        let read = self.discovery.find(group, plural).ok_or_else(|| {
            if self.discovery.is_stale(group) {
                format!("the server of API group {group} does not answer; see: kubectl get apiservices")
            } else {
                format!(
                    "the cluster does not serve {}; its CustomResourceDefinition is missing",
                    act.key.kind_name()
                )
            }
        })?;
        let stored = act.item.as_ref().and_then(|item| match &item.content {
            Content::Resource(json) => json.parse::<Stored>().ok(),
            _ => None,
        });
        let mut write = read.clone();
        if let Some(stored) = stored {
            let version = stored.api_version.rsplit('/').next().unwrap_or_default();
            if !self.discovery.serves(group, plural, version) {
                return Err(format!(
                    "the cluster serves {} in {}, no longer in {version}; convert it by hand: netdr extract, then kubectl apply",
                    act.key.kind_name(),
                    read.version
                ));
            }
            write.version = version.into();
        }
        Ok(Place { read, write, namespace: namespace.as_deref(), name })
    }
}

#[derive(serde::Deserialize)]
struct Stored {
    #[serde(rename = "apiVersion")]
    api_version: String,
}

fn precondition(live: &Value) -> Precondition {
    let text = |field: &str| live["metadata"][field].as_str().unwrap_or_default().to_owned();
    Precondition { uid: text("uid"), resource_version: text("resourceVersion") }
}

/// An object on its way out is gone for a delete; for anything else it is in the way.
fn going(act: &Act, held_by: &str) -> ActOutcome {
    if act.verb == Verb::Delete {
        return ActOutcome::Done;
    }
    let held_by = if held_by.is_empty() { "nobody" } else { held_by };
    ActOutcome::Failed(format!(
        "it is being deleted and held by finalizers ({held_by}); remove what holds it, then run the same command again"
    ))
}

fn impossible(verb: Verb) -> ActOutcome {
    match verb {
        Verb::Merge | Verb::Replace => ActOutcome::ChangedSincePlanned,
        _ => ActOutcome::Failed("the plan does not say what to write; make a new plan".into()),
    }
}
