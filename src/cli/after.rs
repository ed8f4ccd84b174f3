//! After a verb: how its tasks ended is remembered, somebody is told, and metrics are made anew.
//!
//! In: the tasks that a verb said it was about, and how it ended. Out: records, messages, metrics, where the configuration
//! asks for them. Invariant: nothing here changes what the verb came to: what goes wrong here is a warning.

mod checked;

use std::{
    collections::BTreeMap,
    mem,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use futures::future::join_all;

pub(super) use checked::check;

use super::{context::Context, exit::Exit, interrupt, metrics, prompt, settings::Settings};
use crate::{
    Result,
    metrics::{self as library, Checked, Delivery, Known, push, textfile},
    notify::{self, Channel, Message, Told, decide},
    repository::Repository,
    task::{Ended, Event, Problem, Ran, Records},
    web,
};

/// Kinds of records.
pub(super) const RAN: &str = "ran";
pub(super) const DELIVERY: &str = "delivery";
const TOLD: &str = "told";
pub(super) const CHECKED: &str = "checked";

/// What a verb is about, and what its checks found.
#[derive(Default)]
pub(super) struct Tasks(Mutex<Said>);

#[derive(Default)]
struct Said {
    /// One that has no end of its own ends as its verb does.
    tasks: Vec<(String, Option<Vec<Problem>>)>,
    checked: Vec<Checked>,
}

impl Tasks {
    pub(super) fn begun(&self, task: String) {
        let mut told = self.told();
        if !told.tasks.iter().any(|(known, _)| *known == task) {
            told.tasks.push((task, None));
        }
    }

    pub(super) fn ended(&self, task: &str, problems: Vec<Problem>) {
        let mut told = self.told();
        told.tasks.retain(|(known, _)| known != task);
        told.tasks.push((task.to_owned(), Some(problems)));
    }

    fn told(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what is to be done after a verb.
pub(super) fn verb(cx: &Context, result: &Result<Exit>) {
    let Some(settings) = cx.loaded() else { return };
    let exit = result.as_ref().map_or_else(Exit::of, |exit| *exit);
    // Who stops it at a terminal knows; a job that is stopped ran into its deadline.
    let given_up = exit == Exit::Interrupted && prompt::somebody();
    let told = mem::take(&mut *cx.tasks.told());
    let ended = ended(cx, told.tasks, result);
    let wanted = settings.config.metrics.is_asked_for() || !settings.config.notify.is_empty();
    if !wanted || given_up || ended.is_empty() {
        return;
    }
    let done = interrupt::run(&|| "what the command did is done".into(), async {
        conclude(cx, &settings, &ended, &told.checked, exit).await;
        Ok(())
    });
    if let Err(error) = done {
        cx.terminal.warn(format!("nobody is told how it ended: {error}"));
    }
}

/// The tasks as they ended.
fn ended(cx: &Context, tasks: Vec<(String, Option<Vec<Problem>>)>, result: &Result<Exit>) -> Vec<Ended> {
    let as_verb = || match result {
        Err(error) => vec![Problem::failed(error)],
        Ok(exit) => event(*exit)
            .map(|event| {
                let troubles = cx.terminal.troubles();
                let next = troubles.iter().flat_map(|trouble| trouble.next.clone()).collect();
                Problem { event, why: troubles.into_iter().map(|trouble| trouble.what).collect(), next }
            })
            .into_iter()
            .collect(),
    };
    let ended = |(task, problems): (String, Option<Vec<Problem>>)| Ended {
        task,
        problems: problems.unwrap_or_else(as_verb),
    };
    tasks.into_iter().map(ended).collect()
}

/// What an exit code is to who is told; an archive that is waited for is no problem.
fn event(exit: Exit) -> Option<Event> {
    match exit {
        Exit::Done | Exit::Waiting => None,
        Exit::Different => Some(Event::Drift),
        Exit::Late => Some(Event::ObjectiveMissed),
        Exit::Partial => Some(Event::Partial),
        Exit::Crossed => Some(Event::Check),
        Exit::Damaged | Exit::Failed | Exit::Usage | Exit::Interrupted => Some(Event::Failed),
    }
}

async fn conclude(cx: &Context, settings: &Settings, ended: &[Ended], checked: &[Checked], exit: Exit) {
    // Without a repository nothing is remembered, and somebody is told all the same: a mount that is gone is just that.
    let repository = settings.repository().ok();
    let cluster = metrics::cluster(cx, settings, repository.as_ref());
    let records = repository.as_ref().map(|repository| Records::of(repository, &cluster));
    let now = Utc::now();
    let seconds = (now - cx.now).as_seconds_f64();
    let before: Vec<Ran> = records
        .as_ref()
        .and_then(|records| records.read(RAN).ok())
        .map_or_else(Vec::new, |before| before.into_values().collect());
    let ran = |ended: &Ended| {
        let earlier = before.iter().find(|ran| ran.task == ended.task);
        Ran::after(earlier, &cluster, ended, now, (seconds, exit.code()))
    };
    let ran: Vec<Ran> = ended.iter().map(ran).collect();
    let checked: Vec<Checked> =
        checked.iter().map(|one| Checked { cluster: cluster.clone(), at: now, ..one.clone() }).collect();
    if let Some(records) = &records
        && let Err(error) = remember(records, &ran, &checked)
    {
        cx.terminal.warn(format!("how it ended is not remembered: {error}"));
    }
    tell(cx, settings, records.as_ref(), &cluster, ended, now).await;
    if settings.config.metrics.is_asked_for() {
        let published = match &repository {
            Some(repository) => publish(cx, settings, repository, &cluster).await,
            None => {
                let published = ran.iter().map(|ran| publish_alone(cx, settings, &cluster, ran, &checked));
                join_all(published).await.into_iter().collect()
            }
        };
        if let Err(error) = published {
            cx.terminal.warn(format!("no metrics: {error:?}"));
        }
    }
}

fn remember(records: &Records<'_>, ran: &[Ran], checked: &[Checked]) -> Result<()> {
    ran.iter().try_for_each(|ran| records.keep(RAN, &ran.task, ran))?;
    checked.iter().try_for_each(|checked| records.keep(CHECKED, &checked.subject, checked))
}

/// Tells everybody at once what is to be told, and remembers what somebody took.
async fn tell(
    cx: &Context,
    settings: &Settings,
    records: Option<&Records<'_>>,
    cluster: &str,
    ended: &[Ended],
    now: DateTime<Utc>,
) {
    let channels = &settings.config.notify;
    if channels.is_empty() {
        return;
    }
    let told: Vec<Told> = records
        .and_then(|records| records.read(TOLD).ok())
        .map_or_else(Vec::new, |told: BTreeMap<String, Told>| told.into_values().collect());
    let decision = decide(cluster, ended, &told, now);
    let mut keep: Vec<(Option<Told>, Told)> = decision.over.into_iter().map(|told| (None, told)).collect();
    for (message, told) in decision.messages {
        let wanting: Vec<&Channel> = channels.iter().filter(|channel| channel.wants(&message)).collect();
        let taken = send(cx, records, cluster, &wanting, &message).await;
        let over = message.kind == notify::Kind::Recovered;
        keep.push(match (over, taken || wanting.is_empty()) {
            (true, true) => (None, told),
            (true, false) => continue, // it is said with the next one
            (false, true) => (Some(Told { at: Some(now), ..told.clone() }), told),
            (false, false) => (Some(told.clone()), told),
        });
    }
    let Some(records) = records else { return };
    for (after, told) in keep {
        let kept = match after {
            Some(after) => records.keep(TOLD, &told.subject(), &after),
            None => records.remove(TOLD, &told.subject()),
        };
        if let Err(error) = kept {
            cx.terminal.warn(format!("that somebody was told is not remembered: {error}"));
        }
    }
}

/// Sends a message on every channel that wants it; whether one took it.
pub(super) async fn send(
    cx: &Context,
    records: Option<&Records<'_>>,
    cluster: &str,
    channels: &[&Channel],
    message: &Message,
) -> bool {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let sent = channels.iter().map(|channel| channel.send(message, &host, notify::PATIENCE));
    let mut taken = false;
    for (channel, sent) in channels.iter().zip(join_all(sent).await) {
        taken |= sent.is_ok();
        delivered(cx, records, cluster, channel.name(), sent);
    }
    taken
}

/// Remembers how a channel took something, and warns where it did not.
fn delivered(cx: &Context, records: Option<&Records<'_>>, cluster: &str, channel: String, sent: Result<()>) {
    if let Err(error) = &sent {
        cx.terminal.warn(format!("{channel}: {error:?}"));
    }
    let Some(records) = records else { return };
    let before = records.read::<Delivery>(DELIVERY).unwrap_or_default();
    let before = before.into_values().find(|delivery| delivery.channel == channel);
    let (taken, refused) = before.map_or((None, None), |before| (before.taken_at, before.refused_at));
    let now = Some(Utc::now());
    let (taken_at, refused_at) = if sent.is_ok() { (now, refused) } else { (taken, now) };
    let delivery = Delivery { cluster: cluster.into(), channel: channel.clone(), taken_at, refused_at };
    if let Err(error) = records.keep(DELIVERY, &channel, &delivery) {
        cx.terminal.detail(format!("how {channel} took it is not remembered: {error}"));
    }
}

async fn publish(cx: &Context, settings: &Settings, repository: &Repository, cluster: &str) -> Result<()> {
    let to = &settings.config.metrics;
    let text = metrics::text(cx, settings, repository, cluster).await?;
    if let Some(gateway) = &to.pushgateway {
        let pushed = push(to, gateway, (cluster, None), &text).await;
        let records = Records::of(repository, cluster);
        delivered(cx, Some(&records), cluster, format!("pushgateway {}", web::server(gateway)), pushed);
    }
    to.textfile.as_ref().map_or(Ok(()), |file| textfile(file, &text))
}

/// Of a task of a job that sees no repository, as those of checks: what it found itself, beside what others say of the
/// repository, and in a part of its own, for what is published takes the place of that part.
async fn publish_alone(
    cx: &Context,
    settings: &Settings,
    cluster: &str,
    ran: &Ran,
    checked: &[Checked],
) -> Result<()> {
    let to = &settings.config.metrics;
    // It stands in an address, and in a file's name.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let part: String = ran.task.chars().map(plain).collect();
    let its = |checked: &&Checked| check(&checked.subject) == ran.task;
    let checks: Vec<Checked> = checked.iter().filter(its).cloned().collect();
    let tasks = std::slice::from_ref(ran);
    let text = library::of(&Known { tasks, checks: &checks, ..Known::nothing(cluster) }, Utc::now());
    if let Some(gateway) = &to.pushgateway {
        let pushed = push(to, gateway, (cluster, Some(&part)), &text).await;
        delivered(cx, None, cluster, format!("pushgateway {}", web::server(gateway)), pushed);
    }
    // A pod without a repository mostly has not its folder either.
    match to.textfile.as_deref().filter(|file| file.parent().is_some_and(Path::is_dir)) {
        Some(file) => textfile(&file.with_extension(format!("{part}.prom")), &text),
        None => Ok(()),
    }
}
