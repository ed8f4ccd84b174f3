//! One restore or drill at a time on one cluster: the Lease `netdr-restore` in kube-system.
//!
//! In: a run, or a drill of several, that is about to act. Out: its turn, or an error that names who has it. Invariant: the Lease changes hands
//! only by a write that the API server lets through for the resourceVersion that was read, and a run that cannot show
//! within seconds that it still holds it does not act.
//!
//! It lasts 30 s and is renewed every 10 s by a task of its own, also while a person thinks or a gate is waited for. Whether
//! it is still ours is looked at before an act, too, where that was last known some seconds ago.

mod claim;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Mutex,
    task::{JoinHandle, block_in_place},
    time::{sleep, timeout},
};

use crate::{
    Error, Result,
    cluster::{Answer, ApiKind, Cluster, Precondition},
    model::RunId,
};
use claim::{Claim, NAME, NAMESPACE, Turn, turn};

/// How often it is renewed.
const EVERY: Duration = Duration::from_secs(10);
/// For how long an answer of the API server that it is ours is believed.
const FRESH: TimeDelta = TimeDelta::seconds(2);
/// How long giving it back may take where somebody waits for the program to end.
const MOMENT: Duration = Duration::from_millis(500);
/// How often a write is tried again that another one overtook.
const ATTEMPTS: usize = 8;

/// How sure it must be that it is ours.
#[derive(Clone, Copy)]
pub(super) enum Known {
    /// The API server is asked.
    Now,
    /// An answer of some seconds ago will do: a batch may have thousands of acts.
    Lately,
}

/// A wall clock.
pub type Clock = fn() -> DateTime<Utc>;

/// The Lease, held.
pub struct Lease {
    held: Arc<Held>,
    keeper: JoinHandle<()>,
}

struct Held {
    cluster: Cluster,
    clock: Clock,
    tenure: Mutex<Tenure>,
    given_back: AtomicBool,
}

struct Tenure {
    claim: Claim,
    seen: Precondition,
    /// Who has it now; once lost, it is not tried for again.
    lost: Option<Claim>,
}

impl Lease {
    /// Takes it for a run or a drill.
    ///
    /// # Errors
    /// When another run holds it (named, with when it ends by itself), or the API server refuses.
    pub async fn take(cluster: &Cluster, run: &RunId, operator: &str, clock: Clock) -> Result<Self> {
        let claim = Claim::new(run.as_str(), operator, clock());
        let seen = match write(cluster, &claim, false, clock).await {
            Err(refusal) => return Err(refusal.about("cannot take", &named(), cluster.server())),
            Ok(Err(other)) => return Err(busy(&other, clock())),
            Ok(Ok(seen)) => seen,
        };
        let tenure = Mutex::new(Tenure { claim, seen, lost: None });
        let given_back = AtomicBool::new(false);
        let held = Arc::new(Held { cluster: cluster.clone(), clock, tenure, given_back });
        let keeper = Arc::clone(&held);
        let keeper = tokio::spawn(async move {
            loop {
                sleep(EVERY).await;
                // What fails is tried again before the next act, and an act that may not be done is told so there.
                drop(keeper.renew(Known::Now).await);
            }
        });
        Ok(Self { held, keeper })
    }

    /// Whether the run may act.
    ///
    /// # Errors
    /// When another holds it now, or the API server does not say that it is ours.
    pub(super) async fn check(&self, known: Known) -> Result<()> {
        self.held.renew(known).await
    }

    /// Whether it was ours some seconds ago: what is about to break something asks.
    ///
    /// # Errors
    /// As of a run that may not act.
    pub(crate) async fn is_ours(&self) -> Result<()> {
        self.check(Known::Lately).await
    }

    /// Gives it back. One that cannot be given back, as with a credential that expired, ends by itself: when, is said.
    pub async fn release(self) -> Option<String> {
        let refusal = self.held.give_back().await.err()?;
        let tenure = self.held.tenure.lock().await;
        let (lease, ends, run) = (named(), time(tenure.claim.ends()), tenure.claim.run());
        let but = match tenure.claim.is_drill() {
            true => String::new(), // a drill is repeated, not resumed
            false => format!(", and netdr restore --resume {run} is not"),
        };
        Some(format!(
            "{lease} could not be given back ({refusal}): other restores are refused until {ends}{but}"
        ))
    }
}

/// A run that is interrupted gives it back, too, so that nobody has to wait for it to expire; but nobody waits for that
/// longer than a moment either.
impl Drop for Lease {
    fn drop(&mut self) {
        let given = self.held.given_back.load(Ordering::SeqCst);
        let runtime = Handle::try_current().ok();
        let threads = runtime.filter(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        if let Some(runtime) = threads.filter(|_| !given) {
            let gone = async { timeout(MOMENT, self.held.give_back()).await };
            let _ = block_in_place(|| runtime.block_on(gone));
        }
        self.keeper.abort();
    }
}

impl Held {
    async fn give_back(&self) -> Answer<()> {
        let tenure = self.tenure.lock().await; // not in the midst of a renewal
        if tenure.lost.is_some() || self.given_back.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        match self.cluster.delete(&kind(), Some(NAMESPACE), NAME, &tenure.seen).await {
            Err(refusal) if refusal.is_not_found() || refusal.is_conflict() => Ok(()), // it is not ours any more
            deleted => deleted,
        }
    }

