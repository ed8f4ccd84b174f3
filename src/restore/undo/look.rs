//! What is there now of what a run changed.
//!
//! In: a changed object. Out: the live one, in the terms of the journal's digests. Invariant: what could not be read is
//! unknown, never absent.

use std::path::Path;

use serde_json::Value;

use crate::{
    Error, canonical,
    cluster::{Cluster, Discovery, ListOptions, Precondition, Selector},
    helm, host,
    model::{Class, Content, Extent, Item, ItemKey, Json},
    plan::{Changed, Found, Live},
    restore::decide,
};

/// Looks.
pub(super) async fn look(
    cluster: &Cluster,
    discovery: &Discovery,
    host_root: &Path,
    changed: &Changed,
) -> Found {
    match &changed.key {
        ItemKey::Resource { group, plural, namespace, name } => {
            let Some(kind) = discovery.find(group, plural) else {
                return Found::Unknown(format!(
                    "the cluster does not serve {} now; when its CustomResourceDefinition is back, undo again",
                    changed.key.kind_name()
                ));
            };
            // The run wrote it in the version of its source, which need not be the one that is preferred now.
            let mut preferred = None;
            for kind in discovery.versions(kind) {
                let found = match cluster.get(&kind, namespace.as_deref(), name).await {
                    Err(refusal) => unread(&refusal),
                    Ok(None) => Found::Absent,
                    Ok(Some(object)) => resource(changed, object),
                };
                let enough = match &found {
                    Found::Live(live) => is_known(changed, &live.sha256),
                    Found::Absent | Found::Unknown(_) => preferred.is_none(),
                };
                if enough {
                    return found;
                }
                preferred.get_or_insert(found);
            }
            preferred.unwrap_or(Found::Absent)
        }
        ItemKey::Release { namespace, name } => release(cluster, discovery, changed, namespace, name).await,
        ItemKey::File { node, path } => file(host_root, changed, node, path),
    }
}

fn file(root: &Path, changed: &Changed, node: &str, path: &str) -> Found {
    let file = host::likely_node(root).and_then(|here| match (here.name == node, here.doubt) {
        (true, _) => host::read(root, path),
        (false, None) => {
            Err(Error::failed(format!("it is a file of {node}, and this is {}: {}", here.name, elsewhere(node))))
        }
        // Without RKE2's files it is no node, whatever its name: nothing of a server is to be written here.
        (false, Some(_)) if !host::is_rke2(root) => Err(Error::failed(format!(
            "it is a file of {node}, and the files below {} are no RKE2 server's: {}",
            root.display(),
            elsewhere(node)
        ))),
        // What the undo itself takes away may be what named this node.
        (false, Some(doubt)) => Err(Error::failed(format!(
            "it is a file of {node}, and this node is taken for {}: {doubt}; if it is {node}, let a file say so and undo \
             again: echo 'node-name: {node}' > /etc/rancher/rke2/config.yaml.d/node-name.yaml; else undo there",
            here.name
        ))),
    });
    match file {
        Err(error) => Found::Unknown(error.to_string()),
        Ok(None) => Found::Absent,
        Ok(Some(file)) => Found::Live(Box::new(live(changed, Content::File(file), Precondition::default()))),
    }
}

fn elsewhere(node: &str) -> String {
    format!("name where the files of {node} are: --host-root DIR; or undo there")
}

/// Whether it is what the run left, or what was there before.
fn is_known(changed: &Changed, sha256: &str) -> bool {
    changed.after.contains(&Some(sha256.to_owned()))
        || changed.before.as_ref().is_some_and(|before| before.sha256() == sha256)
}

fn unread(refusal: &crate::cluster::Refusal) -> Found {
    Found::Unknown(format!("it could not be read: {refusal}"))
}

