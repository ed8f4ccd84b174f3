//! Where plans are drilled: on control planes of the drill's own, or on a cluster that is there to be broken.
//!
//! In: what is to be drilled, what the operator allows. Out: a place. Invariant: a cluster is a place only while its Lease is
//! held, and only if it is marked, somebody said yes, and the repository has no snapshots of it, unless that was said, too.

use chrono::Utc;

use crate::{
    Error, Kind, Result,
    cli::{context::Context, course::operator, prompt, settings::Settings},
    cluster::Cluster,
    drill::{Drilled, Memory, MemoryFolder, Programs, Rehearsal, Subject, marker},
    report::drill::{Scenario, Target},
    restore::Lease,
};

/// Where plans are drilled.
pub(super) enum Place {
    /// On control planes made of these programs.
    Sandbox(Programs),
    /// On a marked cluster.
    Cluster(Box<OnCluster>),
}

/// A marked cluster, held for the whole drill.
pub(super) struct OnCluster {
    cluster: Cluster,
    /// Keeps other drills and restores out.
    lease: Lease,
    /// What its runs keep.
    folder: MemoryFolder,
}

impl Place {
    pub(super) async fn drill(
        &self,
        rehearsal: &Rehearsal<'_>,
        drilled: &Drilled,
        memory: &Memory,
    ) -> Scenario {
        match self {
            Self::Sandbox(programs) => rehearsal.sandbox(drilled, programs, memory).await,
            Self::Cluster(on) => {
                rehearsal.on_cluster(drilled, &on.cluster, &on.lease, on.folder.path()).await
            }
        }
    }

    /// Lets others have it. What could not be given back is said.
    pub(super) async fn leave(self) -> Option<String> {
        match self {
            Self::Sandbox(_) => None,
            Self::Cluster(on) => on.lease.release().await,
        }
    }
}

/// A cluster that the operator names.
pub(super) struct Named<'a> {
    /// Its context.
    pub(super) context: &'a str,
    /// `--same-cluster`.
    pub(super) same_cluster: bool,
    /// `--yes`.
    pub(super) yes: bool,
}

impl Named<'_> {
    /// Connects to it, asks whether it may be broken, and takes its Lease.
    ///
    /// # Errors
    /// Usage: it may not be broken. When somebody declines, or another drill or restore is at work there.
    pub(super) async fn confirmed(
        &self,
        subject: &Subject,
        plans: &[Drilled],
        settings: &Settings,
        memory: &Memory,
        cx: &Context,
    ) -> Result<(Place, Target)> {
        let cluster = Cluster::connect(&settings.access()?).await?;
        let uid = cluster.identity(None).await?.uid;
        let same_cluster = subject.is_of(&uid);
        if same_cluster && !self.same_cluster {
            return Err(marker::is_the_snapshots_own(cluster.server(), &uid));
        }
        marker::marked(&cluster, &uid, &cx.again(None)).await?;
        let server = cluster.server().to_owned();
        let target = Target { context: self.context.into(), server, uid, same_cluster };
        if !self.yes && !prompt::yes(&question(&target, subject, plans))? {
            return Err(Error::new(Kind::Interrupted, "declined; nothing was changed"));
        }
        let lease = Lease::take(&cluster, &cx.run("drill"), &operator(), Utc::now).await?;
        let on = OnCluster { cluster, lease, folder: memory.folder()? };
        Ok((Place::Cluster(Box::new(on)), target))
    }
}

fn question(target: &Target, subject: &Subject, plans: &[Drilled]) -> String {
    let names: Vec<&str> = plans.iter().map(|drilled| drilled.plan.name.as_str()).collect();
    let (name, names) = (&subject.cluster.name, names.join(", "));
    let same = match target.same_cluster {
        true => {
            "its kube-system has the uid of a cluster that this repository has snapshots of: it IS that cluster, or a copy of it; and "
        }
        false => "",
    };
    format!(
        "Make {} what the snapshots of {name} have, break it and restore it, for {names}? Beware: {same}{}.",
        target.server,
        marker::CONSEQUENCE
    )
}
