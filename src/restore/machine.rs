//! The machine that netdr runs on: the one node whose files a restore writes.
//!
//! In: a host root, and the snapshots that were named. Out: which node it is, and its files as captures have them.
//! Invariant: a machine without RKE2's files is no node, whatever its name.

use std::path::Path;

use crate::{
    Error, Result,
    capture::{Capture, Captured, Failure},
    cluster::Precondition,
    host,
    model::{Component, IndexEntry, Set, SnapshotId},
    plan::NotDone,
    repository::Listed,
};

/// A machine.
pub(super) struct Machine<'a> {
    root: &'a Path,
    /// Which node it is, if it is one.
    pub(super) node: Option<String>,
    /// Why that may be wrong.
    pub(super) warnings: Vec<String>,
}

impl<'a> Machine<'a> {
    /// One whose files are nobody's business.
    pub(super) fn unasked(root: &'a Path) -> Self {
        Self { root, node: None, warnings: Vec::new() }
    }

    /// Looks. Where the configuration, which names the node, is what has to be restored, the one snapshot of set `host` that
    /// was named decides.
    ///
    /// # Errors
    /// When the root cannot be opened, or nothing there names the node.
    pub(super) fn look(root: &'a Path, listed: &[Listed], named: &[SnapshotId]) -> Result<Self> {
        if !host::is_rke2(root) {
            return Ok(Self::unasked(root));
        }
        let host::Node { mut name, doubt } = host::likely_node(root)?;
        let mut warnings = Vec::new();
        if let Some(doubt) = doubt {
            let headers =
                listed.iter().filter(|l| named.contains(&l.id)).filter_map(|l| l.header.as_ref().ok());
            let nodes =
                headers.filter(|header| header.set == Set::Host).filter_map(|header| header.node.as_ref());
            let nodes: Vec<&String> = nodes.collect();
            let otherwise = match nodes[..] {
                [only] if *only != name => {
                    let seems = std::mem::replace(&mut name, only.clone());
                    format!(", as the snapshot that was named, although by its files it may be {seems}")
                }
                _ => String::new(),
            };
            warnings.push(format!("this node is taken for {name}{otherwise}: {doubt}"));
        }
        Ok(Self { root, node: Some(name), warnings })
    }

    /// Refuses to go on with a run whose files are of another node than this.
    ///
    /// # Errors
    /// Usage, with the names of both.
    pub(super) fn began_here(&self, listed: &[Listed], named: &[SnapshotId]) -> Result<()> {
        let headers = listed.iter().filter(|l| named.contains(&l.id)).filter_map(|l| l.header.as_ref().ok());
        let mut nodes =
            headers.filter(|header| header.set == Set::Host).filter_map(|header| header.node.as_deref());
        let Some(began) = nodes.next().filter(|began| Some(*began) != self.node.as_deref()) else {
            return Ok(());
        };
        let root = self.root.display();
        let error = Error::usage(format!("the run began on node {began} and restores that node's files"));
        Err(match &self.node {
            Some(here) => error.why(format!("the files below {root} are of node {here}")),
            None => error.why(format!("the files below {root} are no RKE2 server's")),
        }
        .hint(format!("name where the files of {began} are: --host-root DIR; or go on there")))
    }

    /// What is not done where there is no node.
    pub(super) fn passed_over(&self) -> Option<NotDone> {
        let root = self.root.display();
        self.node.is_none().then(|| NotDone {
            what: format!(
                "files of the node: {root} is no RKE2 server's, so none are restored from here; name where a server's are \
                 with --host-root DIR, and where they are all lost, make its folder first: mkdir -p /etc/rancher/rke2"
            ),
            node: None,
            command: None,
        })
    }

    /// Reads the node's files into a capture; `stored` is what the source has, `differs` keeps contents.
    pub(super) fn read(
        &self,
        stored: &dyn Fn(&str) -> bool,
        differs: &dyn Fn(&IndexEntry) -> bool,
        live: &mut Capture,
    ) -> Result<()> {
        let Some(node) = &self.node else { return Ok(()) };
        let host::HostCapture { items, failures, links, folders } = host::capture(self.root, node)?;
        let files = items.into_iter().map(|item| {
            let entry = IndexEntry::of(&item);
            let content = differs(&entry).then_some(item.content);
            Captured { entry, content, seen: Precondition::default(), managed_by: None }
        });
        let files: Vec<Captured> = files.collect();
        live.items.splice(0..0, files); // component `host` is the first
        // Links are the distributions' own; only one in the place of a file of the source is in the way.
        let in_the_way = links.into_iter().map(|link| link.unread).filter(|link| stored(&link.path));
        let unread = failures.into_iter().chain(in_the_way);
        live.failures.extend(unread.map(|host::Unread { path, why }| Failure {
            component: Component::Host,
            kind: path,
            why,
        }));
        (live.node, live.folders) = (Some(node.clone()), folders);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{ClusterIdentity, FORMAT, Occasion, SnapshotHeader, SnapshotState},
        signature::Trust,
    };

    #[test]
    fn a_run_goes_on_with_the_files_of_the_node_that_it_began_on() {
        let id: SnapshotId = "20261124T010000Z-host-n1-7f3a9c".parse().unwrap();
        let header = SnapshotHeader {
            format: FORMAT,
            id: id.clone(),
            set: Set::Host,
            node: Some("n1".into()),
            cluster: ClusterIdentity { name: "c".into(), uid: "u".into(), kubernetes: String::new() },
            captured_at: Default::default(),
            tool: "0.1.0".into(),
            state: SnapshotState::Complete,
            reasons: Vec::new(),
            bundles: Vec::new(),
            index_sha256: String::new(),
            sealed_to: vec![],
            occasion: Occasion::Backup,
            reseals: None,
        };
        let trust = Trust::Trusted("job".into());
        let (listed, named) = (
            [Listed { id: id.clone(), header: Ok(header), trust, damage: Vec::new(), unseen: Vec::new() }],
            [id],
        );
        let root = Path::new("/mnt/root");
        let on = |node: Option<&str>| {
            let machine = Machine { root, node: node.map(ToOwned::to_owned), warnings: Vec::new() };
            machine.began_here(&listed, &named)
        };
        assert!(on(Some("n1")).is_ok());
        let other = on(Some("n2")).unwrap_err();
        assert_eq!(
            other.to_string(),
            "the run began on node n1 and restores that node's files: the files below /mnt/root are of node n2"
        );
        assert!(other.hints()[0].contains("--host-root DIR"), "{other:?}");
        assert!(on(None).unwrap_err().to_string().ends_with("are no RKE2 server's"));
        assert!(Machine::unasked(root).began_here(&listed, &[]).is_ok(), "a run without files of a node");
    }
}
