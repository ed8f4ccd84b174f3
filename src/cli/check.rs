//! `netdr check`: the routine checks of the operations guide.

mod cluster;
mod cni;
mod loadbalancer;
mod repository;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    after,
    context::Context,
    exit::Exit,
    settings::Settings,
    words::{count, table},
};
use crate::{
    Kind, Result,
    check::{self, Check},
    cluster::{Cluster, Discovery},
};
pub(super) use cluster::OF_CLUSTER;
use cluster::{Ingress, OfCluster};
use cni::Cni;
use loadbalancer::LoadBalancer;

/// Check what users of the cluster and a recovery of it rely on; each check ends with the command that it suggests
#[derive(Args)]
#[command(
    after_help = "Without a name: all of them. Exit code 8: at least one is not ok, or could not be made."
)]
pub(super) struct Checks {
    #[command(subcommand)]
    which: Option<Which>,
}

#[derive(Subcommand)]
enum Which {
    /// Every TLS Secret and Certificate: days left, key, Ready, renewal (monthly)
    Certificates,
    /// Canal, nodes and pod networks; with a pod on each node: do all reach each other, how long do DNS and TLS take
    /// (weekly)
    Cni(Cni),
    /// The controller's release and rollout, classes, routes that lead nowhere, what hosts serve
    Ingress(Ingress),
    /// MetalLB: rollout, pools, Services' addresses; with --failover: does another node take over (semi-annually)
    #[command(name = "loadbalancer")]
    LoadBalancer(LoadBalancer),
    /// Audit network policies: default-deny, allow-all, dead selectors, DNS, hosts' network (quarterly)
    Policies,
    /// Age of the last good snapshot of each set in each place, identities that were proved, the last good drill; asks
    /// no cluster
    Recoverability,
}

impl Which {
    /// Whether it asks less than what a schedule asks, or something else: who tries something out says nothing of how things
    /// stand.
    fn is_narrowed(&self) -> bool {
        match self {
            Self::Ingress(how) => how.is_narrowed(),
            Self::Cni(how) => how.is_narrowed(),
            Self::LoadBalancer(of) => of.is_narrowed(),
            _ => false,
        }
    }

    /// The first word of its checks' names.
    const fn subject(&self) -> &'static str {
        match self {
            Self::Certificates => "certificates",
            Self::Cni(_) => "cni",
            Self::Ingress(_) => "ingress",
            Self::LoadBalancer(_) => "loadbalancer",
            Self::Policies => "policies",
            Self::Recoverability => "recoverability",
        }
    }
}

impl Checks {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let recorded = !self.which.as_ref().is_some_and(Which::is_narrowed);
        // One that cannot be made at all has an end, too.
        if let Some(which) = self.which.as_ref().filter(|_| recorded) {
            cx.about(after::check(which.subject()));
        }
        let checks = match &self.which {
            Some(Which::Certificates) => cluster::checks(cx, &settings, &[OfCluster::Certificates])?,
            Some(Which::Cni(cni)) => cni.run(cx, &settings)?,
            Some(Which::LoadBalancer(of)) => of.run(cx, &settings)?,
            Some(Which::Ingress(how)) => cluster::checks(cx, &settings, &[OfCluster::Ingress(how)])?,
            Some(Which::Policies) => cluster::checks(cx, &settings, &[OfCluster::Policies])?,
            Some(Which::Recoverability) => repository::checks(cx, &settings)?,
            None => everything(cx, &settings)?,
        };
        if recorded {
            cx.checked(&checks);
        }
        answer(cx, &checks)
    }
}

/// All that need no pods of their own. What cannot be asked at all hides nothing of the others.
fn everything(cx: &Context, settings: &Settings) -> Result<Vec<Check>> {
    let how = Ingress::default();
    let all = [
        OfCluster::Certificates,
        OfCluster::Cni,
        OfCluster::Ingress(&how),
        OfCluster::LoadBalancer,
        OfCluster::Policies,
    ];
    let mut checks = or_unknown("cluster", REACH, cluster::checks(cx, settings, &all))?;
    checks.extend(or_unknown("recoverability", "netdr snapshots", repository::checks(cx, settings))?);
    Ok(checks)
}

async fn connect(settings: &Settings) -> Result<(Cluster, Discovery)> {
    let cluster = Cluster::connect(&settings.access()?).await?;
    let discovery = cluster.discover().await?;
    Ok((cluster, discovery))
}

/// Shows whether the API server can be reached, and as whom.
pub(super) const REACH: &str = "kubectl get --raw /readyz";

/// The checks, or one that says that there are none and why; `next` is where the error has no hint.
pub(super) fn or_unknown(of: &str, next: &str, checks: Result<Vec<Check>>) -> Result<Vec<Check>> {
    match checks {
        Err(error) if error.kind() != Kind::Interrupted => {
            let next = error.hints().first().map_or(next, String::as_str);
            Ok(vec![Check::unknown(of, error.to_string(), next)])
        }
        checks => checks,
    }
}

/// Says how checks came out: a table, and of each that is not ok why and what to do.
pub(super) fn answer(cx: &Context, checks: &[Check]) -> Result<Exit> {
    let status = check::worst(checks);
    let exit = Exit::Crossed.when(status.is_crossed());
    cx.record.counted("checks", checks.len() as u64);
    for check in checks.iter().filter(|check| check.status != check::Status::Ok) {
        cx.record.counted(check.status.name(), 1);
    }
    cx.terminal.report(exit, &json!({"status": status, "checks": checks}), || said(checks))?;
    Ok(exit)
}

