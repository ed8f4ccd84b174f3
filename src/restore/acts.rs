//! One act: one object changed as the plan says, or left alone, or refused in words.
//!
//! In: an act and the cluster. Out: what became of it. Invariant: an object is written only while it is as the plan
//! saw it; the API server is made to check that (resourceVersion, uid), never this program alone.

mod file;
mod operation;
mod release;
mod renew;
mod words;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use super::{
    ActOutcome,
    decide::{self, Next},
    gates,
    lease::Clock,
};
use crate::{
    canonical,
    cluster::{Answer, ApiKind, Cluster, Discovery, Precondition, Refusal},
    host::Writer,
    model::{Item, ItemKey, Json},
    plan::{Act, Verb, behind_webhook},
};

/// How often an act begins anew when its object's bookkeeping changes under its hands.
const ATTEMPTS: usize = 8;
/// How long a deleted object may take to go: whoever put a finalizer on it has work to do first.
pub(crate) const GONE: Duration = Duration::from_secs(60);

/// What acts need.
pub(super) struct Acting<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) discovery: &'a Discovery,
    /// Writes the files of this node, where the plan has some.
    pub(super) files: Option<&'a Writer>,
    /// Pause between looks at an object that is going away.
    pub(super) poll: Duration,
    /// The wall clock, for what is dated.
    pub(super) clock: Clock,
    /// Every configuration of admission webhooks with its kind, once one of them did not answer.
    pub(super) webhooks: OnceCell<Vec<(&'static str, Value)>>,
}

/// Where an object is, and what is written there.
struct Place<'a> {
    /// In the version that captures read.
    read: &'a ApiKind,
    /// In the version that the stored object is written in.
    write: ApiKind,
    namespace: Option<&'a str>,
    name: &'a str,
    /// The wanted object; none for a delete.
    body: Option<&'a [u8]>,
}

