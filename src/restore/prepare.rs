//! Preparing a restore: from what was asked to a resolved plan that a person can say yes to.
//!
//! In: an authored plan, a repository, a cluster, when the incident began. Out: a [`Prepared`] restore.
//! Invariant: nothing is changed, on the cluster or on disk; of the live objects only those that differ are kept, and
//! of the snapshot only those that differ are opened.

mod again;
mod parts;
mod reads;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    time::Instant,
};

use chrono::{DateTime, Utc};

use super::{
    authored,
    journal::Asked,
    machine::Machine,
    observe::observe,
    prepared::{Origin, Part, Prepared, Restoring},
    sources::{self, Chosen, Reading, Sources},
    surroundings::{dangling, is_route, nodes},
    versions,
};
use crate::{
    Error, Result,
    capture::{self, Capture, Scope},
    catalog,
    certificates::{self, Observed},
    cluster::Cluster,
    gitops,
    model::{Class, ClusterIdentity, Component, Extent, IndexEntry, Item, ItemKey, RunId, Set},
    plan::{
        Action, AuthoredValues, CommandLine, Earlier, Inputs, Isolation, NotDone, Probe, ResolvedPlan,
        RestorePlan, resolve,
    },
    report::Phase,
    repository::{Listed, Repository},
    seal::Identities,
    signature::TrustedSigners,
};

/// What is asked for.
pub struct Request<'a> {
    /// The authored plan.
    pub plan: RestorePlan,
    /// Its YAML, for the journal.
    pub plan_text: String,
    /// How it was named, for commands that are shown: `--scenario NAME`, `--plan FILE`.
    pub plan_flag: String,
    /// Where the snapshots are.
    pub repository: &'a Repository,
    /// Whose snapshots may be restored.
    pub trusted: &'a TrustedSigners,
    /// Opens them.
    pub identities: &'a Identities,
    /// What is restored.
    pub cluster: &'a Cluster,
    /// The flags of this call, for commands that are shown.
    pub command_line: CommandLine,
    /// Its configured name; the kubeconfig's where none.
    pub cluster_name: Option<&'a str>,
    /// Below which the files of this machine are.
    pub host_root: &'a Path,
    /// `--from-cluster`: restore another cluster's snapshot onto this one.
    pub from_cluster: Option<&'a str>,
    /// Whether that is so by intent, as in a drill, so that nobody need be told.
    pub elsewhere: bool,
    /// `--from`, `--snapshot`.
    pub from: Chosen,
    /// Where people author the values of releases, at the newest commit: compared with what comes back.
    pub values: gitops::Wanted,
    /// Excluded namespaces, extra kinds and Helm releases, as captures have them; its components are the plan's.
    pub scope: Scope,
    /// What stays as it is, whatever the plan says.
    pub spared: BTreeSet<ItemKey>,
    /// `--keep-extras`.
    pub keep_extras: bool,
    /// `--policy-order`.
    pub isolation: Option<Isolation>,
    /// `--allow-run`.
    pub allow_run: bool,
    /// What earlier processes of the run did.
    pub earlier: Earlier,
    /// When the incident began.
    pub incident_start: DateTime<Utc>,
    /// When the command began.
    pub now: DateTime<Utc>,
    /// The run's id.
    pub run: RunId,
    /// In how many processes the run was at work before this one.
    pub sessions: usize,
}

