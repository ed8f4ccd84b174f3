//! Checks of what a cluster has: it is read once for all of them.

use clap::Args;

use crate::{
    Result,
    check::{self, Check, Reading, Source, certificates, cni, ingress, loadbalancer, policies},
    cli::{context::Context, interrupt, settings::Settings},
    cluster::{Cluster, Discovery},
};

/// How `check ingress` asks hosts.
#[derive(Args)]
pub(super) struct Ingress {
    /// Ask hosts through this node, by name or address [default: every node]
    #[arg(long, value_name = "NODE")]
    through: Option<String>,
    /// Ask hosts on this port
    #[arg(long, value_name = "PORT", default_value_t = HTTPS)]
    port: u16,
}

const HTTPS: u16 = 443;

impl Ingress {
    /// Whether it is not how a schedule asks.
    pub(super) fn is_narrowed(&self) -> bool {
        self.through.is_some() || self.port != HTTPS
    }
}

impl Default for Ingress {
    fn default() -> Self {
        Self { through: None, port: HTTPS }
    }
}

/// Subjects of what is checked here: whoever found something of one could ask the cluster.
pub(in crate::cli) const OF_CLUSTER: [&str; 5] =
    ["certificates", "cni", "ingress", "loadbalancer", "policies"];

/// What is checked.
pub(super) enum OfCluster<'a> {
    Certificates,
    /// What stands in the API server, without pods.
    Cni,
    Ingress(&'a Ingress),
    LoadBalancer,
    Policies,
}

/// Reads the cluster, and judges.
pub(super) fn checks(cx: &Context, settings: &Settings, what: &[OfCluster<'_>]) -> Result<Vec<Check>> {
    interrupt::run(&|| "nothing was changed".into(), async {
        let cluster = Cluster::connect(&settings.access()?).await?;
        let _phase = cx.terminal.phase(format!("checking {}", settings.cluster_name(&cluster)));
        let discovery = cluster.discover().await?;
        let excluded = settings.config.scope.exclude_namespaces.clone();
        let sources = what.iter().flat_map(OfCluster::sources);
        let reading = check::read(&cluster, &discovery, sources, excluded).await;
        let mut checks = Vec::new();
        for one in what {
            checks.extend(one.judge(cx, settings, &reading, &cluster, &discovery).await);
        }
        Ok(checks)
    })
}

impl OfCluster<'_> {
    fn sources(&self) -> Vec<Source> {
        match self {
            Self::Certificates => certificates::SOURCES.to_vec(),
            Self::Cni => cni::SOURCES.to_vec(),
            Self::Ingress(_) => ingress::sources(),
            Self::LoadBalancer => loadbalancer::SOURCES.to_vec(),
            Self::Policies => policies::SOURCES.to_vec(),
        }
    }

    async fn judge(
        &self,
        cx: &Context,
        settings: &Settings,
        reading: &Reading,
        cluster: &Cluster,
        discovery: &Discovery,
    ) -> Vec<Check> {
        match self {
            Self::Certificates => certificates::judge(reading, cx.now),
            Self::Ingress(Ingress { through, port }) => {
                let asked = ingress::Asked { through: through.clone(), port: *port };
                let mut checks = ingress::judge(reading, &settings.config.scope.helm_releases, cx.now);
                checks.extend(ingress::served(cluster, discovery, reading, &asked).await);
                checks
            }
            Self::Cni => cni::judge(reading),
            Self::LoadBalancer => {
                loadbalancer::judge(reading, &loadbalancer::ask(loadbalancer::addresses(reading)).await)
            }
            Self::Policies => policies::judge(reading),
        }
    }
}