fn said(checks: &[Check]) -> String {
    let value = |check: &Check| match (&check.value, unit(&check.threshold)) {
        (Value::Null, _) => "-".to_owned(),
        (Value::String(text), _) => text.clone(),
        (Value::Number(number), Some(unit)) => format!("{number} {unit}"),
        (other, _) => other.to_string(),
    };
    let row = |c: &Check| vec![c.name.clone(), c.status.name().into(), value(c), c.threshold.clone()];
    let mut text =
        table(&["check", "status", "value", "threshold"], &checks.iter().map(row).collect::<Vec<_>>());
    text += &explained(checks);
    let crossed = checks.iter().filter(|check| check.status.is_crossed()).count();
    text + &match crossed {
        0 => format!("\n{}, nothing to do\n", count(checks.len() as u64, "check")),
        n => format!("\n{}, {n} to see to\n", count(checks.len() as u64, "check")),
    }
}

/// Why checks are not ok and what to do; what several have in common, a reason or a command, stands once below them.
fn explained(checks: &[Check]) -> String {
    let mut groups: Vec<Vec<&Check>> = Vec::new();
    for check in checks.iter().filter(|check| !check.why.is_empty()) {
        let is_alike = |of: &Check| of.why == check.why || of.next.is_some() && of.next == check.next;
        match groups.iter_mut().find(|group| group.iter().all(|of| is_alike(of))) {
            Some(group) => group.push(check),
            None => groups.push(vec![check]),
        }
    }
    let mut text = String::new();
    for group in groups {
        let is_common = |why: &String| group.iter().all(|check| check.why.contains(why));
        let (mut common, mut next): (Vec<&String>, Vec<&String>) = Default::default();
        text += "\n";
        for check in &group {
            text += &format!("{}: {}\n", check.name, check.status.name());
            let (shared, own): (Vec<&String>, Vec<&String>) =
                check.why.iter().partition(|why| is_common(why));
            text.extend(own.into_iter().map(|why| format!("  {why}\n")));
            common = shared;
            next.extend(check.next.iter().filter(|command| !next.contains(command)).collect::<Vec<_>>());
        }
        text.extend(common.into_iter().map(|why| format!("  {why}\n")));
        text.extend(next.into_iter().map(|next| format!("  next: {next}\n")));
    }
    text
}

/// The unit of a threshold, which is that of a value that is a number: `days` of `warn < 14 days, alert < 7 days`.
fn unit(threshold: &str) -> Option<&str> {
    let (_, limit) = threshold.split_once(['<', '>'])?;
    let mut words = limit.split_whitespace();
    words.next().filter(|number| number.parse::<f64>().is_ok())?;
    words.next().map(|unit| unit.trim_end_matches(','))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status;

    /// As somebody does who looks for what is wrong, and as schedules do.
    #[test]
    fn who_tries_something_out_says_nothing_of_how_things_stand() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            checks: Checks,
        }
        for (words, narrowed) in [
            ("ingress", false),
            ("ingress --through n1", true),
            ("ingress --port 8443", true),
            ("loadbalancer --failover --yes", false),
            ("loadbalancer --failover --undo", true),
            ("loadbalancer --failover --service ingress/traefik --yes", true),
            ("loadbalancer --failover --within 1", true),
            ("loadbalancer --failover --within 600", true),
            ("cni", false),
            ("cni --probe-image registry.lab/netdr:0.1.0", false),
            ("cni --timeout 300", false),
            ("cni --timeout 1", true),
            ("cni --dns-name kubernetes.default.svc.lab.internal", false),
            ("cni --dns-name example.org", true),
            ("policies", false),
        ] {
            let line = <Line as clap::Parser>::parse_from(["check"].into_iter().chain(words.split(' ')));
            assert_eq!(line.checks.which.unwrap().is_narrowed(), narrowed, "{words}");
        }
    }

    #[test]
    fn what_is_not_ok_says_why_and_what_to_do() {
        let checks = [
            Check::ok("certificates secrets edge/a", 60, "warn < 14 days, alert < 7 days"),
            Check::ok("certificates secrets edge/b", 3, "warn < 14 days, alert < 7 days").found(
                Status::Alert,
                "it ends at 2026-11-29T00:00:00Z",
                "kubectl describe -n edge certificate b",
            ),
        ];
        let text = said(&checks);
        assert!(text.starts_with("CHECK                        STATUS  VALUE    THRESHOLD\n"), "{text}");
        assert!(text.contains("edge/a  ok      60 days  warn < 14 days"), "{text}");
        assert_eq!((unit("0"), unit("alert > 90"), unit("at least 1 of each set")), (None, None, None));
        assert!(
            text.contains("edge/b: alert\n  it ends at 2026-11-29T00:00:00Z\n  next: kubectl describe"),
            "{text}"
        );
        assert!(text.ends_with("2 checks, 1 to see to\n"), "{text}");
        assert!(said(&checks[..1]).ends_with("\n\n1 check, nothing to do\n"));
    }

    #[test]
    fn what_several_checks_have_in_common_is_said_once_below_them() {
        let check =
            |name: &str, why: &str, next: &str| Check::ok(name, 1, "").found(Status::Alert, why, next);
        let both = |name: &str| check(name, name, "do x").found(Status::Warn, "for both", "do z");
        assert_eq!(
            explained(&[both("a"), check("b", "why b", "do y"), both("c")]),
            "\na: alert\n  a\nc: alert\n  c\n  for both\n  next: do x\n\nb: alert\n  why b\n  next: do y\n"
        );
        assert_eq!(
            explained(&[check("a", "it is open", "look at a"), check("b", "it is open", "look at b")]),
            "\na: alert\nb: alert\n  it is open\n  next: look at a\n  next: look at b\n"
        );
    }
}
