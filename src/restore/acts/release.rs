//! A Helm release brought back: its revision's Secret as Helm wrote it, and none newer beside it.
//!
//! Helm takes the highest revision for the release's state: a pending or failed one that is newer makes it answer
//! "another operation is in progress" (Helm pkg/action). What a live deployed revision held is in the safety snapshot.

use serde_json::Value;

use super::Acting;
use crate::{
    cluster::{Answer, ApiKind, ListOptions, Selector},
    helm::{self, Revision},
    model::{Class, Content, Extent, Item, Json},
    plan::{Act, Verb},
    restore::ActOutcome,
};

impl Acting<'_> {
    pub(super) async fn release(&self, act: &Act, namespace: &str, name: &str) -> Answer<ActOutcome> {
        let Some(secrets) = self.discovery.find("", "secrets") else {
            return Ok(ActOutcome::Failed("the cluster does not serve secrets".into()));
        };
        let revisions = self.revisions(secrets, namespace, name).await?;
        let (deployed, _) = helm::choose(&revisions);
        let deployed = deployed.first();
        if deployed.map(|revision| &revision.seen) != act.seen.as_ref() {
            return self.changed(act, secrets, deployed).await;
        }
        if let (Verb::Delete, Some(deployed)) = (act.verb, deployed) {
            self.cluster.delete(secrets, Some(namespace), &deployed.secret_name, &deployed.seen).await?;
            return Ok(ActOutcome::Done);
        }
        let encoded = act.item.as_ref().and_then(|item| item.json()).map(|json| helm::encode(&json.value()));
        let secret = match encoded {
            Some(Ok(secret)) => secret,
            Some(Err(error)) => return Ok(ActOutcome::Failed(error.to_string())),
            None => {
                return Ok(ActOutcome::Failed("the plan does not say what to write; make a new plan".into()));
            }
        };
        let secret_name = secret["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let written = match revisions.iter().find(|revision| revision.secret_name == secret_name) {
            Some(twin) => {
                self.cluster.replace(secrets, Some(namespace), &secret_name, secret.clone(), &twin.seen).await
            }
            None => self.cluster.create(secrets, Some(namespace), secret.to_string().as_bytes()).await,
        };
        match written {
            Err(refusal) if refusal.is_conflict() => return Ok(ActOutcome::ChangedSincePlanned),
            answer => answer?,
        }
        let version = Revision::of(&secret).map_or(u64::MAX, |revision| revision.version);
        for newer in revisions.iter().filter(|revision| revision.version > version) {
            self.cluster.delete(secrets, Some(namespace), &newer.secret_name, &newer.seen).await?;
        }
        Ok(ActOutcome::Done)
    }

    async fn revisions(&self, secrets: &ApiKind, namespace: &str, name: &str) -> Answer<Vec<Revision>> {
        let options = ListOptions {
            namespace: Some(namespace.into()),
            selector: Selector {
                labels: Some(format!("owner=helm,name={name}")),
                fields: Some("type=helm.sh/release.v1".into()),
            },
            metadata_only: true,
        };
        let listed = self.cluster.list_all(secrets, &options).await?;
        Ok(listed.iter().filter_map(Revision::of).collect())
    }

    /// Another revision is deployed than the plan saw: it may be the wanted one, from a run before.
    async fn changed(&self, act: &Act, secrets: &ApiKind, deployed: Option<&Revision>) -> Answer<ActOutcome> {
        let Some(deployed) = deployed else {
            let nothing_wanted = act.verb == Verb::Delete;
            return Ok(if nothing_wanted { ActOutcome::Unchanged } else { ActOutcome::ChangedSincePlanned });
        };
        let live = self.cluster.get(secrets, Some(&deployed.namespace), &deployed.secret_name).await?;
        let same = live.as_ref().and_then(|live| digest(act, live)) == act.item.as_ref().map(Item::sha256);
        Ok(if same { ActOutcome::Unchanged } else { ActOutcome::ChangedSincePlanned })
    }
}

fn digest(act: &Act, secret: &Value) -> Option<String> {
    let content = Content::Release(Json::new(&helm::decode(secret).ok()?));
    let (key, component, extent) = (act.key.clone(), act.component, Extent::Whole);
    Some(Item { key, component, class: Class::Config, extent, content }.sha256())
}
