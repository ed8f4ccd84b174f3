//! `netdr diff`: two snapshots, or a snapshot and what is live.

use clap::Args;
use serde_json::json;

use super::{
    compare::{INTENT, Snapshot},
    context::Context,
    exit::Exit,
    interrupt,
};
use crate::{Result, cluster::Cluster, model::SnapshotId};

/// Compare two snapshots, or one with the live state.
#[derive(Args)]
pub(super) struct Diff {
    /// The state before
    #[arg(value_name = "A")]
    before: SnapshotId,
    /// The state after: a snapshot of the same set, `latest` of it, or `live`
    #[arg(value_name = "B|latest|live")]
    after: After,
}

#[derive(Clone)]
enum After {
    Snapshot(SnapshotId),
    Latest,
    Live,
}

impl std::str::FromStr for After {
    type Err = crate::Error;
    fn from_str(s: &str) -> Result<Self> {
        match s {
            "live" => Ok(Self::Live),
            "latest" => Ok(Self::Latest),
            id => id.parse().map(Self::Snapshot),
        }
    }
}

impl Diff {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let openers = settings.index_openers(&cx.terminal)?;
        let identities = settings.identities_if_named()?;
        let before = Snapshot::get(&repository, &self.before, &settings, &openers, cx)?;
        before.warn(cx);
        let other = match &self.after {
            After::Snapshot(id) => Some(id.clone()),
            After::Latest => Some(before.latest(&settings, cx)?),
            After::Live => None,
        };
        let (compared, after) = match other {
            Some(id) => {
                let after = Snapshot::get(&repository, &id, &settings, &openers, cx)?;
                after.warn(cx);
                (before.against(&after, identities.as_ref())?, id.to_string())
            }
            None if before.is_of_cluster() => {
                let compared = interrupt::run(&|| "nothing was changed".into(), async {
                    let cluster = Cluster::connect(&settings.access()?).await?;
                    let _phase = cx.terminal.phase(format!("reading {}", cluster.server()));
                    before
                        .against_cluster(&cluster, &settings.config.scope, identities.as_ref(), INTENT, cx)
                        .await
                })?;
                (compared.into(), "live".into())
            }
            None => (before.against_host(identities.as_ref(), INTENT, cx)?.into(), "live".into()),
        };
        for unread in &compared.unread {
            cx.terminal.warn(format!("not read, so not compared: {unread}"));
        }
        let document = json!({
            "before": self.before, "after": after, "items": compared.differences, "unread": compared.unread,
        });
        cx.terminal.answer(&document, || compared.said())?;
        Ok(Exit::Different
            .when(!compared.differences.is_empty())
            .max(Exit::Partial.when(!compared.unread.is_empty())))
    }
}