    async fn renew(&self, known: Known) -> Result<()> {
        let mut tenure = self.tenure.lock().await;
        if self.given_back.load(Ordering::SeqCst) {
            return Ok(()); // the keeper's last look
        }
        if let Some(other) = &tenure.lost {
            return Err(lost(other, &tenure.claim));
        }
        let now = (self.clock)();
        // A clock that was set back must not make it ours for ever.
        if matches!(known, Known::Lately) && (now - tenure.claim.renewed).abs() < FRESH {
            return Ok(());
        }
        let claim = Claim { renewed: now, ..tenure.claim.clone() };
        match write(&self.cluster, &claim, true, self.clock).await {
            Err(refusal) => Err(refusal.about("cannot renew", &named(), self.cluster.server())),
            Ok(Err(other)) => {
                let error = lost(&other, &tenure.claim);
                tenure.lost = Some(other);
                Err(error)
            }
            Ok(Ok(seen)) => {
                (tenure.claim, tenure.seen) = (claim, seen);
                Ok(())
            }
        }
    }
}

/// Writes the claim where it is its turn; else whose it is.
async fn write(
    cluster: &Cluster,
    claim: &Claim,
    holds: bool,
    clock: Clock,
) -> Answer<std::result::Result<Precondition, Claim>> {
    let kind = kind();
    let mut attempt = 0;
    loop {
        let live = cluster.get(&kind, Some(NAMESPACE), NAME).await?;
        let current = live.as_ref().and_then(Claim::of);
        if let (Turn::Leave, Some(other)) = (turn(current.as_ref(), claim, holds, clock()), &current) {
            return Ok(Err(other.clone()));
        }
        let mut object = claim.object();
        let written = match &live {
            None => cluster.create(&kind, Some(NAMESPACE), object.to_string().as_bytes()).await,
            Some(live) => {
                object["metadata"] = live["metadata"].clone();
                cluster.replace(&kind, Some(NAMESPACE), NAME, object, &Precondition::of(live)).await
            }
        };
        attempt += 1;
        match written {
            // Somebody was faster, or this write went through and its answer was lost: looking again tells.
            Err(refusal) if refusal.is_conflict() && attempt < ATTEMPTS => {}
            Err(refusal) => return Err(refusal),
            Ok(()) => {
                let live = cluster.get(&kind, Some(NAMESPACE), NAME).await?.unwrap_or_default();
                return Ok(Ok(Precondition::of(&live)));
            }
        }
    }
}

fn kind() -> ApiKind {
    let text = |text: &str| text.to_owned();
    ApiKind {
        group: text("coordination.k8s.io"),
        version: text("v1"),
        kind: text("Lease"),
        plural: text("leases"),
        namespaced: true,
    }
}

fn named() -> String {
    format!("leases.coordination.k8s.io {NAMESPACE}/{NAME}")
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn busy(other: &Claim, now: DateTime<Utc>) -> Error {
    let (run, left) = (other.run(), (other.ends() - now).num_seconds().max(0) + 1);
    let expires = format!("let its Lease expire in {left} s and run the same command again");
    if other.is_drill() {
        return Error::failed(format!("a drill is at work on this cluster: {run}"))
            .why(held_by(other))
            .hint(format!("wait until it ends; if it was killed, {expires}"));
    }
    let killed = match run.contains("-undo-") {
        true => expires, // an undo is repeated, not resumed
        false => format!("go on with it: netdr restore --resume {run}, or {expires}"),
    };
    Error::failed(format!("another restore is at work on this cluster: run {run}"))
        .why(held_by(other))
        .hint(format!("wait until it ends: netdr runs show {run}; if it was killed, {killed}"))
}

fn lost(other: &Claim, mine: &Claim) -> Error {
    let error = Error::failed("another restore took over, so this one stopped before its next act");
    let run = mine.run();
    error.why(held_by(other)).hint(match other.run() == run {
        true => format!("the run goes on there: netdr runs show {run}"),
        false if other.is_drill() => "it is a drill: wait until it ends".into(),
        false => format!("wait until that run ends: netdr runs show {}", other.run()),
    })
}

fn held_by(claim: &Claim) -> String {
    let Claim { since, renewed, .. } = claim;
    let (operator, lease) = (claim.operator(), named());
    let run = claim.run();
    format!("{lease} is held by run {run} of {operator} since {}, renewed {}", time(*since), time(*renewed))
}
