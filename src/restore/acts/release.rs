//! A Helm release brought back: the Secret of its stored revision, as Helm wrote it.
//!
//! In: a release and the revision that the plan saw deployed. Out: what became of it. Invariant: it is written only
//! while that revision is still the deployed one. Revisions that would stand in its way are acts of their own.

use super::Acting;
use crate::{
    cluster::{Answer, ApiKind, ListOptions, Selector},
    helm::{self, Revision},
    model::Item,
    plan::Act,
    restore::{ActOutcome, decide},
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
            let Some(deployed) = deployed else { return Ok(ActOutcome::ChangedSincePlanned) };
            return self.settled(act, secrets, namespace, &deployed.secret_name).await;
        }
        let Some(content) = act.item.as_ref().and_then(Item::json) else {
            return Ok(ActOutcome::Failed("a release is not deleted: helm uninstall does that".into()));
        };
        let secret = match helm::encode(&content.value()) {
            Ok(secret) => secret,
            Err(error) => return Ok(ActOutcome::Failed(error.to_string())),
        };
        let secret_name = secret["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let written = match deployed.filter(|revision| revision.secret_name == secret_name) {
            Some(same) => {
                self.cluster.replace(secrets, Some(namespace), &secret_name, secret, &same.seen).await
            }
            None => self.cluster.create(secrets, Some(namespace), secret.to_string().as_bytes()).await,
        };
        match written {
            Err(refusal) if refusal.is_conflict() => {
                self.settled(act, secrets, namespace, &secret_name).await
            }
            answer => answer.map(|()| ActOutcome::Done),
        }
    }

    async fn revisions(&self, secrets: &ApiKind, namespace: &str, name: &str) -> Answer<Vec<Revision>> {
        let options = ListOptions {
            namespace: Some(namespace.into()),
            selector: Selector::release(name),
            metadata_only: true,
        };
        let listed = self.cluster.list_all(secrets, &options).await?;
        Ok(listed.iter().filter_map(Revision::of).collect())
    }

    /// What is there is not what the plan saw: it may be the wanted one, from a run before or from a request whose answer
    /// was lost.
    async fn settled(
        &self,
        act: &Act,
        secrets: &ApiKind,
        namespace: &str,
        secret_name: &str,
    ) -> Answer<ActOutcome> {
        let live = self.cluster.get(secrets, Some(namespace), secret_name).await?;
        let ours = live.as_ref().is_some_and(decide::written);
        let live = live.and_then(|live| decide::digest(act, live));
        let same = live.is_some() && live == act.item.as_ref().map(Item::sha256);
        Ok(match (same, ours) {
            (true, true) => ActOutcome::Done,
            (true, false) => ActOutcome::Unchanged,
            (false, _) => ActOutcome::ChangedSincePlanned,
        })
    }
}
