//! `netdr metrics`: what a monitoring system asks of a repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use clap::Args;
use futures::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::{
    after::{CHECKED, DELIVERY, DRIFTED, RAN, WATCHED},
    context::Context,
    exit::Exit,
    interrupt,
    settings::Settings,
};
use crate::{
    Result, drill,
    metrics::{self, Known, Recovery},
    model::{Set, SnapshotHeader, SnapshotId, SnapshotState},
    repository::{
        Listed, Repository, fetch,
        s3::{Bucket, Place},
    },
    task::{Records, Watched},
};

/// How long a place outside is waited for: as long as `netdr snapshots` does.
const ANSWER: Duration = Duration::from_secs(5);

/// Print what Prometheus asks of the repository, as it is now
#[derive(Args)]
#[command(
    after_help = "They are written and pushed after every backup, replicate, prune, verify, drift, restore, undo and check, and \
                  after looks of watch, where `metrics` of the configuration says where to."
)]
pub(super) struct Metrics {}

impl Metrics {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let cluster = cluster(cx, &settings, Some(&repository));
        let text =
            interrupt::run(&|| "nothing was changed".into(), text(cx, &settings, &repository, &cluster))?;
        cx.terminal.answer(&json!({"metrics": text}), || text.clone())?;
        Ok(Exit::Done)
    }
}

/// The cluster that this installation is of: as configured, else that of the newest snapshot.
pub(super) fn cluster(cx: &Context, settings: &Settings, repository: Option<&Repository>) -> String {
    let newest = || {
        let listed = repository?.list(&settings.trusted().ok()?, cx.now).ok()?;
        let trusted = listed.into_iter().rev().filter(|one| one.trust.is_trusted());
        trusted.filter_map(|one| Some(one.header.ok()?.cluster.name)).next()
    };
    settings.config.cluster_name.clone().or_else(newest).unwrap_or_else(|| "unnamed cluster".into())
}

/// The text.
pub(super) async fn text(
    cx: &Context,
    settings: &Settings,
    repository: &Repository,
    cluster: &str,
) -> Result<String> {
    let (now, trusted) = (Utc::now(), settings.trusted()?);
    let listed = repository.list(&trusted, now)?;
    let places = places(&settings.config.replicas).await;
    let records = Records::of(repository, cluster);
    let tasks: Vec<_> = records.read(RAN)?.into_values().collect();
    let checks: Vec<_> = records.read(CHECKED)?.into_values().collect();
    let drifted: Vec<_> = records.read(DRIFTED)?.into_values().collect();
    let deliveries: Vec<_> = records.read(DELIVERY)?.into_values().collect();
    let watched = records.read(WATCHED)?.into_values().find(|watched: &Watched| !watched.attended);
    let known = Known {
        cluster,
        listed: Some(&listed),
        retention: settings.config.retention,
        places: &places,
        certificates: &certificates(cx, settings, repository, &listed, cluster),
        recoveries: &Recovery::all(&repository.reports()),
        drills: &drill::drills(&repository.reports(), &trusted, now)?.signed,
        tasks: &tasks,
        checks: &checks,
        drifted: &drifted,
        deliveries: &deliveries,
        watched: watched.as_ref(),
    };
    Ok(metrics::of(&known, now))
}

/// What is whole in each place, as far as it answers in time.
async fn places(places: &[Place]) -> Vec<(String, Option<BTreeSet<SnapshotId>>)> {
    let ask = async |place: &Place| {
        let whole =
            async { Ok::<_, crate::Error>(fetch::whole(&Bucket::open(place).await?.stored().await?)) };
        let whole = timeout(ANSWER, whole).await.ok().and_then(Result::ok);
        (place.name.clone(), whole.map(BTreeSet::from_iter))
    };
    join_all(places.iter().map(ask)).await
}

/// Until when certificates are valid, as the index of the newest complete snapshot of them says.
fn certificates(
    cx: &Context,
    settings: &Settings,
    repository: &Repository,
    listed: &[Listed],
    cluster: &str,
) -> BTreeMap<String, DateTime<Utc>> {
    let is_it = |header: &&SnapshotHeader| {
        let complete = header.state == SnapshotState::Complete;
        header.set == Set::Certificates && complete && header.cluster.name == cluster
    };
    let trusted = listed.iter().rev().filter(|one| one.trust.is_trusted());
    let newest = trusted.filter_map(|one| one.header.as_ref().ok()).find(is_it);
    let Some(header) = newest.filter(|_| settings.index_key.is_some()) else { return BTreeMap::new() };
    match settings.index_key().and_then(|key| repository.index(header, &key)) {
        Ok(index) => index.facts.certificates,
        Err(error) => {
            cx.terminal.warn(format!("no metrics of certificates: {error}"));
            BTreeMap::new()
        }
    }
}
