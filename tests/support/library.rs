//! netdr as a library, with the keys and the repository of an operator: for what no command line can time.

use std::{path::Path, time::Duration};

use chrono::{DateTime, Utc};
use netdr::{
    backup::{self, Job},
    capture::Scope,
    cluster::Cluster,
    model::{RunId, Set, SnapshotId},
    plan::{Earlier, RestorePlan},
    report::RecoveryReport,
    repository::Repository,
    restore::{Prepared, Request, Running, prepare, run},
    seal::{Identities, Recipients},
    signature::{SigningKey, TrustedSigners},
};

pub(crate) struct Library {
    pub(crate) repository: Repository,
    trusted: TrustedSigners,
    identities: Identities,
    recipients: Recipients,
    signing_key: SigningKey,
}

impl Library {
    /// What `netdr init` made in this home.
    pub(crate) fn of(home: &Path) -> Self {
        let key = |name: &str| home.join("keys").join(name);
        let ask = |what: &str| panic!("asked for {what}");
        let recipients = std::fs::read_to_string(key("recipients.txt")).unwrap();
        Self {
            repository: Repository::open(&home.join("repo")).unwrap(),
            trusted: TrustedSigners::read(&key("trusted_signers")).unwrap(),
            identities: Identities::read(&[key("operator.txt"), key("index.txt")], &ask).unwrap(),
            recipients: Recipients::parse(recipients.lines(), "recipients.txt").unwrap(),
            signing_key: SigningKey::read(&key("signing"), &ask).unwrap(),
        }
    }

    /// A snapshot of the network that says it was captured at this time.
    pub(crate) async fn backup_at(&self, cluster: &Cluster, now: DateTime<Utc>) -> SnapshotId {
        let job = Job {
            repository: &self.repository,
            recipients: &self.recipients,
            index_key: &self.identities,
            signing_key: &self.signing_key,
            trusted: &self.trusted,
            cluster: cluster.identity(None).await.unwrap(),
            now,
            random: rand::random(),
            accept_shrunk: false,
        };
        let scope = Scope { components: Set::Network.components().collect(), ..Scope::default() };
        backup::cluster(&job, Set::Network, cluster, &scope).await.unwrap().id
    }

    /// A restore of a scenario, up to the question.
    pub(crate) async fn prepare<'a>(&'a self, cluster: &'a Cluster, scenario: &str) -> Prepared<'a> {
        let (_, text) = RestorePlan::builtin().into_iter().find(|(name, _)| *name == scenario).unwrap();
        let now = Utc::now();
        let request = Request {
            plan: RestorePlan::parse(text, scenario).unwrap(),
            plan_text: text.into(),
            repository: &self.repository,
            trusted: &self.trusted,
            identities: &self.identities,
            cluster,
            cluster_name: None,
            host_root: Path::new("/nonexistent"),
            from_cluster: None,
            snapshots: Vec::new(),
            scope: Scope::default(),
            keep_extras: false,
            isolation: None,
            allow_run: false,
            earlier: Earlier::default(),
            incident_start: now,
            now,
            run: RunId::new(now, scenario, rand::random()),
            sessions: 0,
        };
        prepare(request).await.unwrap()
    }

    /// The answer is yes.
    pub(crate) async fn run(&self, prepared: Prepared<'_>) -> RecoveryReport {
        let folder = self.repository.run_folder(prepared.run());
        run(prepared, &self.running(&folder)).await.unwrap()
    }

    pub(crate) fn running<'a>(&'a self, folder: &'a Path) -> Running<'a> {
        Running {
            folder,
            recipients: &self.recipients,
            operator: "tester",
            confirm_s: 0.0,
            clock: Utc::now,
            event: &|_| {},
            confirm: &|_| Ok(true),
            proceed: &|_| Ok(true),
            parallel: 8,
            poll: Duration::from_millis(20),
        }
    }
}
