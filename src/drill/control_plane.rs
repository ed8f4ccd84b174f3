//! A real kube-apiserver and etcd on free ports, with controllers and simulated nodes where asked for.
//!
//! In: programs, and what to start. Out: a control plane that answers, and its kubeconfigs.
//! Invariant: dropped, or its process killed in any way, it is gone: processes and files.

pub(super) mod definitions;
mod flags;
mod pki;
mod process;
mod programs;

use std::{
    io::ErrorKind,
    net::TcpListener,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::Client;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::Memory;
use crate::{
    Error, Result,
    cluster::{Access, Cluster},
};
use flags::Ports;
use pki::Authority;
use process::Process;
pub use programs::Programs;

/// A start that takes longer has gone wrong; alone on two cores it takes four seconds.
const START: Duration = Duration::from_secs(120);
/// How often a condition is asked for while starting.
const POLL: Duration = Duration::from_millis(50);
/// A port found free can be taken before its program binds it.
const ATTEMPTS: usize = 4;
/// Below those that the kernel hands out (from 32768, ip(7)) and below NodePorts (from 30000).
const PORTS: Range<u16> = 20_000..30_000;
/// How many of them are tried for one that nobody listens on.
const TRIES: usize = 100;

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// kube-controller-manager and kube-scheduler.
    pub controllers: bool,
    /// kwok, which makes nodes and pods Ready without kubelets.
    pub nodes: bool,
    /// The API server's audit log, metadata level, at this path: a line is there before its request is answered.
    pub audit_log: Option<PathBuf>,
    /// Folder of CRD files to apply and wait for.
    pub crds: Option<PathBuf>,
    /// For what must leave no trace: its own folder is made in this one, which is in memory, and etcd has everything
    /// encrypted, under a key that goes with it.
    pub memory: Option<Memory>,
    /// Nobody answers webhooks, and nobody takes taints from new nodes: neither is asked for.
    pub unattended: bool,
    /// The network of Services; RKE2's default where none is named.
    pub service_cidr: Option<String>,
}

/// A running control plane. Dropped, or its process killed, it is gone with all its files.
pub struct ControlPlane {
    processes: Vec<Process>,
    server: String,
    kubeconfig: PathBuf,
    authority: Authority,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts it below a private temporary folder and waits until it is ready; `tell` hears what it waits for.
    ///
    /// # Errors
    /// When a program is missing, ends at once (with its last words), or is not ready within two minutes.
    pub async fn start(programs: &Programs, options: &Options, tell: &(dyn Fn(&str) + Sync)) -> Result<Self> {
        programs.need(&options.programs())?;
        let definitions = options.crds.clone().map(|folder| {
            // Parsing three megabytes of YAML takes as long as the API server takes to start: do both at once.
            tokio::task::spawn_blocking(move || definitions::read(&folder))
        });
        let mut attempt = 1;
        let mut plane = loop {
            tell("starting etcd and kube-apiserver");
            match Self::start_api_server(programs, options).await {
                Err(error) if attempt < ATTEMPTS && error.to_string().contains("address already in use") => {
                    attempt += 1;
                }
                started => break started?,
            }
        };
        plane.start_others(programs, options)?;
        let cluster = plane.cluster().await?;
        if let Some(definitions) = definitions {
            let definitions =
                definitions.await.map_err(|e| Error::failed("reading the CRDs broke off").because(e))??;
            tell(&format!("applying {} CustomResourceDefinitions", definitions.len()));
            definitions::apply(&cluster, &definitions).await?;
        }
        if options.controllers {
            tell("waiting for the controllers");
            plane.wait_for(&cluster, "/api/v1/namespaces/default/serviceaccounts/default").await?;
        }
        plane.check()?;
        Ok(plane)
    }

    async fn start_api_server(programs: &Programs, options: &Options) -> Result<Self> {
        let failed = |e| Error::failed("cannot prepare the folder of a control plane").because(e);
        let mut builder = tempfile::Builder::new(); // folders of it are of mode 0700
        let builder = builder.prefix("netdr-plane-");
        let folder = match &options.memory {
            Some(memory) => builder.tempdir_in(memory.path()).map_err(failed)?,
            None => builder.tempdir().map_err(failed)?,
        };
        if options.memory.is_some() {
            std::fs::write(folder.path().join(flags::ENCRYPTION), flags::encryption(rand::random()))
                .map_err(failed)?;
        }
        std::fs::write(folder.path().join(flags::AUDIT_POLICY.0), flags::AUDIT_POLICY.1).map_err(failed)?;
        std::fs::write(folder.path().join(flags::STAGES.0), flags::STAGES.1).map_err(failed)?;
        let ports =
            Ports::free().map_err(|e| Error::failed("cannot find a free port on 127.0.0.1").because(e))?;
        let authority = Authority::create(folder.path())?;
        let server = format!("https://127.0.0.1:{}", ports.api_server);
        let kubeconfig = authority.kubeconfig(&server, flags::ADMIN, Some("system:masters"))?;
        let mut plane = Self { processes: Vec::new(), server, kubeconfig, authority, folder };
        plane.spawn(programs, "etcd", flags::etcd(&ports))?;
        plane.spawn(programs, "kube-apiserver", flags::api_server(&ports, options))?;
        let cluster = plane.cluster().await?;
        plane.wait_ready(&cluster.client()).await?;
        plane.wait_for(&cluster, "/api/v1/namespaces/kube-system").await?;
        Ok(plane)
    }

