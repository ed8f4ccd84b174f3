//! The damage done: objects deleted and changed on the drill's own cluster, files in the drill's own folders.
//!
//! In: what was chosen. Out: what was done, and afterwards what of it is left. Invariant: what is called lost is gone, and
//! what could not be looked at again is never called undone.

use std::{collections::BTreeMap, fmt, fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Breakage, Damage};
use crate::{
    Error, Result,
    cluster::{Answer, ApiKind, Cluster, Discovery, ListOptions, Precondition, Selector},
    model::{Content, Item, ItemKey},
    plan::{Action, RestorePlan, taken},
    report::drill::Broken,
    restore::{GONE, Lease, wait_gone},
};

const LOOK: &str = "cannot look again at";
const POLL: Duration = Duration::from_millis(100);
/// How often what was changed between two requests is deleted anew.
const TRIES: u32 = 5;

/// The folder of each node whose files there are.
type Roots = BTreeMap<String, PathBuf>;

/// What was done. As it is displayed, a line for the report.
#[derive(Clone, Debug)]
pub(in crate::drill) struct Caused {
    pub(super) damage: Damage,
    /// What holds an object that was deleted and is still there.
    pub(super) held: Option<String>,
    /// Whether the drill was stopped before anybody saw that it was done.
    pub(super) is_unsure: bool,
}

/// Does it, and notes each that was done, also where the next one fails. Of what is not there nothing is said: it could not
/// be loaded, and that has been said.
///
/// # Errors
/// When the API server refuses, a file cannot be changed, or another holds the Lease.
pub(in crate::drill) async fn cause(
    cluster: &Cluster,
    roots: &Roots,
    lease: Option<&Lease>,
    chosen: Vec<Damage>,
    breakage: &Breakage,
) -> Result<()> {
    let discovery = cluster.discover().await?;
    let causing = Causing { cluster, discovery: &discovery };
    let mut going = Vec::new();
    for damage in &chosen {
        if let Some(lease) = lease {
            lease.is_ours().await?;
        }
        breakage.doing(damage);
        let done = causing.one(roots, damage, breakage).await?;
        let number = breakage.done(!matches!(done, Done::Nothing));
        if let (Some(number), Done::Deleted(kind, uid)) = (number, done) {
            going.push((number, damage.key(), kind, uid));
        }
    }
    let deadline = Instant::now() + GONE;
    for (number, key, kind, uid) in going {
        let held = wait_gone(cluster, kind, key.namespace(), key.name(), &uid, deadline, POLL).await;
        let held = held.map_err(|r| r.about(LOOK, &key.to_string(), cluster.server()))?;
        breakage.held(number, held);
    }
    Ok(())
}

/// What of it is left, a line each: what is lost is there again, what was changed is as the item has it that a step of the plan
/// takes (another bundle, captured at another time, may have it otherwise), what slipped in is gone.
///
/// # Errors
/// When the API server refuses to show something, or a file cannot be read.
pub(in crate::drill) async fn left(
    cluster: &Cluster,
    roots: &Roots,
    caused: &[Caused],
    taken: &BTreeMap<&ItemKey, (&Action, &Item)>,
) -> Result<Vec<String>> {
    let discovery = cluster.discover().await?;
    let causing = Causing { cluster, discovery: &discovery };
    let mut left = Vec::new();
    for Caused { damage, .. } in caused {
        let key = damage.key();
        let seen = match key {
            ItemKey::File { .. } => text(roots, key)?,
            _ => causing.seen(key).await.map_err(|r| r.about(LOOK, &key.to_string(), cluster.server()))?,
        };
        left.extend(remains(damage, seen, taken));
    }
    Ok(left)
}

