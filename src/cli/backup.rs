//! `netdr backup`: one snapshot per set.

mod made;

use std::{cell::RefCell, fs::File, path::Path};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{
    choice::one_of,
    context::Context,
    exit::Exit,
    history, interrupt,
    replicate::{self, Outcome},
    settings::Settings,
};
pub(super) use made::{if_meant, problems};

use crate::{
    Error, Result,
    backup::{self, Job, Summary},
    capture::Scope,
    cluster::Cluster,
    gitops::history::{Recorded, Seen},
    host, metrics,
    model::{ClusterIdentity, Component, Occasion, Set, SnapshotId, SnapshotState},
    repository::{Listed, Repository, s3::Place},
    seal::{Identities, Recipients},
    signature::{SigningKey, Trust, TrustedSigners},
};

/// Take a snapshot of each set.
#[derive(Args)]
pub(super) struct Backup {
    /// What to capture; `all` takes `host` only on a server node
    #[arg(long, value_name = "SET", default_value = "all")]
    set: Sets,
    /// Only these components; repeatable [default: every component of the set]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Component>(Component::ALL.map(Component::name)))]
    component: Vec<Component>,
    /// Take a loss of items since the snapshot before as meant: the snapshot is complete, not shrunk
    #[arg(long)]
    accept_shrunk: bool,
}

/// What taking snapshots needs, opened once: nobody is asked twice for a passphrase.
struct Opened {
    repository: Repository,
    recipients: Recipients,
    index_key: Option<Identities>,
    signing_key: SigningKey,
    trusted: TrustedSigners,
}

