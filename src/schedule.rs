//! The schedules of an installation: CronJobs and what watches, each under a service account that may do what its verb does and no more.
//!
//! In: what a configuration adds to the catalog, and how many servers there are. Out: files of Kubernetes objects, which
//! `kubectl apply -k` takes. Invariant: pure; what a job may read follows from the catalog and the lists of the
//! checks, so that they cannot drift apart, and no job that backs up may write anything to the cluster.

mod namespaces;
mod pod;
mod rights;

use serde_json::{Value, json};

use crate::{
    Result,
    catalog::ExtraKind,
    check::{self, Source},
    model::Set,
    yaml,
};
use rights::Right;

/// Where they are installed.
const NAMESPACE: &str = "netdr";
/// What the objects carry, so that they can be found and removed together.
const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "netdr");

/// One schedule.
struct Job {
    name: &'static str,
    /// Cron, in UTC.
    schedule: &'static str,
    /// What `netdr` is called with.
    args: &'static [&'static str],
    /// What it reads of the cluster.
    reads: Reads,
    /// What it may do besides.
    also: &'static [Right],
    /// Seconds that it may take.
    deadline_s: u64,
    /// Of use only where the configuration has something for it.
    suspended: bool,
}

/// What a job reads of the cluster.
#[derive(Clone, Copy)]
enum Reads {
    /// It never asks the API server.
    Nothing,
    /// The same; it works in a place outside, under credentials of its own.
    Place,
    /// What the catalog names of a set.
    Set(Set),
    /// The same of these.
    Sets(&'static [Set]),
    /// The same of these, followed.
    Followed(&'static [Set]),
    /// What a check lists; it needs neither keys nor repository.
    Check(fn() -> Vec<Source>),
    /// Nothing: a check of what the repository and its places hold, which writes to neither.
    Repository,
}

impl Reads {
    /// Whether it ever asks the API server.
    const fn is_of_cluster(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Place | Self::Repository)
    }
}

/// A night, in order: each begins when the one before is done, as a rule; those that meet wait for each other's lock. Drift
/// comes first: after the backup nothing would differ any more. Then the routine checks of the operations guide, at its
/// intervals.
const JOBS: [Job; 13] = [
    Job {
        name: "netdr-drift",
        schedule: "15 0 * * *",
        args: &["drift", "--set", "network", "--set", "certificates"],
        reads: Reads::Sets(&[Set::Network, Set::Certificates]),
        also: rights::ISSUED,
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-drift-host",
        schedule: "20 0 * * *",
        args: &["drift", "--set", "host", "--host-root", pod::HOST_ROOT],
        reads: Reads::Set(Set::Host),
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-host",
        schedule: "45 0 * * *",
        args: &["backup", "--set", "host", "--host-root", pod::HOST_ROOT],
        reads: Reads::Set(Set::Host),
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-network",
        schedule: "0 1 * * *",
        args: &["backup", "--set", "network"],
        reads: Reads::Set(Set::Network),
        also: &[],
        deadline_s: 1_500,
        suspended: false,
    },
    Job {
        name: "netdr-certificates",
        schedule: "30 1 * * *",
        args: &["backup", "--set", "certificates"],
        reads: Reads::Set(Set::Certificates),
        also: &[],
        deadline_s: 1_500,
        suspended: false,
    },
    // A backup copies what it made; this copies what a place would not take then.
    Job {
        name: "netdr-replicate",
        schedule: "0 2 * * *",
        args: &["replicate"],
        reads: Reads::Nothing,
        also: &[],
        deadline_s: 3_000,
        suspended: true,
    },
    Job {
        name: "netdr-prune",
        schedule: "30 3 * * *",
        args: &["prune"],
        reads: Reads::Nothing,
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    // When the night is over: one that failed is 26 hours old by now.
    Job {
        name: "netdr-recoverability-check",
        schedule: "30 4 * * *",
        args: &["check", "recoverability"],
        reads: Reads::Repository,
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    // Before anybody is at work: what leads nowhere now is what users would find.
    Job {
        name: "netdr-ingress-check",
        schedule: "0 5 * * *",
        args: &["check", "ingress"],
        reads: Reads::Check(check::ingress::sources),
        also: rights::ASKS,
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-certificate-check",
        schedule: "0 6 1 * *", // monthly
        args: &["check", "certificates"],
        reads: Reads::Check(|| check::certificates::SOURCES.to_vec()),
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-policy-audit",
        schedule: "30 6 1 1,4,7,10 *", // quarterly
        args: &["check", "policies"],
        reads: Reads::Check(|| check::policies::SOURCES.to_vec()),
        also: &[],
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-cni-check",
        schedule: "0 6 * * 1", // weekly
        args: &["check", "cni"],
        reads: Reads::Check(|| check::cni::SOURCES.to_vec()),
        also: rights::PROBES,
        deadline_s: 900,
        suspended: false,
    },
    Job {
        name: "netdr-failover-test",
        schedule: "0 5 1 1,7 *", // semi-annually, once somebody has given it the right to
        args: &["check", "loadbalancer", "--failover", "--yes"],
        reads: Reads::Check(|| check::loadbalancer::SOURCES.to_vec()),
        also: rights::LOOKS,
        deadline_s: 900,
        suspended: true,
    },
];

/// What deletes in places outside: with rights that a cluster had better not have, so it is installed by itself.
const PRUNE_S3: Job = Job {
    name: "netdr-prune-s3",
    schedule: "45 3 * * *",
    args: &["prune", "--place", "s3"],
    reads: Reads::Place,
    also: &[],
    deadline_s: 900,
    suspended: false,
};

/// What follows changes, where somebody wants that: as it is installed, no pod of it runs.
const WATCH: Job = Job {
    name: "netdr-watch",
    schedule: "",
    args: &["watch"],
    reads: Reads::Followed(&[Set::Network, Set::Certificates]),
    also: &[],
    deadline_s: 0,
    suspended: true,
};

/// A file of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// YAML documents.
    pub text: String,
}

/// The files of an installation on a cluster with so many `servers` (control-plane nodes), whose configuration captures
/// the `extra` kinds besides the catalog's.
///
/// # Errors
/// When an object cannot be written as YAML, which none is known to do.
pub fn render(servers: u32, extra: &[ExtraKind]) -> Result<Vec<File>> {
    let mut files = vec![
        File::of("namespace", &namespaces::jobs())?,
        File::of("probe-namespace", &namespaces::probes())?,
    ];
    for job in &JOBS {
        let mut objects = rights::objects(job, extra);
        objects.push(pod::cron_job(job, servers));
        files.push(File::of(job.name.trim_start_matches("netdr-"), &objects)?);
    }
    let mut objects = rights::objects(&WATCH, extra);
    objects.push(pod::deployment(&WATCH));
    files.push(File::of("watch", &objects)?);
    let resources: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": resources});
    files.push(File::of("kustomization", &[kustomization])?);
    // Not among the resources: whoever wants the test applies it, where MetalLB's namespace is.
    files.push(File::of("failover-rights", &rights::failover())?);
    // Nor is this: schedules/kustomization.yaml names it where somebody wants it.
    let mut objects = rights::objects(&PRUNE_S3, extra);
    objects.push(pod::cron_job(&PRUNE_S3, servers));
    files.push(File::of("prune-s3", &objects)?);
    Ok(files)
}

impl File {
    fn of(name: &str, objects: &[Value]) -> Result<Self> {
        let mut text = "# Made by `netdr schedule render`: change it there, not here.\n".to_owned();
        for (number, object) in objects.iter().enumerate() {
            text += if number > 0 { "---\n" } else { "" };
            text += &yaml::write(object)?;
        }
        Ok(Self { name: format!("{name}.yaml"), text })
    }
}

/// What every object of a job begins with.
fn metadata(name: &str) -> Value {
    json!({"name": name, "namespace": NAMESPACE, "labels": {PART_OF.0: PART_OF.1, "app.kubernetes.io/name": name}})
}

#[cfg(test)]
mod tests;
