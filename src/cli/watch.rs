//! `netdr watch`: a change is in a snapshot within seconds.

mod event;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use clap::Args;
use tokio::sync::watch::{Sender, channel};

use super::{
    after, backup as night,
    context::Context,
    exit::Exit,
    history, interrupt, prompt,
    prune::{self, Decided},
    settings::Settings,
};
use event::Event;

use crate::{
    Error, Kind, Result,
    backup::{self, Job, Look},
    capture::Scope,
    cluster::Cluster,
    gitops::history::Seen,
    model::{ClusterIdentity, Occasion, Set, SnapshotId, SnapshotState},
    plan::spec,
    repository::Repository,
    seal::Identities,
    signature::SigningKey,
    task::{self, Problem, Records, Watched},
    watch::{News, Watch as Followed, debounce::Debounce},
};

/// Take a snapshot of what changes, within seconds, until it is stopped; it stays local, and is thinned to a day
#[derive(Args)]
#[command(
    after_help = "Of sets network and certificates. Files of hosts are not watched: their backup is nightly. Prints a line \
                  an event; with --json a JSON object a line, the last one `stopped` or an error; with -q only what went wrong, \
                  and that it is over. Ctrl-C or SIGTERM ends it with exit code 130."
)]
pub(super) struct Watch {
    /// A change is looked at when none has followed for so long
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    settle: Duration,
    /// However many follow, a change is looked at after so long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    at_most: Duration,
    /// What only a reference or a Helm release leads to is looked at so often
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    at_least_every: Duration,
}

/// Who looks more rarely does not watch; and no clock reaches as far as a number can.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

fn duration(text: &str) -> Result<Duration> {
    let known = spec::duration(text).filter(|given| (Duration::from_secs(1)..=LONGEST).contains(given));
    known.ok_or_else(|| Error::usage("expected a duration such as 5s, 10m or 1h, and 7d at most"))
}

/// What taking a snapshot needs, opened once: a passphrase is asked for while somebody is there.
struct Maker<'a> {
    cx: &'a Context,
    settings: &'a Settings,
    repository: Repository,
    index_key: Identities,
    signing_key: SigningKey,
    cluster: Cluster,
    identity: ClusterIdentity,
    /// What Git lacks: of each set what was seen last.
    uncommitted: BTreeMap<Set, Seen>,
    /// However little changes, it looks so often.
    every: Duration,
    /// Of each set, when the last look began that read all of it, and after which all of it was in snapshots.
    saved: BTreeMap<Set, DateTime<Utc>>,
    /// Where it says when a look began that is over.
    looks: Sender<DateTime<Utc>>,
}

const SETS: [Set; 2] = [Set::Network, Set::Certificates];

impl Watch {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let watched = self.watch(cx);
        // Who stops it means it.
        if matches!(&watched, Err(error) if error.kind() == Kind::Interrupted) {
            Event::Stopped.say(&cx.terminal)?;
            return Ok(Exit::Interrupted);
        }
        // Nobody watches any more, and whoever is at a terminal sees that.
        if !prompt::somebody() {
            SETS.into_iter().for_each(|set| cx.about(after::watch(set)));
        }
        watched
    }

    fn watch(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let (index_key, signing_key) = (settings.index_key()?, settings.signing_key()?);
        // Each look reads these anew. What is wrong with them now is said now.
        settings.recipients()?;
        settings.trusted()?;
        interrupt::run(&String::new, async {
            let cluster = Cluster::connect(&settings.access()?).await?;
            let identity = cluster.identity(settings.config.cluster_name.as_deref()).await?;
            let settings = &settings;
            let (looks, over) = channel(Utc::now());
            let after = cx.after_looks(settings, identity.name.clone(), over);
            let followed = self.follow(Maker {
                cx,
                settings,
                repository,
                index_key,
                signing_key,
                cluster,
                identity,
                uncommitted: BTreeMap::new(),
                every: self.at_least_every,
                saved: BTreeMap::new(),
                looks,
            });
            // The maker ends with what follows, and what is after its looks with the maker.
            tokio::join!(followed, after).0
        })
    }

    async fn follow(&self, mut maker: Maker<'_>) -> Result<Exit> {
        let scope = maker.settings.config.scope.clone();
        let mut followed = Followed::start(maker.cluster.clone(), scope, SETS.into()).await?;
        maker.say(Event::Watching {
            targets: followed.followed(),
            settle_s: self.settle.as_secs(),
            at_least_every_s: self.at_least_every.as_secs(),
        })?;
        let now = Instant::now();
        let mut debounce = Debounce::new(self.settle, self.at_most, self.at_least_every, now);
        debounce.changed(now); // while nobody watched, if anything
        let mut debounces: BTreeMap<Set, Debounce> = SETS.map(|set| (set, debounce.clone())).into();
        loop {
            let due = debounces.values().map(Debounce::due).min().unwrap_or_else(Instant::now);
            tokio::select! {
                news = followed.news() => {
                    maker.tell(&news)?;
                    let now = Instant::now();
                    let changed = debounces.iter_mut().filter(|(set, _)| news.sets.contains(set));
                    changed.for_each(|(_, debounce)| debounce.changed(now));
                }
                () = tokio::time::sleep_until(due.into()) => {
                    let began = Instant::now();
                    let mut due: BTreeMap<Set, &mut Debounce> =
                        debounces.iter_mut().map(|(set, of)| (*set, of)).filter(|(_, of)| of.due() <= began).collect();
                    let asked = due.iter().map(|(set, debounce)| (*set, debounce.is_pending())).collect();
                    let failed = maker.look(&asked).await?;
                    for (set, debounce) in &mut due {
                        match failed.contains(set) {
                            true => debounce.failed(Instant::now()),
                            false => debounce.looked(began),
                        }
                    }
                }
            }
        }
    }
}

