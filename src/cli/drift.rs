//! `netdr drift`: how the live state differs from the snapshots to rely on, or from what people author in Git.

use clap::Args;
use serde_json::json;

use super::{
    against,
    compare::{Compared, Snapshot},
    context::Context,
    exit::Exit,
    interrupt,
    settings::Settings,
};
use crate::{
    Error, Result,
    cluster::Cluster,
    host,
    model::{Set, SnapshotId},
    repository::{Repository, choose},
    seal::Identities,
};

/// Compare the live state with the latest snapshots, for which the index key is enough, or with Git
#[derive(Args)]
pub(super) struct Drift {
    /// A snapshot; the `latest` of every set (of `host` only on a server node); or what people author in Git (`git.sources`)
    #[arg(long, value_name = "latest|git|ID", default_value = "latest")]
    against: Against,
}

#[derive(Clone)]
enum Against {
    Latest,
    Git,
    Snapshot(SnapshotId),
}

impl std::str::FromStr for Against {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s {
            "latest" => Ok(Self::Latest),
            "git" => Ok(Self::Git),
            id => id.parse().map(Self::Snapshot),
        }
    }
}

impl Drift {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        if matches!(self.against, Against::Git) {
            return against::git(cx, &settings);
        }
        let repository = settings.repository()?;
        let openers = settings.index_openers(&cx.terminal)?;
        let identities = settings.identities_if_named()?;
        let (compared, against) = interrupt::run(&|| "nothing was changed".into(), async {
            let cluster = Cluster::connect(&settings.access()?).await?;
            let name = settings.config.cluster_name.clone().unwrap_or_else(|| cluster.name().to_owned());
            let (yardsticks, unread) = self.yardsticks(cx, &settings, &repository, &openers, &name)?;
            let mut compared = Compared { unread, ..Compared::default() };
            for snapshot in &yardsticks {
                let _phase = cx.terminal.phase(format!("comparing {name} with {}", snapshot.header.id));
                compared.merge(if snapshot.is_of_cluster() {
                    let scope = &settings.config.scope;
                    snapshot.against_cluster(&cluster, scope, identities.as_ref(), cx).await?
                } else {
                    snapshot.against_host(identities.as_ref(), cx)?
                });
            }
            let ids: Vec<SnapshotId> = yardsticks.into_iter().map(|s| s.header.id).collect();
            Ok((compared, ids))
        })?;
        for unread in &compared.unread {
            cx.terminal.warn(format!("not read, so not compared: {unread}"));
        }
        let document = json!({"against": against, "items": compared.differences, "unread": compared.unread});
        cx.terminal.answer(&document, || compared.said())?;
        Ok(Exit::Different
            .when(!compared.differences.is_empty())
            .max(Exit::Partial.when(!compared.unread.is_empty())))
    }

    /// The snapshots to compare with, and the sets whose snapshots cannot be relied on.
    fn yardsticks<'a>(
        &self,
        cx: &Context,
        settings: &Settings,
        repository: &'a Repository,
        openers: &Identities,
        cluster: &str,
    ) -> Result<(Vec<Snapshot<'a>>, Vec<String>)> {
        if let Against::Snapshot(id) = &self.against {
            let snapshot = Snapshot::get(repository, id, settings, openers, cx)?;
            let of = &snapshot.header.cluster.name;
            if of != cluster {
                cx.terminal.warn(format!("{id} is of cluster {of}, and this is {cluster}"));
            }
            snapshot.warn(cx);
            return Ok((vec![snapshot], vec![]));
        }
        let listed = repository.list(&settings.trusted()?, cx.now)?;
        let node = cx.server_node()?.then(|| host::node_name(&cx.flags.host_root)).transpose()?;
        let mut sets = vec![(Set::Network, None), (Set::Certificates, None)];
        sets.extend(node.as_deref().map(|node| (Set::Host, Some(node))));
        let (mut yardsticks, mut missing) = (Vec::new(), Vec::new());
        for (set, node) in sets {
            match choose(&listed, cluster, set, node, &set.components().collect(), cx.now) {
                Ok(choice) => {
                    cx.passed_over(&choice.passed_over);
                    let chosen = listed.iter().find(|l| l.id == choice.header.id);
                    yardsticks.extend(chosen.map(|l| Snapshot::open(repository, l, openers)).transpose()?);
                }
                Err(none) => missing.push((set, none.to_compare())),
            }
        }
        if yardsticks.is_empty() {
            return Err(missing
                .into_iter()
                .next()
                .map_or_else(|| Error::failed("no snapshot to compare with"), |(_, error)| error));
        }
        // A set that nobody backs up is no gap in what was asked for; one whose snapshots went bad is.
        let of = |set: Set| listed.iter().filter_map(|l| l.header.as_ref().ok()).any(|h| h.set == set);
        let (unread, unused): (Vec<_>, Vec<_>) = missing.into_iter().partition(|(set, _)| of(*set));
        for (_, error) in unused {
            cx.terminal.warn(format!("not compared: {error}"));
        }
        Ok((yardsticks, unread.into_iter().map(|(_, error)| error.to_string()).collect()))
    }
}