fn resource(changed: &Changed, object: Value) -> Found {
    if decide::terminating(&object).is_some() {
        return Found::Unknown("it is being deleted: when it is gone, undo again".into());
    }
    let seen = Precondition::of(&object);
    let Some(content) = canonical::present(&changed.key, changed.extent, object) else {
        return Found::Absent; // nothing of such an object is netdr's
    };
    Found::Live(Box::new(live(changed, Content::Resource(Json::new(&content)), seen)))
}

/// The revision that the run left, else the one that was there before, else the newest deployed one.
async fn release(
    cluster: &Cluster,
    discovery: &Discovery,
    changed: &Changed,
    namespace: &str,
    name: &str,
) -> Found {
    let Some(kind) = discovery.find("", "secrets") else {
        return Found::Unknown("the cluster does not serve secrets".into());
    };
    let options = ListOptions {
        namespace: Some(namespace.into()),
        selector: Selector::release(name),
        metadata_only: false,
    };
    let secrets = match cluster.list_all(kind, &options).await {
        Err(refusal) => return unread(&refusal),
        Ok(secrets) => secrets,
    };
    let revisions = secrets.into_iter().filter_map(|secret| {
        let content = Content::Release(Json::new(&helm::decode(&secret).ok()?));
        let deployed = secret["metadata"]["labels"]["status"] == "deployed";
        let version: u64 = secret["metadata"]["labels"]["version"].as_str()?.parse().ok()?;
        let mut live = live(changed, content, Precondition::of(&secret));
        let key = ItemKey::resource("", "secrets", Some(namespace), secret["metadata"]["name"].as_str()?);
        let secret = canonical::canonical(&key, secret);
        live.secret = Some((key, Content::Resource(Json::new(&secret))));
        Some((deployed, version, live))
    });
    let rank = |(deployed, version, live): &(bool, u64, Live)| {
        let left = changed.after.contains(&Some(live.sha256.clone()));
        let before = changed.before.as_ref().is_some_and(|before| before.sha256() == live.sha256);
        (left, before, *deployed, *version)
    };
    match revisions.max_by_key(rank) {
        Some((_, _, live)) => Found::Live(Box::new(live)),
        None => Found::Absent,
    }
}

fn live(changed: &Changed, content: Content, seen: Precondition) -> Live {
    let extent = if matches!(content, Content::Release(_)) { Extent::Whole } else { changed.extent };
    let item = Item {
        key: changed.key.clone(),
        component: changed.component,
        class: Class::Config,
        extent,
        content,
    };
    Live { sha256: item.sha256(), content: item.content, seen, secret: None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::Component;

    #[test]
    fn a_node_whose_name_is_in_doubt_is_told_how_to_say_which_it_is() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let (node, path) = ("n1", "/etc/sysctl.d/90-rke2.conf");
        let changed = Changed {
            key: ItemKey::File { node: node.into(), path: path.into() },
            component: Component::Host,
            step: "files".into(),
            batch: 0,
            before: None,
            after: BTreeSet::new(),
            extent: Extent::Whole,
        };
        let why = || match file(root.path(), &changed, node, path) {
            Found::Unknown(why) => why,
            found => panic!("{found:?}"),
        };
        write("etc/hostname", "other\n");
        write(&path[1..], "a=1\n");
        // Without RKE2's files it is no server that lost its name: nothing is to be written there.
        let said = why();
        assert!(said.contains("no RKE2 server's: name where the files of n1 are: --host-root DIR"), "{said}");
        assert!(!said.contains("node-name"), "{said}");
        write("var/lib/rancher/rke2/agent", "");
        let said = why();
        for part in
            ["this node is taken for other: /etc/rancher/rke2/config.yaml is missing", "node-name: n1"]
        {
            assert!(said.contains(part), "{said}");
        }
        write("etc/rancher/rke2/config.yaml", "node-name: n2\n");
        assert!(why().contains("this is n2: name where the files of n1 are: --host-root DIR"), "{}", why());
        write("etc/rancher/rke2/config.yaml", "node-name: n1\n");
        assert!(matches!(file(root.path(), &changed, node, path), Found::Live(_)));
    }
}
