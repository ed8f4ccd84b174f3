//! `netdr demo`: the whole story on a disposable control plane, told by the commands an operator types.
//!
//! In: the programs of a control plane. Out: a repository, reports, and a closing table.
//! Invariant: nothing but the demo's own folder and control plane is touched; what is simulated is said.

mod folder;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use clap::Args;
use serde_json::{Value, json};

use super::{context::Context, exit::Exit, global::LOG_FORMAT, interrupt, log, words};
use crate::{
    Error, Result,
    cluster::Cluster,
    drill::{
        self, ControlPlane, Options, Programs,
        failures::{break_policies, break_traefik},
    },
};
use folder::Folder;

const SIMULATED: &str =
    "nodes and their pods (kwok): a rollout here says nothing about images, ports or traffic";

/// Back up, break, restore and prove it, on a control plane of its own
#[derive(Args)]
pub(super) struct Demo {
    /// Take the programs from here [default: KUBEBUILDER_ASSETS, then target/control-plane/bin]
    #[arg(long, value_name = "DIR", env = "KUBEBUILDER_ASSETS", hide_env_values = true)]
    assets: Option<PathBuf>,
    /// Take the custom resource definitions from here
    #[arg(long, value_name = "DIR", default_value = "target/control-plane/crds")]
    crds: PathBuf,
    /// Leave repository, keys and reports here; what an earlier demo left there is replaced
    #[arg(long, value_name = "DIR", default_value = "netdr-demo")]
    out: PathBuf,
}

impl Demo {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let started = Instant::now();
        let target = PathBuf::from("target/control-plane/bin");
        let programs = Programs::find(&self.assets.clone().into_iter().chain([target]).collect::<Vec<_>>())?;
        let folder = Folder::make(&self.out)?;
        let options =
            Options { controllers: true, nodes: true, crds: Some(self.crds.clone()), ..Options::default() };
        let reports = interrupt::run(&|| "run the demo again: it begins afresh".into(), async {
            tell(cx, "A control plane of its own: kube-apiserver, etcd, controllers and scheduler are real");
            tell(cx, &format!("Simulated: {SIMULATED}"));
            let phase = cx.terminal.phase("starting the control plane");
            let plane = ControlPlane::start(&programs, &options, &|_| ()).await?;
            let cluster = plane.cluster().await?;
            drop(phase);
            let phase =
                cx.terminal.phase("loading a cluster: Canal, Traefik, MetalLB, cert-manager, policies");
            drill::cluster::load(&cluster, "demo", cx.now).await?;
            drop(phase);
            Story { cx, folder: folder.path(), kubeconfig: plane.kubeconfig() }.play(&cluster).await
        })?;
        let took = started.elapsed().as_secs_f64();
        let document = json!({
            "folder": folder.path(), "seconds": took, "simulated": [SIMULATED], "restores": reports,
        });
        let whole = reports.iter().all(|report| report["differences_left"] == 0);
        let exit = Exit::Failed.when(!whole);
        cx.terminal.report(exit, &document, || closing(&reports, folder.path(), took))?;
        Ok(exit)
    }
}

/// The acts, each a command as an operator types it.
struct Story<'a> {
    cx: &'a Context,
    folder: &'a Path,
    kubeconfig: &'a Path,
}