impl Maker<'_> {
    /// Takes a snapshot of each set in which something differs, each with whether somebody changed something; those that
    /// it could not be taken of.
    async fn look(&mut self, sets: &BTreeMap<Set, bool>) -> Result<Vec<Set>> {
        let began = Utc::now();
        let mut failed = Vec::new();
        let mut made = false;
        for (set, asked) in sets {
            let taken = self.take(*set).await;
            let problems = problems(&taken, *set);
            if is_saved(&problems) {
                self.saved.insert(*set, began);
            }
            self.cx.ended(&after::watch(*set), problems);
            match taken {
                Ok(Look::Taken { mut summary, .. }) => {
                    made = true;
                    self.cx.record.counted("snapshots", 1);
                    self.uncommitted.extend(summary.seen.take().map(|seen| (*set, seen)));
                    self.say(Event::Snapshot { summary: &summary })?;
                }
                Ok(Look::Unchanged { unread, .. }) if *asked || !unread.is_empty() => {
                    let unread = unread.iter().map(ToString::to_string).collect();
                    self.say(Event::Unchanged { set: *set, unread })?;
                }
                Ok(Look::Unchanged { .. }) => {}
                Err(error) => {
                    self.say(Event::Failed { set: *set, why: error.with_hints() })?;
                    failed.push(*set);
                }
            }
        }
        self.commit().await?;
        if made {
            self.thin()?;
        }
        self.remember(made);
        self.looks.send_replace(began);
        Ok(failed)
    }

    /// Commits to Git what it lacks, as a backup does. What it does not take now, the next look commits.
    async fn commit(&mut self) -> Result<()> {
        let seen = self.uncommitted.values().cloned().collect();
        let committed = history::commit(self.cx, self.settings, &self.signing_key, seen).await;
        history::ended(self.cx, committed.as_ref());
        match committed {
            None => Ok(()),
            Some(Err(error)) => {
                let sets = self.uncommitted.keys().copied().collect();
                self.say(Event::Uncommitted { sets, why: error.with_hints() })
            }
            Some(Ok(recorded)) => {
                self.uncommitted.clear();
                recorded.warnings.iter().for_each(|warning| self.cx.terminal.warn(warning));
                self.say(Event::Committed { recorded: &recorded })
            }
        }
    }

    async fn take(&self, set: Set) -> Result<Look> {
        // It began months ago: whom to seal to, and whom to trust, may be others now.
        let settings = Settings::read(&self.cx.flags)?;
        let (recipients, trusted) = (settings.recipients()?, settings.trusted()?);
        let job = Job {
            repository: &self.repository,
            recipients: &recipients,
            index_key: Some(&self.index_key),
            signing_key: &self.signing_key,
            trusted: &trusted,
            cluster: self.identity.clone(),
            now: Utc::now(),
            random: self.cx.random(),
            accept_shrunk: false,
            history: self.settings.config.git_history.is_some(),
            occasion: Occasion::Change,
        };
        let scope = Scope { components: set.components().collect(), ..self.settings.config.scope.clone() };
        backup::cluster_if_changed(&job, set, &self.cluster, &scope).await
    }

    /// Leaves word that it looked, and since when all is saved: `netdr doctor` believes an objective of no loss by that, and
    /// metrics say by it that nobody watches any more. Somebody at a terminal sees that: it takes no other's place there.
    fn remember(&self, took: bool) {
        let (records, attended) = (Records::of(&self.repository, &self.identity.name), prompt::somebody());
        let before = records.read::<Watched>(after::WATCHED).unwrap_or_default().into_values();
        let before = before.into_iter().find(|watched| watched.attended == attended);
        let (saved_at, taken_at) = before.map_or((None, None), |before| (before.saved_at, before.taken_at));
        let whole = SETS.iter().map(|set| self.saved.get(set).copied()).min().flatten();
        let now = Utc::now();
        let watched = Watched {
            cluster: self.identity.name.clone(),
            attended,
            looked_at: now,
            due_at: now + self.every,
            saved_at: whole.or(saved_at),
            taken_at: if took { Some(now) } else { taken_at },
        };
        let by = if attended { "at a terminal" } else { "by itself" };
        if let Err(error) = records.keep(after::WATCHED, by, &watched) {
            let terminal = &self.cx.terminal;
            terminal.warn(format!("that it looked is not kept, and netdr doctor takes it for gone: {error}"));
        }
    }

    /// Deletes of its own what no rule keeps; where somebody else has the repository, the next time does.
    fn thin(&self) -> Result<()> {
        let thinned: Result<Vec<SnapshotId>> = tokio::task::block_in_place(|| {
            let now = Utc::now();
            let Decided { listed, plan, .. } = prune::decide(&self.repository, self.settings, now)?;
            let own = |id: &SnapshotId| listed.iter().any(|one| one.id == *id && one.is_of_a_change());
            let delete: Vec<SnapshotId> = plan.delete.into_iter().filter(own).collect();
            self.repository.prune(&delete, now)
        });
        match thinned {
            Ok(snapshots) if snapshots.is_empty() => Ok(()),
            Ok(snapshots) => self.say(Event::Pruned { snapshots }),
            Err(error) => {
                self.cx.terminal.warn(format!("old snapshots stay for now: {error}"));
                Ok(())
            }
        }
    }

    fn tell(&self, news: &News) -> Result<()> {
        if let Some(why) = &news.silent {
            self.say(Event::Silent { why })?;
        }
        if news.answers {
            self.say(Event::AnswersAgain)?;
        }
        news.lost.iter().try_for_each(|(kind, why)| self.say(Event::Lost { kind, why }))?;
        news.back.iter().try_for_each(|kind| self.say(Event::Back { kind }))?;
        news.came.iter().try_for_each(|kind| self.say(Event::Served { kind }))?;
        news.went.iter().try_for_each(|kind| self.say(Event::Gone { kind }))?;
        news.changed.iter().try_for_each(|(kind, changed)| {
            let objects = changed.objects.iter().map(String::as_str).collect();
            self.say(Event::Changed { kind, times: changed.times, objects })
        })
    }

    fn say(&self, event: Event<'_>) -> Result<()> {
        event.say(&self.cx.terminal)
    }
}