/// How much of each kind was broken, of how many the plan brings back.
pub(in crate::drill) fn broken(plan: &RestorePlan, items: &[Item], caused: &[Caused]) -> Vec<Broken> {
    let mut kinds: BTreeMap<String, Broken> = BTreeMap::new();
    let mut of = |key: &ItemKey, count: fn(&mut Broken)| {
        let kind = key.kind_name();
        let new = Broken { kind: kind.clone(), broken: 0, of: 0, slipped_in: 0 };
        count(kinds.entry(kind).or_insert(new));
    };
    taken(plan, items).keys().for_each(|key| of(key, |kind| kind.of += 1));
    for one in caused {
        match &one.damage {
            Damage::Stray(key) => of(key, |kind| kind.slipped_in += 1),
            Damage::Lost(key) | Damage::Corrupted { key, .. } => of(key, |kind| kind.broken += 1),
        }
    }
    kinds.into_values().collect()
}

/// What is left of one, by what is seen of it now.
fn remains(
    damage: &Damage,
    seen: Option<Value>,
    taken: &BTreeMap<&ItemKey, (&Action, &Item)>,
) -> Option<String> {
    let key = damage.key();
    let was = || taken.get(key).map(|(_, item)| content(item)).unwrap_or_default();
    match (damage, seen) {
        (Damage::Lost(_), None) | (Damage::Corrupted { .. }, None) => Some(format!("{key} is not there")),
        (Damage::Corrupted { to, .. }, Some(seen)) if !undone(to, &seen, &was()) => {
            Some(format!("{key} is not what it was"))
        }
        (Damage::Stray(_), Some(_)) => Some(format!("{key} is still there")),
        _ => None,
    }
}

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unsure {
            let key = self.damage.key();
            return write!(
                f,
                "{key} was about to be broken when that was stopped, or failed: whether it is, nobody saw"
            );
        }
        match (&self.damage, &self.held) {
            (Damage::Lost(key), None) => write!(f, "{key} is lost"),
            (Damage::Lost(key), Some(by)) => {
                write!(f, "{key} is being deleted, and held by finalizers ({by})")
            }
            (Damage::Corrupted { key, says, .. }, _) => write!(f, "{key} {says}"),
            (Damage::Stray(key), _) => write!(f, "{key} slipped in"),
        }
    }
}

/// Whether what a merge patch changed (RFC 7396) is as it was; what else there is of an object, it did not touch.
fn undone(patch: &Value, seen: &Value, was: &Value) -> bool {
    match patch {
        Value::Object(fields) => fields.iter().all(|(name, patch)| undone(patch, &seen[name], &was[name])),
        _ => seen == was,
    }
}

/// An item's content, to be compared with what is there.
fn content(item: &Item) -> Value {
    match &item.content {
        Content::File(file) => String::from_utf8_lossy(&file.bytes).into(),
        Content::Resource(json) | Content::Release(json) => json.value(),
    }
}

/// What became of an object.
enum Done<'a> {
    Nothing,
    Written,
    /// The kind and the uid of what is going.
    Deleted(&'a ApiKind, String),
}

impl Done<'_> {
    const fn of(done: bool) -> Self {
        if done { Self::Written } else { Self::Nothing }
    }
}

struct Causing<'a> {
    cluster: &'a Cluster,
    discovery: &'a Discovery,
}