/// Chooses and opens the source, looks at the cluster, and resolves.
///
/// # Errors
/// When no snapshot qualifies, one that was named is untrusted or of another cluster, no identity opens it, or the
/// cluster cannot be reached.
pub async fn prepare(mut request: Request<'_>) -> Result<Prepared<'_>> {
    let began = Instant::now();
    let components = request.plan.components();
    let listed = match &request.from {
        Chosen::Snapshots(_) => request.repository.list(request.trusted, request.now)?,
        Chosen::Git(_) | Chosen::Velero { .. } => Vec::new(),
    };
    let sealed_anew = request.from.follow(&listed);
    let named = request.from.snapshots();
    if let Some(gone) = named.iter().find(|id| request.sessions > 0 && listed.iter().all(|l| l.id != **id)) {
        return Err(request.gone(gone));
    }
    let snapshots = matches!(request.from, Chosen::Snapshots(_));
    let machine = match snapshots && components.contains(&Component::Host) {
        true => Machine::look(request.host_root, &listed, named)?,
        false => Machine::unasked(request.host_root),
    };
    if request.sessions > 0 {
        machine.began_here(&listed, named)?;
    }
    // The node's files may be why the API server does not answer: they come first then, and the rest when it does.
    let may_be_first = snapshots && request.plan.without_cluster() > 0;
    let first = may_be_first && machine.node.is_some();
    let silent = if first { request.cluster.answers().await.err() } else { None };
    let cluster = match silent {
        None => match request.cluster.identity(request.cluster_name).await {
            Err(error) if may_be_first && !first && request.cluster.answers().await.is_err() => {
                return Err(error.hint(
                    "a server node's files can come first: run it there, or name where they are: --host-root DIR",
                ));
            }
            identity => identity?,
        },
        Some(_) => ClusterIdentity {
            name: request.cluster_name.unwrap_or(request.cluster.name()).to_owned(),
            uid: String::new(),
            kubernetes: String::new(),
        },
    };
    let sources = request.sources(&listed, &machine, &cluster, &components).await;
    let mut sources = sources.map_err(|error| match &silent {
        Some(why) => error
            .why(format!("the API server at {} does not answer: {why}", request.cluster.server()))
            .why("so this node's files, which may be the cause, come first, from a snapshot of set host")
            .hint("without one, bring the API server up first; see on this node: journalctl -u rke2-server"),
        None => error,
    })?;
    sources.warnings.extend(sealed_anew);
    if components.contains(&Component::Host) {
        sources.warnings.extend(machine.warnings.iter().cloned());
        let not_done = if snapshots { machine.passed_over() } else { Some(elsewhere()) };
        sources.not_done.extend(not_done.filter(|_| !sources.absent.contains(&Set::Host)));
    }
    if let Some(why) = &silent
        && sources.headers.iter().all(|header| header.set != Set::Host)
    {
        return Err(Error::failed(format!(
            "the API server at {} does not answer: {why}",
            request.cluster.server()
        ))
        .why("and of this node's files, which may be the cause, there is no snapshot that could be restored")
        .hint("see on this node: journalctl -u rke2-server"));
    }
    sources.leave_out(&request.scope.exclude_namespaces, &request.spared);
    let authored = authored::values(&request).await;
    let opened = began.elapsed().as_secs_f64();
    let (target, run, sessions) = (request.cluster, request.run.clone(), request.sessions);
    let (incident_start, now) = (request.incident_start, request.now);
    let from = Restoring { request, sources, authored, machine };
    let part = if silent.is_some() { Part::First } else { Part::All };
    let mut plan = from.plan(&cluster, part, now).await?;
    plan.warnings.splice(0..0, from.sources.warnings.iter().cloned());
    if let Some(why) = &silent {
        plan.later = from.request.part(Part::Rest).steps.into_iter().map(|step| step.id).collect();
        let server = target.server();
        plan.warnings
            .insert(0, format!("the API server at {server} does not answer: {why}; this node comes first"));
    }
    let planned = began.elapsed().as_secs_f64() - opened;
    let phases = vec![Phase { name: "open", seconds: opened }, Phase { name: "plan", seconds: planned }];
    let origin = Origin::Source(Box::new(from));
    let offline = silent.is_some();
    Ok(Prepared { plan, cluster, target, run, incident_start, now, sessions, part, offline, origin, phases })
}

impl Request<'_> {
    /// Chooses and opens the source.
    async fn sources(
        &self,
        listed: &[Listed],
        machine: &Machine<'_>,
        cluster: &ClusterIdentity,
        components: &BTreeSet<Component>,
    ) -> Result<Sources> {
        match &self.from {
            Chosen::Snapshots(ids) => {
                let asked = sources::Asked {
                    ids,
                    anew: &self.anew(),
                    command_line: &self.command_line,
                    node: machine.node.as_deref(),
                    components,
                    cluster,
                    from_cluster: self.from_cluster,
                    elsewhere: self.elsewhere,
                    before: self.incident_start,
                    now: self.now,
                };
                Sources::open(self.repository, listed, self.identities, &asked)
            }
            Chosen::Git(git) => {
                let mut known = self.repository.git_seen();
                known.retain(|seen| seen.cluster == cluster.name);
                let reading = Reading {
                    trusted: self.trusted,
                    cluster: self.cluster,
                    extra: &self.scope.extra,
                    known: Some(&known),
                    incident_start: self.incident_start,
                    now: self.now,
                };
                Sources::of_git(git, &reading, components).await
            }
            Chosen::Velero { file, sha256 } => Sources::of_velero(file, sha256.as_deref(), self, components),
        }
    }

    pub(super) fn asked(&self) -> Asked {
        Asked {
            plan: self.plan_text.clone(),
            plan_flag: Some(self.plan_flag.clone()),
            incident_start: self.incident_start,
            from_cluster: self.from_cluster.map(ToOwned::to_owned),
            keep_extras: self.keep_extras,
            isolation: self.isolation,
            allow_run: self.allow_run,
            git: match &self.from {
                Chosen::Git(git) => Some(git.clone()),
                Chosen::Snapshots(_) | Chosen::Velero { .. } => None,
            },
        }
    }

    /// Looks at the cluster and says what would have to be done: before a run, and again after it, when nothing
    /// must be left. The first part looks at no cluster.
    pub(super) async fn resolve(
        &self,
        machine: &Machine<'_>,
        sources: &Sources,
        values: &[AuthoredValues],
        cluster: &ClusterIdentity,
        part: Part,
        now: DateTime<Utc>,
    ) -> Result<ResolvedPlan> {
        let plan = self.part(part);
        let stored: HashMap<(Component, &ItemKey), &IndexEntry> =
            sources.index.entries.iter().map(|entry| ((entry.component, &entry.key), entry)).collect();
        let differs = |live: &IndexEntry| {
            stored.get(&(live.component, &live.key)).is_none_or(|stored| stored.sha256 != live.sha256)
        };
        let unlisted = |entry: &&IndexEntry| !catalog::lists_all(entry.component, &entry.key);
        let config = sources.index.entries.iter().filter(|entry| entry.class == Class::Config);
        let named = config.filter(|entry| unlisted(entry) || entry.extent == Extent::Fields);
        let also = named.map(|entry| (entry.component, entry.key.clone())).collect();
        let mut components = plan.components();
        let all = components.clone();
        let files = components.remove(&Component::Host);
        let scope = Scope { components, also, ..self.scope.clone() };
        let keep = |live: &IndexEntry| differs(live) || decides_issuance(live) || is_route(live);
        let mut live = match part {
            Part::First => Capture::default(),
            Part::All | Part::Rest => capture::capture(self.cluster, &scope, now, &keep).await?,
        };
        if files {
            let file = |path: &str| {
                stored.keys().any(|(_, key)| matches!(key, ItemKey::File { path: p, .. } if p == path))
            };
            machine.read(&file, &differs, &mut live)?;
        }
        let observed = match scope.components.contains(&Component::Certificates) {
            true => observe(self.cluster, &live.discovery, &scope.exclude_namespaces).await,
            false => Observed::default(),
        };
        let authored = sources.as_stored(self.cluster, &live).await;
        let sources = authored.as_ref().unwrap_or(sources);
        sources::all_known(sources.refused())?;
        let items = self.open(sources, &all, &live)?;
        versions::align(self.cluster, &items, &mut live).await;
        let workloads = reads::workloads(self.cluster, &live.discovery, &plan).await?;
        let installs = reads::installs(self.cluster, &live.discovery, &plan).await?;
        let routes = reads::routes(self.cluster, &live.discovery, &plan).await;
        let nodes = nodes(self.cluster, &live.discovery, &items).await;
        let dangling = dangling(self.cluster, &sources.index, &items, &live).await;
        let mut plan = resolve(Inputs {
            plan,
            source: sources.source(),
            cluster: &cluster.uid,
            index: &sources.index,
            source_complete: sources.complete(),
            items,
            live: &live,
            nodes: &nodes,
            dangling,
            authored: values,
            discovery: &live.discovery,
            observed: &observed,
            workloads,
            installs,
            routes: routes.as_deref().unwrap_or_default(),
            earlier: &self.earlier,
            allow_run: self.allow_run,
            keep_extras: self.keep_extras,
            isolation: self.isolation,
            run: self.run.as_str(),
            now,
        })?;
        if let Err(refusal) = &routes {
            plan.warnings
                .push(format!("routes could not be read, so none of their hosts is probed: {refusal}"));
        }
        plan.not_done.clone_from(&sources.not_done);
        reads::deleted(self.cluster, &live.discovery, &mut plan).await?;
        reads::webhooks(self.cluster, &live.discovery, &mut plan).await;
        plan.warnings.extend(authored.into_iter().flat_map(|authored| authored.warnings));
        Ok(plan)
    }

    /// Opens the bundles of what differs, and no others. A release is opened always: what it rendered, and in which
    /// order that comes back, stands in it alone. Where certificates are probed, routes and their Secrets are too.
    fn open(
        &self,
        sources: &Sources,
        components: &BTreeSet<Component>,
        live: &Capture,
    ) -> Result<BTreeMap<(Component, ItemKey), Item>> {
        let live: HashMap<(Component, &ItemKey), &str> =
            live.items.iter().map(|item| (item.id(), item.entry.sha256.as_str())).collect();
        let mut steps = self.plan.steps.iter();
        let served = steps.any(|step| matches!(step.action, Action::Probe(Probe::Http(_))));
        let mut wanted: BTreeMap<Component, BTreeSet<&ItemKey>> = BTreeMap::new();
        let config = sources.index.entries.iter().filter(|entry| entry.class == Class::Config);
        for entry in config.filter(|entry| components.contains(&entry.component)) {
            let same = live.get(&(entry.component, &entry.key)) == Some(&entry.sha256.as_str());
            let secret = entry.component == Component::Ingress && entry.key.is_kind("", "secrets");
            let served = served && (is_route(entry) || secret);
            if !same || served || matches!(entry.key, ItemKey::Release { .. }) {
                wanted.entry(entry.component).or_default().insert(&entry.key);
            }
        }
        if let Some(given) = &sources.given {
            return Ok(given.pick(&wanted));
        }
        let mut items = BTreeMap::new();
        for (component, keys) in wanted {
            let holder = sources.headers.iter().find(|h| h.bundles.iter().any(|b| b.component == component));
            let Some(header) = holder else { continue };
            let pick = |key: &ItemKey| keys.contains(key);
            let mut each = |item: Item| {
                items.insert((item.component, item.key.clone()), item);
                Ok(())
            };
            self.repository.items(header, &sources.index, component, self.identities, &pick, &mut each)?;
        }
        Ok(items)
    }
}

/// Files of nodes are in snapshots alone.
fn elsewhere() -> NotDone {
    NotDone {
        what: "files of nodes: only snapshots have them; restore those with --from snapshot".into(),
        node: None,
        command: None,
    }
}

/// Whether it is needed to foresee which certificates are issued anew, whether or not it differs: issuers and the Secrets
/// of certificates.
fn decides_issuance(live: &IndexEntry) -> bool {
    let ItemKey::Resource { group, plural, .. } = &live.key else { return false };
    let secret = group.is_empty() && plural == "secrets";
    live.component == Component::Certificates && (secret || group == certificates::GROUP)
}