/// What somebody is to be told of a look. That the set shrank is so until a snapshot does not lack what is missing any more:
/// of one that the schedule took since, the schedule tells, however many more changes are in snapshots after it.
fn problems(look: &Result<Look>, set: Set) -> Vec<Problem> {
    let (unread, like) = match look {
        Err(error) => return vec![Problem::failed(error)],
        Ok(Look::Taken { summary, backup }) => {
            let told = backup.as_ref().is_some_and(|backup| {
                backup.state == SnapshotState::Shrunk && backup.reasons == summary.reasons
            });
            let of = |problem: Problem| Problem {
                is_taken_over: told && problem.event == task::Event::Shrunk,
                ..problem
            };
            return night::problems(summary).into_iter().map(of).collect();
        }
        Ok(Look::Unchanged { unread, like }) => (unread, like),
    };
    let partial = (!unread.is_empty()).then(|| {
        Problem::new(
            task::Event::Partial,
            unread.iter().map(ToString::to_string).collect(),
            vec!["see what could not be read, and mend it: netdr backup".into()],
        )
    });
    let shrunk = (like.state == SnapshotState::Shrunk).then(|| Problem {
        is_taken_over: like.occasion.is_backup(),
        ..Problem::new(task::Event::Shrunk, like.reasons.clone(), vec![night::if_meant(set)])
    });
    partial.into_iter().chain(shrunk).collect()
}

/// Whether all of the set is in snapshots.
fn is_saved(problems: &[Problem]) -> bool {
    problems.iter().all(|problem| problem.event == task::Event::Shrunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backup::Summary, repository::fixture};

    /// After the schedule's snapshot shrank, too, each change makes another that lacks the same.
    #[test]
    fn what_the_schedule_tells_of_is_not_told_again_with_each_change() {
        let lost = |have: u32| {
            vec![format!("policies: networkpolicies.networking.k8s.io had 40 items and has {have}")]
        };
        let at = "2026-11-24T02:00:00Z";
        let summary = || Summary {
            id: SnapshotId::new(fixture::at(at), Set::Network, None, 1),
            set: Set::Network,
            state: SnapshotState::Shrunk,
            reasons: lost(3),
            warnings: vec![],
            bytes: 0,
            items: 3,
            components: vec![],
            seconds: 0.0,
            seen: None,
        };
        let taken_over = |state: SnapshotState, reasons: Vec<String>| {
            let mut backup = fixture::listed(at, state).header.unwrap();
            backup.reasons = reasons;
            let look = Look::Taken { summary: Box::new(summary()), backup: Some(Box::new(backup)) };
            let [problem] = &problems(&Ok(look), Set::Network)[..] else { panic!() };
            assert_eq!(problem.event, task::Event::Shrunk);
            problem.is_taken_over
        };
        assert!(taken_over(SnapshotState::Shrunk, lost(3)));
        assert!(!taken_over(SnapshotState::Shrunk, lost(5)), "it shrank further");
        assert!(!taken_over(SnapshotState::Complete, vec![]), "nobody else tells of it");
    }
}