impl Acting<'_> {
    /// Does it. A failure is an outcome, with the API server's words and the way out.
    pub(super) async fn act(&self, act: &Act) -> ActOutcome {
        let answer = match &act.key {
            ItemKey::Resource { .. } => match self.place(act) {
                Ok(place) => match act.verb {
                    Verb::Restart => self.restart(&place).await,
                    Verb::Renew => self.renew(&place).await,
                    _ => self.change(act, &place).await,
                },
                Err(why) => Ok(ActOutcome::Failed(why)),
            },
            ItemKey::Release { namespace, name } => self.release(act, namespace, name).await,
            ItemKey::File { path, .. } => Ok(self.file(act, path)),
        };
        match answer {
            Ok(outcome) => outcome,
            Err(refusal) => {
                let behind = self.behind(&refusal).await;
                ActOutcome::Failed(words::failure(act, &refusal, behind.as_deref(), self.cluster.server()))
            }
        }
    }

    /// Who stands behind the webhook that did not answer, where that is why.
    async fn behind(&self, refusal: &Refusal) -> Option<String> {
        let webhook = refusal.webhook()?;
        let read = || gates::webhook_configurations(self.cluster, self.discovery);
        let all = self.webhooks.get_or_init(read).await;
        all.iter().find_map(|(kind, configuration)| behind_webhook(kind, configuration, webhook))
    }

    async fn change(&self, act: &Act, place: &Place<'_>) -> Answer<ActOutcome> {
        // A create that finds nothing and a delete of the very object that the plan saw need no look first.
        let mut look = match act.verb {
            Verb::Create => false,
            Verb::Replace | Verb::Merge | Verb::Scale => true,
            Verb::Delete | Verb::Recreate | Verb::Restart | Verb::Renew => act.seen.is_none(),
        };
        let mut tried = false;
        for _ in 0..ATTEMPTS {
            let mut live = None;
            if look {
                // In the stored version, for that is what the plan and the source have it in.
                live = self.cluster.get(&place.write, place.namespace, place.name).await?;
                if let Some(held_by) = live.as_ref().and_then(decide::terminating) {
                    return Ok(going(act, &held_by));
                }
                match judge(act, live.as_ref()) {
                    Next::Write => {}
                    // Written in vain, and as wanted: it was written, and the answer was lost.
                    Next::Unchanged if tried && live.as_ref().is_none_or(decide::written) => {
                        return Ok(ActOutcome::Done);
                    }
                    Next::Unchanged => return Ok(ActOutcome::Unchanged),
                    Next::Leave => return Ok(ActOutcome::ChangedSincePlanned),
                }
            }
            match self.write(act, place, live.as_ref()).await {
                Err(refusal) if refusal.is_conflict() => (look, tried) = (true, true),
                answer => return answer,
            }
        }
        Ok(ActOutcome::Failed(
            "somebody keeps writing it, though not its content; find out who: kubectl get --show-managed-fields"
                .into(),
        ))
    }

    /// Writes once; `live` is the object as just read, where it was.
    async fn write(&self, act: &Act, place: &Place<'_>, live: Option<&Value>) -> Answer<ActOutcome> {
        let Place { read, write, namespace, name, body } = place;
        let seen = live.map(Precondition::of).or_else(|| act.seen.clone());
        match (act.verb, body, live, seen) {
            (Verb::Create, Some(body), ..) => self.cluster.create(write, *namespace, body).await?,
            (Verb::Replace, Some(body), Some(live), Some(seen)) => {
                let mut object = serde_json::from_slice(body).unwrap_or_default();
                canonical::keep_live(&act.key, &mut object, live);
                self.cluster.replace(write, *namespace, name, object, &seen).await?;
            }
            (Verb::Merge | Verb::Scale, Some(body), Some(live), Some(seen)) => {
                let owned = canonical::owned_fields(&act.key, live).unwrap_or_else(|| json!({}));
                let wanted: Value = serde_json::from_slice(body).unwrap_or_default();
                let mut patch = decide::merge_patch(&owned, &wanted);
                patch["metadata"]["resourceVersion"] = seen.resource_version.into();
                patch["metadata"]["uid"] = seen.uid.into();
                self.cluster.merge(read, *namespace, name, &patch).await?;
            }
            (Verb::Delete, .., Some(seen)) if same_object(act, &seen) => {
                self.cluster.delete(read, *namespace, name, &seen).await?;
            }
            (Verb::Recreate, Some(body), _, Some(seen)) if same_object(act, &seen) => {
                self.cluster.delete(read, *namespace, name, &seen).await?;
                return self.create_again(act, place, body, &seen.uid).await;
            }
            // Replace and merge found nothing, delete and recreate another object of the same name.
            _ => return Ok(ActOutcome::ChangedSincePlanned),
        }
        Ok(ActOutcome::Done)
    }

    /// The second half of a recreation. What fails from here on leaves the object deleted, and that is said.
    async fn create_again(&self, act: &Act, place: &Place<'_>, body: &[u8], uid: &str) -> Answer<ActOutcome> {
        let Place { read, namespace, name, .. } = *place;
        let deadline = Instant::now() + GONE;
        let created = match wait_gone(self.cluster, read, namespace, name, uid, deadline, self.poll).await {
            Ok(None) => self.cluster.create(&place.write, place.namespace, body).await,
            Ok(Some(held_by)) => return Ok(going(act, &held_by)),
            Err(refusal) => Err(refusal),
        };
        match created {
            Ok(()) => Ok(ActOutcome::Done),
            Err(refusal) if refusal.is_conflict() => Err(refusal), // somebody did, or it did and the answer was lost
            Err(refusal) => {
                let behind = self.behind(&refusal).await;
                let said = words::half_done(act, &refusal, behind.as_deref(), self.cluster.server());
                Ok(ActOutcome::Failed(said))
            }
        }
    }

    /// The place of a resource. A plan refuses what cannot be written; what it defined itself is known only now.
    fn place<'a>(&'a self, act: &'a Act) -> Result<Place<'a>, String> {
        let ItemKey::Resource { group, plural, namespace, name } = &act.key else {
            return Err("it is no Kubernetes resource".into());
        };
        let kind = act.key.kind_name();
        let read = self.discovery.find(group, plural).ok_or_else(|| {
            if self.discovery.is_stale(group) {
                format!("the server of API group {group} does not answer; see: kubectl get apiservices")
            } else {
                format!("the cluster does not serve {kind}; its CustomResourceDefinition is missing")
            }
        })?;
        let mut write = read.clone();
        let json = act.item.as_ref().and_then(Item::json);
        if let Some(stored) = json.and_then(|json| json.parse::<Stored>().ok()) {
            if let Some(why) = self.discovery.outdated(read, &stored.api_version) {
                return Err(why);
            }
            write.version = stored.api_version.rsplit('/').next().unwrap_or_default().into();
        }
        let body = json.map(Json::bytes);
        Ok(Place { read, write, namespace: namespace.as_deref(), name, body })
    }
}

