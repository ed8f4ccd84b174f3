//! Planes: one that tests share as long as they only read, and a few at a time to throw away.

use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
};

use netdr::{
    cluster::Cluster,
    drill::{self, ControlPlane, Options, Programs},
};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::Home;

/// In every secret value of the believable cluster: where it turns up in clear, something leaks.
pub(crate) const MARKER: &str = "m4rk3r-f00";

/// Each plane keeps a core busy while it starts: more at once only wait for each other.
static SLOTS: Semaphore = Semaphore::const_new(2);
/// In the folder of the shared plane, where its API server runs.
pub(super) const AUDIT_LOG: &str = "audit.jsonl";
/// Never dropped: its watchdogs end it when the test binary ends.
static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();

/// A plane of a test's own.
pub(crate) struct Plane {
    control_plane: ControlPlane,
    _slot: SemaphorePermit<'static>,
}

impl Deref for Plane {
    type Target = ControlPlane;
    fn deref(&self) -> &ControlPlane {
        &self.control_plane
    }
}

impl DerefMut for Plane {
    fn deref_mut(&mut self) -> &mut ControlPlane {
        &mut self.control_plane
    }
}

/// The programs that `make control-plane` built, or envtest's.
pub(crate) fn programs() -> Programs {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let folders: Vec<PathBuf> = assets.into_iter().chain([built().join("bin")]).collect();
    Programs::find(&folders).unwrap_or_else(|error| panic!("{error:?}"))
}

/// `target/control-plane`.
pub(crate) fn built() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/control-plane")
}

/// The API server with every CRD.
pub(crate) fn everything() -> Options {
    Options { crds: Some(built().join("crds")), ..Options::default() }
}

/// The API server with cert-manager's CRDs alone, and with what [`super::Audit`] reads.
pub(crate) fn cert_manager() -> Options {
    Options { crds: Some(built().join("crds/cert-manager")), ..audited() }
}

/// As [`everything`], with what [`super::Audit`] reads.
pub(crate) fn audited() -> Options {
    Options { audit_log: Some(AUDIT_LOG.into()), ..everything() }
}

/// The plane for tests that only read: the believable cluster and one object of every other kind, without
/// controllers; nothing ever changes on it. User `jane` may read all but policies and Secrets.
pub(crate) async fn shared() -> &'static ControlPlane {
    SHARED
        .get_or_init(|| async {
            let plane = start(&audited()).await;
            load(&plane).await;
            let home = Home::new().with_kubeconfig(plane.kubeconfig());
            home.run("kubectl", &["create", "-f", &support("every-kind.yaml")]).await.ok();
            let pods = support("traefik-pods.yaml");
            home.run("kubectl", &["patch", "deployment/traefik", "-n", "traefik", "--patch-file", &pods])
                .await
                .ok();
            plane
        })
        .await
}

/// What was asked of the shared plane, one JSON document a line: metadata only.
pub(crate) async fn audit_log() -> PathBuf {
    shared().await.folder().join(AUDIT_LOG)
}

/// A file beside this one.
fn support(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(name).display().to_string()
}

/// A plane to do anything to, empty but for CRDs; waits for its turn.
pub(crate) async fn fresh(options: Options) -> Plane {
    let slot = SLOTS.acquire().await.unwrap();
    Plane { control_plane: start(&options).await, _slot: slot }
}

impl Plane {
    /// The believable cluster on it.
    pub(crate) async fn loaded(self) -> Self {
        load(&self).await;
        self
    }
}

async fn start(options: &Options) -> ControlPlane {
    ControlPlane::start(&programs(), options, &|_| {}).await.unwrap_or_else(|error| panic!("{error:?}"))
}

async fn load(plane: &ControlPlane) {
    let cluster: Cluster = plane.cluster().await.unwrap();
    drill::cluster::load(&cluster, MARKER, chrono::Utc::now()).await.unwrap();
}