impl Causing<'_> {
    async fn one(&self, roots: &Roots, damage: &Damage, breakage: &Breakage) -> Result<Done<'_>> {
        let done = match damage.key() {
            ItemKey::File { .. } => return Ok(Done::of(break_file(roots, damage)?)),
            ItemKey::Release { namespace, name } => self.release(namespace, name).await.map(Done::of),
            _ => self.object(damage).await,
        };
        // A refusal is an answer. Where none came it may have been done all the same, and stays noted as what nobody saw the end of.
        if done.as_ref().is_err_and(|refusal| refusal.code != 0) {
            breakage.done(false);
        }
        done.map_err(|r| r.about("cannot break", &damage.key().to_string(), self.cluster.server()))
    }

    async fn object(&self, damage: &Damage) -> Answer<Done<'_>> {
        let ItemKey::Resource { group, plural, namespace, name } = damage.key() else {
            return Ok(Done::Nothing);
        };
        let Some(kind) = self.discovery.find(group, plural) else { return Ok(Done::Nothing) };
        let namespace = namespace.as_deref();
        if let Damage::Stray(_) = damage {
            let policy = json!({
                "apiVersion": kind.api_version(), "kind": kind.kind,
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
            });
            self.cluster.create(kind, namespace, policy.to_string().as_bytes()).await?;
            return Ok(Done::Written);
        }
        let mut tries = TRIES;
        loop {
            let Some(live) = self.cluster.get(kind, namespace, name).await? else { return Ok(Done::Nothing) };
            if let Damage::Corrupted { to, .. } = damage {
                self.cluster.merge(kind, namespace, name, to).await?;
                return Ok(Done::Written);
            }
            let seen = Precondition::of(&live);
            match self.cluster.delete(kind, namespace, name, &seen).await {
                // Controllers write statuses all the time, and it is no less lost for that.
                Err(refusal) if refusal.is_conflict() && tries > 0 => tries -= 1,
                answer => return answer.map(|_| Done::Deleted(kind, seen.uid)),
            }
        }
    }

    /// What is there of it: of a release, its newest revision.
    async fn seen(&self, key: &ItemKey) -> Answer<Option<Value>> {
        match key {
            ItemKey::Resource { group, plural, namespace, name } => {
                match self.discovery.find(group, plural) {
                    Some(kind) => self.cluster.get(kind, namespace.as_deref(), name).await,
                    None => Ok(None),
                }
            }
            ItemKey::Release { namespace, name } => Ok(self.revisions(namespace, name).await?.pop()),
            ItemKey::File { .. } => Ok(None),
        }
    }

    /// Takes away every revision of a release, as `helm uninstall` does.
    async fn release(&self, namespace: &str, name: &str) -> Answer<bool> {
        let Some(secrets) = self.discovery.find("", "secrets") else { return Ok(false) };
        let revisions = self.revisions(namespace, name).await?;
        for revision in &revisions {
            let name = revision["metadata"]["name"].as_str().unwrap_or_default();
            self.cluster.delete(secrets, Some(namespace), name, &Precondition::of(revision)).await?;
        }
        Ok(!revisions.is_empty())
    }

    async fn revisions(&self, namespace: &str, name: &str) -> Answer<Vec<Value>> {
        let Some(secrets) = self.discovery.find("", "secrets") else { return Ok(Vec::new()) };
        let options = ListOptions {
            namespace: Some(namespace.into()),
            selector: Selector { labels: Some(format!("owner=helm,name={name}")), fields: None },
            metadata_only: true,
        };
        self.cluster.list_all(secrets, &options).await
    }
}

/// Where a file of a node is, if its node has a folder here and it is there.
fn at(roots: &Roots, key: &ItemKey) -> Option<PathBuf> {
    let ItemKey::File { node, path } = key else { return None };
    roots.get(node).map(|root| root.join(path.trim_start_matches('/'))).filter(|path| path.is_file())
}

fn break_file(roots: &Roots, damage: &Damage) -> Result<bool> {
    let Some(path) = at(roots, damage.key()) else { return Ok(false) };
    let done = match damage {
        Damage::Corrupted { to: Value::String(text), .. } => fs::write(&path, text),
        _ => fs::remove_file(&path),
    };
    done.map_err(|e| Error::failed(format!("cannot break {}", path.display())).because(e))?;
    Ok(true)
}

