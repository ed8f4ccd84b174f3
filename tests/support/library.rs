//! netdr as a library, with the keys and the repository of an operator: for what no command line can time.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use netdr::{
    Result,
    backup::{self, Job, Summary},
    capture::Scope,
    cluster::Cluster,
    gitops::Wanted,
    model::{Occasion, RunId, Set, SnapshotId},
    plan::{CommandLine, Earlier, RestorePlan},
    report::RecoveryReport,
    repository::Repository,
    restore::{Chosen, Event, Past, Prepared, Request, Running, Undo, prepare, run},
    seal::{Identities, Recipients},
    signature::{SigningKey, TrustedSigners},
};

pub(crate) struct Library {
    pub(crate) repository: Repository,
    trusted: TrustedSigners,
    identities: Identities,
    recipients: Recipients,
    signing_key: SigningKey,
    keys: PathBuf,
    /// Where this machine's files are.
    pub(crate) host_root: PathBuf,
}

impl Library {
    /// What `netdr init` made in this home.
    pub(crate) fn of(home: &Path) -> Self {
        let keys = home.join("keys");
        let ask = |what: &str| panic!("asked for {what}");
        let key = |name: &str| keys.join(name);
        let recipients = std::fs::read_to_string(key("recipients.txt")).unwrap();
        Self {
            repository: Repository::open(&home.join("repo")).unwrap(),
            trusted: TrustedSigners::read(&key("trusted_signers")).unwrap(),
            identities: identities(&keys).unwrap(),
            recipients: Recipients::parse(recipients.lines(), "recipients.txt").unwrap(),
            signing_key: SigningKey::read(&key("signing"), &ask).unwrap(),
            keys,
            host_root: "/nonexistent".into(),
        }
    }

    /// A snapshot of the network that says it was captured at this time.
    pub(crate) async fn backup_at(&self, cluster: &Cluster, now: DateTime<Utc>) -> SnapshotId {
        self.backup(cluster, Set::Network, now).await.unwrap().id
    }

    /// A snapshot of a set.
    pub(crate) async fn backup(&self, cluster: &Cluster, set: Set, now: DateTime<Utc>) -> Result<Summary> {
        let job = Job {
            repository: &self.repository,
            recipients: &self.recipients,
            index_key: Some(&self.identities),
            signing_key: &self.signing_key,
            trusted: &self.trusted,
            cluster: cluster.identity(None).await?,
            now,
            random: rand::random(),
            accept_shrunk: false,
            history: false,
            occasion: Occasion::Backup,
        };
        let scope = Scope { components: set.components().collect(), ..Scope::default() };
        backup::cluster(&job, set, cluster, &scope).await
    }

    /// A restore of a scenario, up to the question.
    pub(crate) async fn prepare<'a>(&'a self, cluster: &'a Cluster, scenario: &str) -> Prepared<'a> {
        let (_, text) = RestorePlan::builtin().into_iter().find(|(name, _)| *name == scenario).unwrap();
        self.prepare_plan(cluster, scenario, text).await.unwrap()
    }

    /// A restore by a plan's text, up to the question.
    pub(crate) async fn prepare_plan<'a>(
        &'a self,
        cluster: &'a Cluster,
        scenario: &str,
        text: &str,
    ) -> Result<Prepared<'a>> {
        let now = Utc::now();
        let request = Request {
            plan: RestorePlan::parse(text, scenario).unwrap(),
            plan_text: text.into(),
            plan_flag: format!("--scenario {scenario}"),
            repository: &self.repository,
            trusted: &self.trusted,
            identities: &self.identities,
            cluster,
            command_line: CommandLine::default(),
            cluster_name: None,
            host_root: &self.host_root,
            from_cluster: None,
            elsewhere: false,
            from: Chosen::Snapshots(Vec::new()),
            values: Wanted::default(),
            scope: Scope::default(),
            spared: std::collections::BTreeSet::new(),
            keep_extras: false,
            isolation: None,
            allow_run: false,
            earlier: Earlier::default(),
            incident_start: now,
            now,
            run: RunId::new(now, scenario, rand::random()),
            sessions: 0,
        };
        prepare(request).await
    }

    /// The answer is yes.
    pub(crate) async fn run(&self, prepared: Prepared<'_>) -> RecoveryReport {
        self.run_told(prepared, &|_| {}).await.unwrap()
    }

    /// As [`Library::run`], and told what happens.
    pub(crate) async fn run_told(
        &self,
        prepared: Prepared<'_>,
        event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<RecoveryReport> {
        let folder = self.repository.run_folder(prepared.run());
        run(prepared, &Running { event, ..self.running(&folder) }).await
    }

    /// An undo of a run, from beginning to end.
    pub(crate) async fn undo(&self, cluster: &Cluster, run: &RunId) -> Result<RecoveryReport> {
        let folder = self.repository.run_folder(run);
        let past = Past::read(&folder)?;
        let identities = || identities(&self.keys);
        let now = Utc::now();
        let run = RunId::new(now, "undo", rand::random());
        let host_root = &self.host_root;
        let command_line = CommandLine::default();
        let (folder, identities) = (&folder, &identities);
        let undo = Undo { past, folder, identities, cluster, host_root, command_line, now, run };
        let prepared = undo.prepare().await?;
        self.run_told(prepared, &|_| {}).await
    }

    pub(crate) fn running<'a>(&'a self, folder: &'a Path) -> Running<'a> {
        Running {
            folder,
            recipients: &self.recipients,
            operator: "tester",
            began: Instant::now(),
            confirm_s: 0.0,
            clock: Utc::now,
            held: None,
            event: &|_| {},
            confirm: &|_| Ok(true),
            proceed: &|_| Ok(true),
            parallel: 8,
            poll: Duration::from_millis(20),
        }
    }
}

fn identities(keys: &Path) -> Result<Identities> {
    let ask = |what: &str| panic!("asked for {what}");
    Identities::read(&[keys.join("operator.txt"), keys.join("index.txt")], &ask)
}