impl Opened {
    fn of(settings: &Settings) -> Result<Self> {
        Ok(Self {
            repository: settings.repository()?,
            recipients: settings.recipients()?,
            index_key: match settings.lost_index_key() {
                Some(_) => None,
                None => Some(settings.index_key()?),
            },
            signing_key: settings.signing_key()?,
            trusted: settings.trusted()?,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sets {
    Network,
    Certificates,
    Host,
    All,
}

impl Backup {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let server = cx.server_node();
        let sets = self.sets(*server.as_ref().unwrap_or(&false))?;
        // That a job finds no server where it looks for one has to reach somebody, too.
        sets.iter().for_each(|set| cx.about(task(cx, *set)));
        let server = server?;
        if self.set == Sets::Host && !server {
            // An empty snapshot that calls itself complete would be found out in the disaster.
            return Err(cx.no_server());
        }
        warn_about_identities(cx, &settings);
        let made = RefCell::default();
        let work = self.take_and_replicate(cx, &settings, &sets, &made);
        let work = interrupt::run(&|| advice(&made.borrow(), sets.len()), work);
        let made = made.into_inner();
        // Whoever relies on metrics would never hear of it: nobody watches a CronJob that ends well.
        let textfile = settings.config.metrics.textfile.as_deref();
        let unmeasured = textfile.and_then(|file| metrics::can_write(file).err());
        for summary in &made {
            let problems = unmeasured
                .as_ref()
                .map_or_else(|| problems(summary), |error| made::problems_unmeasured(summary, error));
            cx.ended(&task(cx, summary.set), problems);
        }
        for summary in &made {
            cx.record.of([&summary.id]);
            cx.record.counted("items", summary.items);
            cx.record.counted("bytes", summary.bytes);
        }
        let (outcomes, committed) = work?;
        let unlisted = outcomes.is_err();
        let outcomes = outcomes.unwrap_or_else(|error| {
            cx.terminal.error(&error.hint("the snapshots here are good; to copy them: netdr replicate"));
            Vec::new()
        });
        let untrusted = warn_about_trust(cx, &settings, &made)?;
        if self.set == Sets::All && !server && self.wants(Component::Host) {
            cx.terminal
                .note("set host is passed over: this is no server node, /etc/rancher/rke2 has no files");
        }
        let lost = settings.lost_index_key();
        if let Some(lost) = &lost {
            cx.terminal.warn(format!(
                "{lost}: nothing was compared with the snapshot before, and what shrank was not found out; the indexes are \
                 sealed to the recipients alone"
            ));
        }
        let partial =
            lost.is_some() || unmeasured.is_some() || made.iter().any(|s| s.state != SnapshotState::Complete);
        made::warn(cx, &made);
        let document = json!({
            "snapshots": made, "places": replicate::document(&outcomes),
            "history": history::document(committed.as_ref()),
        });
        let trouble = Exit::Partial.when(partial || unlisted).max(Exit::Damaged.when(untrusted));
        let exit = history::report(cx, committed.as_ref()).max(report(cx, &outcomes)).max(trouble);
        cx.terminal.report(exit, &document, || {
            made::said(&made) + &replicate::said(&outcomes) + &history::said(committed.as_ref())
        })?;
        Ok(exit)
    }

    /// What was made is committed and copied, also where another set could not be taken: a disaster may be why. What older
    /// nights left uncopied is for `netdr replicate`: it may take longer than this job has. The inner error is that nothing
    /// could be copied.
    async fn take_and_replicate(
        &self,
        cx: &Context,
        settings: &Settings,
        sets: &[Set],
        made: &RefCell<Vec<Summary>>,
    ) -> Result<(Result<Vec<Outcome>>, Option<Result<Recorded>>)> {
        let opened = Opened::of(settings)?;
        let taken = self.take(cx, settings, &opened, sets, made).await;
        let seen: Vec<Seen> =
            made.borrow_mut().iter_mut().filter_map(|summary| summary.seen.take()).collect();
        let committed = {
            let _phase = history::phase(cx, settings, &seen);
            history::commit(cx, settings, &opened.signing_key, seen).await
        };
        if taken.is_err() {
            history::report(cx, committed.as_ref());
        }
        let places: Vec<&Place> = settings.config.replicas.iter().collect();
        let ids: Vec<SnapshotId> = made.borrow().iter().map(|summary| summary.id.clone()).collect();
        if places.is_empty() || ids.is_empty() {
            return taken.map(|()| (Ok(Vec::new()), committed));
        }
        let copied: Result<_> = async {
            let (repository, trusted) = (settings.repository()?, settings.trusted()?);
            let now = chrono::Utc::now();
            let listed: Vec<Listed> =
                ids.iter().map(|id| repository.get(id, &trusted, now)).collect::<Result<_>>()?;
            Ok(replicate::to(cx, &repository, &listed, &places, None).await)
        }
        .await;
        if let (Err(_), Ok(outcomes)) = (&taken, &copied) {
            report(cx, outcomes);
        }
        taken.map(|()| (copied, committed))
    }

    /// The sets to take, each with at least one component asked for.
    fn sets(&self, server: bool) -> Result<Vec<Set>> {
        let chosen = match self.set {
            Sets::Network => vec![Set::Network],
            Sets::Certificates => vec![Set::Certificates],
            Sets::Host => vec![Set::Host],
            Sets::All if server => vec![Set::Network, Set::Certificates, Set::Host],
            Sets::All => vec![Set::Network, Set::Certificates],
        };
        let wanted = |set: &Set| set.components().any(|component| self.wants(component));
        let sets: Vec<Set> = chosen.into_iter().filter(wanted).collect();
        if sets.is_empty() {
            return Err(Error::usage("no component asked for is in a set asked for")
                .hint("host is in set host, certificates in certificates, the others in network"));
        }
        Ok(sets)
    }

    async fn take(
        &self,
        cx: &Context,
        settings: &Settings,
        opened: &Opened,
        sets: &[Set],
        made: &RefCell<Vec<Summary>>,
    ) -> Result<()> {
        let Reached { cluster, identity, failed } = reach(cx, settings, sets).await?;
        for set in sets.iter().filter(|set| cluster.is_some() || **set == Set::Host) {
            let job = Job {
                repository: &opened.repository,
                recipients: &opened.recipients,
                index_key: opened.index_key.as_ref(),
                signing_key: &opened.signing_key,
                trusted: &opened.trusted,
                cluster: identity.clone(),
                now: chrono::Utc::now(),
                random: cx.random(),
                accept_shrunk: self.accept_shrunk,
                history: settings.config.git_history.is_some(),
                occasion: Occasion::Backup,
            };
            let _phase = cx.terminal.phase(format!("backing up {set} of {}", identity.name));
            let taken: Result<Summary> = async {
                match (set, &cluster) {
                    (Set::Host, _) => {
                        let root = &cx.flags.host_root;
                        backup::host(&job, &host::node_name(root)?, root).await
                    }
                    (_, Some(cluster)) => {
                        backup::cluster(&job, *set, cluster, &self.scope(settings, *set)).await
                    }
                    (_, None) => Err(Error::failed(format!("no cluster to back up {set} from"))),
                }
            }
            .await;
            let taken = taken.map_err(|error| after(&made.borrow(), error))?;
            made.borrow_mut().push(taken);
        }
        match failed {
            Some(error) if *sets != [Set::Host] => Err(after(&made.borrow(), error)),
            _ => Ok(()),
        }
    }

    fn scope(&self, settings: &Settings, set: Set) -> Scope {
        let wanted = |c: &Component| self.wants(*c);
        Scope { components: set.components().filter(wanted).collect(), ..settings.config.scope.clone() }
    }

    fn wants(&self, component: Component) -> bool {
        self.component.is_empty() || self.component.contains(&component)
    }
}

/// What a set's backup is called among tasks; each server's files are one of their own.
fn task(cx: &Context, set: Set) -> String {
    match set {
        Set::Host => format!("backup {set} {}", cx.host()),
        Set::Network | Set::Certificates => format!("backup {set}"),
    }
}

/// Says what places lack; the snapshots are good whatever it is.
fn report(cx: &Context, outcomes: &[Outcome]) -> Exit {
    replicate::report(
        cx,
        outcomes,
        &["the snapshots here are good; to copy what is missing: netdr replicate"],
    )
}

/// How to go on after an interruption.
fn advice(made: &[Summary], sets: usize) -> String {
    const AGAIN: &str = "nothing of the unfinished snapshot is kept; take it again with: netdr backup";
    const COPY: &str = "what is missing at places outside is copied by: netdr replicate";
    let ids: Vec<&str> = made.iter().map(|summary| summary.id.as_str()).collect();
    match ids.len() {
        0 => AGAIN.into(),
        n if n < sets => format!("taken: {}; {AGAIN}; {COPY}", ids.join(", ")),
        _ => format!("the snapshots are taken: {}; {COPY}", ids.join(", ")),
    }
}

/// A failure, and what is there in spite of it.
fn after(made: &[Summary], error: Error) -> Error {
    let hint = |s: &Summary| format!("snapshot {} was taken, and is {}", s.id, s.state.name());
    made.iter().map(hint).fold(error, Error::hint)
}

/// Whose state is captured.
struct Reached {
    /// None where it does not answer; then only files of the host can be saved.
    cluster: Option<Cluster>,
    identity: ClusterIdentity,
    /// Why there is none.
    failed: Option<Error>,
}

/// The cluster and its identity. Files of a host are worth saving when its API server is down, too: with
/// `cluster.name` configured, they are.
async fn reach(cx: &Context, settings: &Settings, sets: &[Set]) -> Result<Reached> {
    let host = sets.contains(&Set::Host);
    let name = settings.config.cluster_name.as_deref();
    let reached: Result<_> = async {
        let cluster = Cluster::connect(&settings.access()?).await?;
        let identity = cluster.identity(name).await?;
        Ok(Reached { cluster: Some(cluster), identity, failed: None })
    }
    .await;
    match (reached, name) {
        (Err(error), Some(name)) if host => {
            cx.terminal.warn(format!("only files of the host can be saved: {error}"));
            let identity =
                ClusterIdentity { name: name.into(), uid: String::new(), kubernetes: String::new() };
            Ok(Reached { cluster: None, identity, failed: Some(error) })
        }
        (Err(error), None) if host => {
            Err(error
                .hint("or write `cluster: {name: …}` into netdr.yaml: host files need no API server then"))
        }
        (reached, _) => reached,
    }
}

/// A job that can read an identity can open every snapshot it ever made.
fn warn_about_identities(cx: &Context, settings: &Settings) {
    let Some(folder) = settings.signing_key.as_deref().and_then(Path::parent) else { return };
    for name in ["operator.txt", "break-glass.txt"] {
        let file = folder.join(name);
        if File::open(&file).is_ok() {
            cx.terminal.warn(format!(
                "{} opens every snapshot and is still on this machine: move it away",
                file.display()
            ));
        }
    }
}

/// Nothing will use a snapshot whose signer is not trusted; that it was made must not look like a success.
fn warn_about_trust(cx: &Context, settings: &Settings, made: &[Summary]) -> Result<bool> {
    let (repository, trusted) = (settings.repository()?, settings.trusted()?);
    let mut untrusted = false;
    for summary in made {
        if let Trust::Untrusted(why) = repository.get(&summary.id, &trusted, chrono::Utc::now())?.trust {
            let id = &summary.id;
            cx.terminal.error(
                &Error::damaged(format!("{id} was taken, but restore, prune and replicate will leave it alone: {why}"))
                    .hint("the signing key is another than trusted_signers knows: add the line of its signer to that file; the snapshot is trusted then"),
            );
            untrusted = true;
        }
    }
    Ok(untrusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(set: Sets, component: &[Component], server: bool) -> Option<Vec<Set>> {
        Backup { set, component: component.to_vec(), accept_shrunk: false }.sets(server).ok()
    }

    #[test]
    fn all_takes_the_host_only_on_a_server_node() {
        assert_eq!(sets(Sets::All, &[], false), Some(vec![Set::Network, Set::Certificates]));
        assert_eq!(sets(Sets::All, &[], true), Some(Set::ALL.to_vec()));
        assert_eq!(sets(Sets::All, &[Component::Policies], true), Some(vec![Set::Network]));
        assert_eq!(sets(Sets::Host, &[Component::Policies], true), None);
    }
}