/// A file's text.
fn text(roots: &Roots, key: &ItemKey) -> Result<Option<Value>> {
    let Some(path) = at(roots, key) else { return Ok(None) };
    let bytes = fs::read(&path);
    let bytes = bytes.map_err(|e| Error::failed(format!("{LOOK} {}", path.display())).because(e))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Component, Extent, Json};

    #[test]
    fn only_what_was_changed_must_be_as_it_was() {
        let patch = json!({"metadata": {"labels": {"team": null}}});
        let was = json!({"metadata": {"labels": {"team": "a"}}});
        let seen = |team: Value| json!({"metadata": {"labels": {"team": team, "other": "b"}}, "status": {}});
        assert!(undone(&patch, &seen("a".into()), &was));
        assert!(!undone(&patch, &seen("b".into()), &was));
        assert!(!undone(&patch, &seen(Value::Null), &was));
        let patch = json!({"spec": {"egress": [{}]}});
        assert!(undone(&patch, &json!({"spec": {}}), &json!({"spec": {}})), "it had none");
        assert!(!undone(&patch, &json!({"spec": {"egress": [{}]}}), &json!({"spec": {}})));
    }

    /// A namespace is in the bundles of several components, and these are captured at different times.
    #[test]
    fn what_was_changed_must_be_as_the_item_has_it_that_the_plan_takes() {
        let key: ItemKey = "resources/core/namespaces/_cluster/demo".parse().unwrap();
        let of = |component, team: &str| Item {
            key: key.clone(),
            component,
            class: Class::Config,
            extent: Extent::Fields,
            content: Content::Resource(Json::new(&json!({"metadata": {"labels": {"team": team}}}))),
        };
        let items = [of(Component::Policies, "network"), of(Component::Certificates, "certificates")];
        let (_, text) = RestorePlan::builtin().into_iter().find(|(name, _)| *name == "full-stack").unwrap();
        let plan = RestorePlan::parse(text, "full-stack").unwrap();
        let taken = taken(&plan, &items);
        let (wins, other) = match taken[&key].1.component {
            Component::Certificates => ("certificates", "network"),
            _ => ("network", "certificates"),
        };
        let to = json!({"metadata": {"labels": {"team": null}}});
        let damage = Damage::Corrupted { key: key.clone(), to, says: "lost its labels" };
        let left =
            |team: &str| remains(&damage, Some(json!({"metadata": {"labels": {"team": team}}})), &taken);
        assert_eq!((left(wins), left(other).is_some()), (None, true));
        assert_eq!(wins, "certificates", "the earliest step");
    }

    #[test]
    fn what_was_broken_is_counted_against_what_the_plan_brings_back() {
        let of = |key: &str| Item {
            key: key.parse().unwrap(),
            component: Component::Policies,
            class: Class::Config,
            extent: Extent::Whole,
            content: Content::Resource(Json::new(&json!({}))),
        };
        let policy = |name: &str| format!("resources/networking.k8s.io/networkpolicies/demo/{name}");
        let names = ["a", "b", "c"].map(policy);
        let mut items: Vec<Item> = names.iter().map(|key| of(key)).collect();
        items.push(of(&names[0])); // another bundle has it, too
        items.push(of("resources/core/namespaces/_cluster/demo"));
        let (_, text) =
            RestorePlan::builtin().into_iter().find(|(name, _)| *name == "network-policies").unwrap();
        let plan = RestorePlan::parse(text, "network-policies").unwrap();
        let caused = [Damage::Lost(items[0].key.clone()), Damage::Stray(policy("stray").parse().unwrap())];
        let caused = caused.map(|damage| Caused { damage, held: None, is_unsure: false });
        let said: Vec<(String, usize, usize, usize)> = broken(&plan, &items, &caused)
            .into_iter()
            .map(|one| (one.kind, one.broken, one.of, one.slipped_in))
            .collect();
        let policies = ("networkpolicies.networking.k8s.io".to_owned(), 1, 3, 1);
        assert_eq!(said, [("namespaces".to_owned(), 0, 1, 0), policies]);
    }

    #[test]
    fn what_is_held_is_not_called_lost() {
        let key = ItemKey::resource("", "services", Some("a"), "b");
        let of = |held: Option<&str>| Caused {
            damage: Damage::Lost(key.clone()),
            held: held.map(Into::into),
            is_unsure: false,
        };
        assert!(of(None).to_string().ends_with("is lost"));
        assert!(of(Some("x/y")).to_string().ends_with("is being deleted, and held by finalizers (x/y)"));
    }
}