    fn start_others(&mut self, programs: &Programs, options: &Options) -> Result<()> {
        if options.controllers {
            self.spawn(programs, "kube-controller-manager", flags::controller_manager())?;
            self.spawn(programs, "kube-scheduler", flags::scheduler())?;
        }
        if options.nodes {
            self.spawn(programs, "kwok", flags::kwok())?;
        }
        Ok(())
    }

    fn spawn(&mut self, programs: &Programs, name: &str, flags: Vec<String>) -> Result<()> {
        let process = Process::spawn(name, &programs.path(name), &flags, self.folder.path())?;
        self.processes.push(process);
        Ok(())
    }

    /// An error where a program has ended.
    fn check(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::check)
    }

    async fn wait_ready(&mut self, client: &Client) -> Result<()> {
        let started = Instant::now();
        loop {
            self.check()?;
            let request = http::Request::get("/readyz").body(Vec::new());
            let request = request.map_err(|e| Error::failed("cannot ask the API server").because(e))?;
            let unready = match client.request_text(request).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if started.elapsed() > START {
                let waited = START.as_secs();
                return Err(
                    Error::failed(format!("the API server is not ready after {waited} s")).because(unready)
                );
            }
            sleep(POLL).await;
        }
    }

    /// Waits until an object exists that the control plane makes for itself.
    async fn wait_for(&mut self, cluster: &Cluster, path: &str) -> Result<()> {
        let started = Instant::now();
        while cluster.get_path(path).await?.is_none() {
            self.check()?;
            if started.elapsed() > START {
                let waited = START.as_secs();
                return Err(Error::failed(format!("the control plane has not made {path} after {waited} s")));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Kills one of its programs by name, for example `kube-apiserver`; what it stored stays.
    ///
    /// # Errors
    /// When it runs none of that name.
    pub fn stop(&mut self, program: &str) -> Result<()> {
        self.process(program)?.stop()
    }

    /// Starts a program that was stopped, and waits until the API server is ready.
    ///
    /// # Errors
    /// When it runs none of that name, or the API server does not become ready.
    pub async fn start_again(&mut self, program: &str) -> Result<()> {
        self.process(program)?.start_again()?;
        let client = self.cluster().await?.client();
        self.wait_ready(&client).await
    }

    fn process(&mut self, name: &str) -> Result<&mut Process> {
        let process = self.processes.iter_mut().find(|process| process.name() == name);
        process.ok_or_else(|| Error::failed(format!("the control plane runs no {name}")))
    }

    /// Connects as its administrator.
    ///
    /// # Errors
    /// When its kubeconfig is gone.
    pub async fn cluster(&self) -> Result<Cluster> {
        Cluster::connect(&Access::Kubeconfig { path: self.kubeconfig.clone(), context: None }).await
    }

    /// Its administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// `https://127.0.0.1:port`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Its folder, gone with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A kubeconfig for another user, and the group it is in (client certificate): it may do what RBAC says.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn kubeconfig_for(&self, user: &str, group: Option<&str>) -> Result<PathBuf> {
        self.authority.kubeconfig(&self.server, user, group)
    }

    /// A kubeconfig whose client certificate has expired: it may do nothing.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn expired_kubeconfig(&self, user: &str) -> Result<PathBuf> {
        self.authority.expired_kubeconfig(&self.server, user)
    }
}

impl Drop for ControlPlane {
    /// All at once first: each would wait for the next one's answers.
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(Process::release);
    }
}

impl Options {
    fn programs(&self) -> Vec<&'static str> {
        let mut names = vec!["etcd", "kube-apiserver"];
        if self.controllers {
            names.extend(["kube-controller-manager", "kube-scheduler"]);
        }
        if self.nodes {
            names.push("kwok");
        }
        names
    }
}

impl Ports {
    /// Two ports that nobody listens on at the moment, and that nobody who asks the kernel for any port gets while a
    /// program of the plane is stopped.
    fn free() -> std::io::Result<Self> {
        let mut ports = (0..TRIES).filter_map(|_| {
            let listener = TcpListener::bind(("127.0.0.1", rand::random_range(PORTS))).ok()?;
            let port = listener.local_addr().ok()?.port();
            Some((listener, port)) // held until both are chosen, so that they differ
        });
        let (Some((_etcd, etcd)), Some((_api_server, api_server))) = (ports.next(), ports.next()) else {
            return Err(ErrorKind::AddrInUse.into());
        };
        Ok(Self { etcd, api_server })
    }
}
