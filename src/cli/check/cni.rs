//! `netdr check cni`: what the API server says of the CNI, and what probe pods find out.
//!
//! Invariant: whatever was started is removed, after Ctrl-C and a failure too; what a killed run left goes first.

use std::{collections::BTreeSet, time::Duration};

use clap::Args;

use super::connect;
use crate::{
    Error, Kind, Result,
    check::{
        self, Check, Status,
        cni::{self, Swept, Whose},
    },
    cli::{context::Context, interrupt, settings::Settings},
    plan::spec,
};

/// How often pods are looked at.
const POLL: Duration = Duration::from_millis(500);
/// Of which version the pods run: this one.
const IMAGE: &str = concat!("netdr:", env!("CARGO_PKG_VERSION"));
/// The subject of what is only known with pods.
const PODS: &str = "cni pods";
/// Asked in every cluster, whatever its domain is called.
const DNS_NAME: &str = "kubernetes.default.svc.cluster.local";
const TIMEOUT_S: u64 = 120;
/// A namespace that was made for the time goes with what is in it; that of an installation stays.
const REMOVE: &str = "kubectl delete namespaces -l netdr/probe=temporary; \
                      kubectl delete -n netdr-probe pods,networkpolicies -l netdr/probe=temporary";

#[derive(Args)]
pub(super) struct Cni {
    /// Run this image of netdr in the probe pods
    #[arg(long, value_name = "IMAGE", env = "NETDR_PROBE_IMAGE", hide_env_values = true, default_value = IMAGE)]
    probe_image: String,
    /// Ask the cluster's DNS for this name
    #[arg(long, value_name = "NAME", default_value = DNS_NAME)]
    dns_name: String,
    /// Give the probe pods so many seconds to start
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_S, value_parser = seconds)]
    timeout: u64,
}

/// A number of seconds, or a duration as other flags take it.
fn seconds(text: &str) -> Result<u64> {
    let given = text.parse().ok().or_else(|| Some(spec::duration(text)?.as_secs()));
    given.ok_or_else(|| {
        Error::usage("expected a number of seconds, such as 90, or a duration such as 90s or 2m")
    })
}

impl Cni {
    /// Whether it asks something else than a schedule does, or with less patience. The domain is the cluster's own, and how
    /// long an image takes to arrive, too.
    pub(super) fn is_narrowed(&self) -> bool {
        let name = DNS_NAME.trim_end_matches("cluster.local");
        !self.dns_name.starts_with(name) || self.timeout < TIMEOUT_S
    }

    pub(super) fn run(&self, cx: &Context, settings: &Settings) -> Result<Vec<Check>> {
        let run = format!("{:06x}", cx.random() & 0xff_ffff);
        let advice = || "what was started is removed now".to_owned();
        let done = interrupt::run(&advice, self.probe(cx, settings, &run));
        // Ctrl-C drops the work with its connections: what follows has its own.
        let swept = interrupt::run(&|| format!("remove what is left with: {REMOVE}"), async {
            let (cluster, discovery) = connect(settings).await?;
            Ok(cni::sweep(&cluster, &discovery, Whose::Own(&run), POLL).await)
        });
        let (mut checks, mut refused) = done.map_err(|error| with_left(error, &swept))?;
        let swept = swept.map_err(|error| error.hint(format!("remove what is left with: {REMOVE}")))?;
        refused.extend(swept.refused);
        checks.extend(left(refused).map(|check| check.apart(PODS)));
        Ok(checks)
    }

    /// The checks, and what could not be removed of what an earlier run left.
    async fn probe(
        &self,
        cx: &Context,
        settings: &Settings,
        run: &str,
    ) -> Result<(Vec<Check>, BTreeSet<String>)> {
        let (cluster, discovery) = connect(settings).await?;
        let earlier = cni::sweep(&cluster, &discovery, Whose::Earlier(run), POLL).await;
        if !earlier.removed.is_empty() {
            let names: Vec<&str> = earlier.removed.iter().map(String::as_str).collect();
            cx.terminal
                .note(format!("an earlier check was killed: what it left is removed: {}", names.join(", ")));
        }
        let _phase = cx.terminal.phase(format!(
            "checking the CNI of {} with a pod on each node",
            settings.cluster_name(&cluster)
        ));
        let excluded = settings.config.scope.exclude_namespaces.clone();
        let reading = check::read(&cluster, &discovery, cni::SOURCES, excluded).await;
        let mut checks = cni::judge(&reading);
        let probe = cni::Probe {
            cluster: &cluster,
            discovery: &discovery,
            image: &self.probe_image,
            dns_name: &self.dns_name,
            run,
            timeout: Duration::from_secs(self.timeout),
            poll: POLL,
        };
        checks.extend(probe.answers(&reading).await.judge().into_iter().map(|check| check.apart(PODS)));
        Ok((checks, earlier.refused))
    }
}

/// What could not be removed, of this run or of one before.
fn left(refused: BTreeSet<String>) -> Option<Check> {
    let none = Check::ok("cni probe pods", refused.len(), "all are removed");
    (!refused.is_empty())
        .then(|| refused.into_iter().fold(none, |check, why| check.found(Status::Warn, why, REMOVE)))
}

/// What could not be removed is said, however the check ended.
fn with_left(error: Error, swept: &Result<Swept>) -> Error {
    let remove = format!("remove what is left with: {REMOVE}");
    match swept {
        Ok(Swept { refused, .. }) if refused.is_empty() => error,
        Ok(Swept { refused, .. }) => {
            refused.iter().fold(error, |error, why| error.hint(format!("left: {why}"))).hint(remove)
        }
        // Without a cluster nothing was begun.
        Err(_) if error.kind() != Kind::Interrupted => error,
        Err(why) => error.hint(format!("what was started may be left: {why}")).hint(remove),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stops_the_check_is_told_what_is_left_of_it() {
        let told = |kind, swept| with_left(Error::new(kind, "x"), &swept).hints().join("\n");
        let left = |refused: &[&str]| {
            let refused = refused.iter().map(ToString::to_string).collect();
            Ok(Swept { refused, ..Swept::default() })
        };
        let some = || left(&["pods netdr-probe-1: 403"]);
        let words = told(Kind::Interrupted, some());
        assert!(words.contains("left: pods netdr-probe-1: 403") && words.contains(REMOVE), "{words}");
        assert!(told(Kind::Failed, some()).contains(REMOVE));
        assert_eq!(told(Kind::Interrupted, left(&[])), "");
        let unreachable = || Err(Error::failed("no API server"));
        assert!(told(Kind::Interrupted, unreachable()).contains("may be left: no API server"));
        assert_eq!(told(Kind::Failed, unreachable()), "", "nothing was begun");
    }
}