impl Story<'_> {
    async fn play(&self, cluster: &Cluster) -> Result<Vec<Value>> {
        self.netdr(&["init", "--repo", "repository", "--generate-keys", "keys"], &[0])?;
        tell(
            self.cx,
            "$ mv keys/operator.txt keys/break-glass.txt custody/   # here a folder, in earnest another machine",
        );
        folder::take_away(self.folder)?;
        self.netdr(&["backup", "--set", "network"], &[0])?;
        self.netdr(&["backup", "--set", "certificates"], &[0])?;
        for server in drill::cluster::NODES {
            let root = format!("hosts/{server}");
            drill::cluster::host_root(&self.folder.join(&root), server, "demo")?;
            self.netdr(&["backup", "--set", "host", "--host-root", &root], &[0])?;
        }
        self.netdr(&["snapshots"], &[0])?;

        tell(self.cx, "An incident: network policies are corrupted");
        tell_all(self.cx, &break_policies(cluster).await?);
        let policies = self.restore("network-policies")?;

        tell(self.cx, "An incident: Traefik is lost");
        tell_all(self.cx, &break_traefik(cluster).await?);
        let traefik = self.restore("traefik")?;
        Ok(vec![policies, traefik])
    }

    /// 6 is expected: a snapshot is older than an objective of 0 allows.
    fn restore(&self, scenario: &str) -> Result<Value> {
        let reports = format!("reports/{scenario}");
        let command = ["restore", "--scenario", scenario, "--identity", "custody/operator.txt", "--yes"];
        self.netdr(&[&command[..], &["--report", &reports]].concat(), &[0, 6])?;
        folder::report(&self.folder.join(reports))
    }

    /// Runs this very program as an operator would, its output where ours goes.
    fn netdr(&self, args: &[&str], expected: &[i32]) -> Result<()> {
        tell(self.cx, &format!("$ netdr {}", args.join(" ")));
        let program = std::env::current_exe()
            .map_err(|e| Error::failed("the path of this program is not known").because(e))?;
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder).stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("NETDR_"))
        {
            command.env_remove(name); // the demo's own repository and keys, never the operator's
        }
        command.env("KUBECONFIG", self.kubeconfig);
        if !log::is_text() {
            command.env(LOG_FORMAT, "json");
        }
        if self.cx.terminal.json {
            command.stdout(std::io::stderr());
        }
        let status =
            command.status().map_err(|e| Error::failed("netdr cannot be run by the demo").because(e))?;
        if status.code().is_some_and(|code| expected.contains(&code)) {
            return Ok(());
        }
        Err(Error::failed(format!("the demo's `netdr {}` ended with {status}", args.join(" ")))
            .hint(format!("see what it left in {}", self.folder.display())))
    }
}

fn tell(cx: &Context, text: &str) {
    cx.terminal.note(format!("\n{text}"));
}

fn tell_all(cx: &Context, lines: &[String]) {
    lines.iter().for_each(|line| cx.terminal.note(format!("  {line}")));
}

fn closing(reports: &[Value], folder: &Path, took: f64) -> String {
    let met = |met: &Value| if met == true { "met" } else { "missed" };
    // As a drill in a sandbox: what is only played to be ready takes no time.
    let in_time = |report: &Value| if report["rto_met"] == false { "missed" } else { "open" };
    let row = |report: &Value| {
        let seconds = |name: &str| report[name].as_f64().unwrap_or_default();
        vec![
            report["scenario"].as_str().unwrap_or_default().to_owned(),
            format!("{:.1} s", seconds("recovery_time_s")),
            format!("{:.0} min, {}", seconds("rto_s") / 60.0, in_time(report)),
            format!("{:.0} s", seconds("recovery_point_s")),
            format!("{:.0} s, {}", seconds("rpo_s"), met(&report["rpo_met"])),
            report["differences_left"].to_string(),
        ]
    };
    let head = ["scenario", "recovery time", "RTO", "recovery point", "RPO", "differences left"];
    let table = words::table(&head, &reports.iter().map(row).collect::<Vec<_>>());
    let folder = folder.display();
    format!(
        "\n{table}\n\
         Simulated: {SIMULATED}.\n\
         Readiness was simulated, so the recovery time is netdr's own: whether an RTO can be met stays open.\n\
         An RPO of 0 is missed by as much as the snapshot is old: a nightly snapshot cannot promise more.\n\n\
         repository  {folder}/repository\n\
         reports     {folder}/reports/*/*.html\n\
         The demo took {took:.0} s; its control plane is gone.\n"
    )
}
