//! `netdr check loadbalancer`: MetalLB, and with `--failover` the test that a node may fail.
//!
//! Invariant: nothing is changed before somebody said yes; a speaker that was removed is put back, after Ctrl-C and a
//! failure too, and by the next run where this one is killed.

use std::time::Duration;

use clap::Args;

use super::{
    cluster::{self, OfCluster},
    connect,
};
use crate::{
    Error, Kind, Result,
    check::{
        self, Check, Reading,
        loadbalancer::{self, Planned, TAINT},
    },
    cli::{context::Context, interrupt, prompt, settings::Settings},
};

const POLL: Duration = Duration::from_millis(500);
/// The subject of what is only known after a test.
const FAILOVER: &str = "loadbalancer failover";
const WITHIN_S: u64 = 60;
const UNDO: &str = "netdr check loadbalancer --failover --undo";

#[derive(Args)]
pub(super) struct LoadBalancer {
    /// Remove the speaker of the node that announces a Service, until another node announces it; then put it back
    #[arg(long)]
    failover: bool,
    /// Test the node that announces this Service [default: the first that is announced]
    #[arg(long, value_name = "NAMESPACE/NAME", requires = "failover")]
    service: Option<String>,
    /// Give the other node so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = WITHIN_S, requires = "failover")]
    within: u64,
    /// Only put back what a test that was killed has left
    #[arg(long, requires = "failover", conflicts_with_all = ["service", "within"])]
    undo: bool,
    /// Do not ask
    #[arg(long, requires = "failover")]
    yes: bool,
}

impl LoadBalancer {
    /// Whether nothing is checked, or it is not how a schedule tests.
    pub(super) fn is_narrowed(&self) -> bool {
        self.undo || self.service.is_some() || self.within != WITHIN_S
    }

    pub(super) fn run(&self, cx: &Context, settings: &Settings) -> Result<Vec<Check>> {
        if self.failover && !self.undo && !self.yes && !prompt::somebody() {
            return Err(Error::usage(
                "--failover asks before it removes a speaker, and there is no terminal",
            )
            .hint("look at the load balancer first: netdr check loadbalancer; then pass --yes"));
        }
        if !self.failover {
            return cluster::checks(cx, settings, &[OfCluster::LoadBalancer]);
        }
        let back = self.put_back(settings)?.map(|check| check.apart(FAILOVER));
        if self.undo {
            let nothing =
                Check::not_applicable("loadbalancer put back", "no failover test has left anything");
            return Ok(vec![back.unwrap_or(nothing)]);
        }
        if back.is_some() {
            cx.terminal.note("an earlier failover test was killed: its speaker is put back");
        }
        let (mut checks, reading) =
            interrupt::run(&|| "nothing was changed".into(), self.look(cx, settings))?;
        checks.extend(back);
        let planned = match loadbalancer::plan(&reading, self.service.as_deref()) {
            Ok(planned) => planned,
            Err(check) => {
                checks.push(check.apart(FAILOVER));
                return Ok(checks);
            }
        };
        cx.terminal.note(said(&planned, self.within));
        if !self.yes && !prompt::yes(&format!("Remove the speaker of {}?", planned.node))? {
            return Err(Error::new(Kind::Interrupted, "declined; nothing was changed"));
        }
        let advice = || "the speaker is put back now".to_owned();
        let tested = interrupt::run(&advice, async {
            let (cluster, discovery) = connect(settings).await?;
            let _phase = cx.terminal.phase(format!("removing the speaker on {}", planned.node));
            let within = Duration::from_secs(self.within);
            Ok(loadbalancer::fail_over(&cluster, &discovery, &planned, within, POLL).await)
        });
        let back = self.put_back(settings)?;
        // Stopped in the midst: what could not be put back must still be said.
        let undone = back.iter().filter(|check| check.status.is_crossed());
        let tested = tested.map_err(|error| {
            undone
                .flat_map(|check| check.why.iter().chain(&check.next))
                .fold(error, |error, why| error.hint(why))
        })?;
        checks.extend([tested].into_iter().chain(back).map(|check| check.apart(FAILOVER)));
        Ok(checks)
    }

    /// Lets speakers back, over a connection of its own: Ctrl-C drops the work with its connections.
    fn put_back(&self, settings: &Settings) -> Result<Option<Check>> {
        interrupt::run(&|| format!("put the speaker back with: {UNDO}"), async {
            let (cluster, discovery) = connect(settings).await?;
            Ok(loadbalancer::put_back(&cluster, &discovery, POLL).await)
        })
        .map_err(|error| error.hint(format!("see whether a speaker is to be put back: {UNDO}")))
    }

    async fn look(&self, cx: &Context, settings: &Settings) -> Result<(Vec<Check>, Reading)> {
        let (cluster, discovery) = connect(settings).await?;
        let _phase = cx.terminal.phase(format!("checking MetalLB of {}", settings.cluster_name(&cluster)));
        let excluded = settings.config.scope.exclude_namespaces.clone();
        let reading = check::read(&cluster, &discovery, loadbalancer::SOURCES, excluded).await;
        let asked = loadbalancer::ask(loadbalancer::addresses(&reading)).await;
        Ok((loadbalancer::judge(&reading, &asked), reading))
    }
}

fn said(planned: &Planned, within: u64) -> String {
    let Planned { node, speakers, services, .. } = planned;
    let keys: Vec<String> = services.iter().map(|service| service.key.to_string()).collect();
    format!(
        "node {node} announces {}\nIt gets taint {TAINT} (NoSchedule: no new pod starts there, none that runs ends), its pod of \
         {speakers} is deleted, and another node has {within} s to announce the same; then the taint goes and the speaker \
         comes back. Connections to these addresses break off when they move.",
        keys.join(", ")
    )
}