/// Waits until the very object is gone; says who holds it when it does not go. `poll` is the pause between two looks.
pub(crate) async fn wait_gone(
    cluster: &Cluster,
    kind: &ApiKind,
    namespace: Option<&str>,
    name: &str,
    uid: &str,
    deadline: Instant,
    poll: Duration,
) -> Answer<Option<String>> {
    loop {
        match cluster.get(kind, namespace, name).await? {
            Some(live) if live["metadata"]["uid"] == uid => {
                if Instant::now() > deadline {
                    return Ok(Some(decide::terminating(&live).unwrap_or_default()));
                }
            }
            _ => return Ok(None),
        }
        sleep(poll).await;
    }
}

#[derive(serde::Deserialize)]
struct Stored {
    #[serde(rename = "apiVersion")]
    api_version: String,
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

/// Whether a delete hits the object that the plan saw; what no plan saw, this run made.
fn same_object(act: &Act, found: &Precondition) -> bool {
    act.seen.as_ref().is_none_or(|seen| seen.uid == found.uid)
}

/// What to do about what is there. At the resourceVersion that the plan saw it is what the plan saw; else its content
/// decides. A delete of what no plan saw takes away what this run made: a guard.
fn judge(act: &Act, live: Option<&Value>) -> Next {
    if let Some(live) = live {
        let expected = match &act.seen {
            Some(seen) => *seen == Precondition::of(live),
            None => act.verb == Verb::Delete,
        };
        if expected {
            return Next::Write;
        }
    }
    let live = live.and_then(|live| decide::digest(act, live.clone()));
    let wanted = act.item.as_ref().map(Item::sha256);
    decide::next(live.as_deref(), act.live_sha256.as_deref(), wanted.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Component;

    fn live(resource_version: &str) -> Value {
        json!({"metadata": {"name": "x", "uid": "u", "resourceVersion": resource_version}})
    }

    fn act(verb: Verb, seen: Option<&str>) -> Act {
        let secret = ItemKey::resource("", "secrets", Some("demo"), "x");
        let seen = seen.map(|rv| Precondition { uid: "u".into(), resource_version: rv.into() });
        Act { seen, ..Act::of(secret, Component::Ingress, verb) }
    }

    #[test]
    fn at_the_version_that_was_seen_no_content_is_needed_to_know_it() {
        assert_eq!(judge(&act(Verb::Delete, Some("7")), Some(&live("7"))), Next::Write);
        assert_eq!(judge(&act(Verb::Delete, Some("7")), Some(&live("8"))), Next::Leave);
        assert_eq!(judge(&act(Verb::Delete, Some("7")), None), Next::Unchanged);
    }

    #[test]
    fn what_this_run_made_it_may_take_away() {
        assert_eq!(judge(&act(Verb::Delete, None), Some(&live("8"))), Next::Write);
        assert_eq!(judge(&act(Verb::Delete, None), None), Next::Unchanged);
    }

    #[test]
    fn what_is_on_its_way_out_counts_as_deleted_and_is_in_the_way_of_a_create() {
        assert_eq!(going(&act(Verb::Delete, None), "a/b"), ActOutcome::Done);
        let ActOutcome::Failed(why) = going(&act(Verb::Create, None), "a/b") else {
            panic!("it is in the way")
        };
        assert!(why.contains("a/b"), "{why}");
    }
}
