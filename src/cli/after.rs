//! After a verb: how its tasks ended is remembered, somebody is told, and metrics are made anew.
//!
//! In: the tasks that a verb said it was about, and how it ended. Out: records, messages, metrics, where the configuration
//! asks for them. Invariant: nothing here changes what the verb came to: what goes wrong here is a warning.

mod checked;
mod drifted;
mod publish;
mod tell;
mod watched;

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

pub(super) use checked::check;
pub(super) use watched::watch;

use super::{
    access::{machine, surroundings},
    context::Context,
    exit::Exit,
    interrupt, metrics, prompt,
    settings::Settings,
};
use crate::{
    Error, Result,
    metrics::{Checked, Drifted},
    repository::{Repository, Status},
    task::{Ended, Event, Problem, Ran, Records},
};

/// Kinds of records.
pub(super) const RAN: &str = "ran";
pub(super) const DELIVERY: &str = "delivery";
pub(super) const TOLD: &str = "told";
pub(super) const CHECKED: &str = "checked";
pub(super) const DRIFTED: &str = "drifted";
pub(super) const WATCHED: &str = "watched";

/// The task of whoever reads a configuration: it fails where that is refused, and is done where it is not. Pods of a cluster
/// have one, wherever they run; each machine has its own, and says nothing of another's.
fn configuration() -> String {
    const TASK: &str = "configuration";
    match (surroundings().variable)("KUBERNETES_SERVICE_HOST") {
        Some(_) => TASK.into(),
        None => format!("{TASK} {}", machine()),
    }
}

/// What a verb is about, and what its checks, or a look for drift, found.
#[derive(Default)]
pub(super) struct Tasks(Mutex<Said>);

#[derive(Default)]
struct Said {
    /// One that has no end of its own ends as its verb does.
    tasks: Vec<(String, Option<Vec<Problem>>)>,
    found: Found,
}

/// What is remembered of what was found.
#[derive(Default)]
struct Found {
    checked: Vec<Checked>,
    /// With whether all of it could be read.
    drifted: Vec<(Drifted, bool)>,
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

/// What all that follows goes by: whose cluster it was, and where records of it are.
struct Here<'a> {
    cx: &'a Context,
    settings: &'a Settings,
    repository: Option<Repository>,
    /// A job may see this alone. Without it nothing is remembered, and somebody is told all the same: a mount that is gone
    /// is just that.
    status: Option<Status>,
    cluster: String,
    /// Why the configuration is refused by now, where these settings are from before.
    refused: Option<Error>,
}

impl<'a> Here<'a> {
    fn of(cx: &'a Context, settings: &'a Settings) -> Self {
        let repository = settings.repository().ok();
        let cluster = metrics::cluster(cx, settings, repository.as_ref());
        let seen = || Status::seen(settings.repository_path().ok()?);
        let status = repository.as_ref().map(Repository::status).or_else(seen);
        Self { cx, settings, repository, status, cluster, refused: None }
    }

    fn records(&self) -> Option<Records<'_>> {
        self.status.clone().map(|status| Records::below(status, &self.cluster))
    }
}

/// The tasks of a verb as they ended.
pub(super) fn tasks(cx: &Context, result: &Result<Exit>) -> Vec<Ended> {
    let tasks = cx.tasks.told().tasks.clone();
    ended(cx, tasks, result)
}

/// Does what is to be done after a verb.
pub(super) fn verb(cx: &Context, result: &Result<Exit>) {
    let exit = result.as_ref().map_or_else(Exit::of, |exit| *exit);
    let mut said = mem::take(&mut *cx.tasks.told());
    // Who stops it at a terminal knows, and so does who mistyped something there; a job that is stopped ran into its
    // deadline, and one that was told wrongly has nobody else.
    let is_known = prompt::somebody();
    if is_known && exit == Exit::Usage {
        said.tasks.retain(|(_, problems)| problems.is_some());
    }
    let done = match cx.loaded() {
        Some(_) if is_known && exit == Exit::Interrupted => return,
        Some(settings) => {
            let ended = ended(cx, said.tasks, result);
            if ended.is_empty() || !is_asked_for(&settings) {
                return;
            }
            interrupt::run(&advice, async {
                let here = Here::of(cx, &settings);
                let (ran, checked) = conclude(&here, &ended, said.found, (cx.now, exit)).await;
                publish::publish(&here, &ran, &checked).await;
                Ok(())
            })
        }
        None if is_known || exit != Exit::Usage => return,
        None => refused(cx),
    };
    if let Err(error) = done {
        cx.terminal.warn(format!("nobody is told how it ended: {error}"));
    }
}

fn advice() -> String {
    "what the command did is done".into()
}

fn is_asked_for(settings: &Settings) -> bool {
    settings.config.metrics.is_asked_for() || !settings.config.notify.is_empty()
}

/// Where the configuration is what is wrong, whoever can be made out in it is told.
fn refused(cx: &Context) -> Result<()> {
    let Some((settings, why)) = Settings::of_refused(&cx.flags) else { return Ok(()) };
    let ended = Ended { task: configuration(), problems: vec![Problem::failed(&why)] };
    interrupt::run(&advice, async {
        tell::tell(&Here::of(cx, &settings), vec![ended], Utc::now()).await;
        Ok(())
    })
}

/// The tasks as they ended.
fn ended(cx: &Context, tasks: Vec<(String, Option<Vec<Problem>>)>, result: &Result<Exit>) -> Vec<Ended> {
    let as_verb = || match result {
        Err(error) => vec![Problem::failed(error)],
        Ok(exit) => event(*exit)
            .map(|event| {
                let troubles = cx.terminal.troubles();
                let next = troubles.iter().flat_map(|trouble| trouble.next.clone()).collect();
                Problem::new(event, troubles.into_iter().map(|trouble| trouble.what).collect(), next)
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
pub(super) fn event(exit: Exit) -> Option<Event> {
    match exit {
        Exit::Done | Exit::Waiting => None,
        Exit::Different => Some(Event::Drift),
        Exit::Late => Some(Event::ObjectiveMissed),
        Exit::Partial => Some(Event::Partial),
        Exit::Crossed => Some(Event::Check),
        Exit::Damaged | Exit::Failed | Exit::Usage | Exit::Interrupted => Some(Event::Failed),
    }
}

/// Remembers and tells; `of` is when what ended began, and how it came out. What is to be published.
async fn conclude(
    here: &Here<'_>,
    ended: &[Ended],
    found: Found,
    of: (DateTime<Utc>, Exit),
) -> (Vec<Ran>, Vec<Checked>) {
    let ((began, exit), now) = (of, Utc::now());
    let records = here.records();
    let seconds = (now - began).as_seconds_f64();
    let before: Vec<Ran> = records
        .as_ref()
        .and_then(|records| records.read(RAN).ok())
        .map_or_else(Vec::new, |before| before.into_values().collect());
    let ran = |ended: &Ended| {
        let earlier = before.iter().find(|ran| ran.task == ended.task);
        Ran::after(earlier, &here.cluster, ended, now, (seconds, exit.code()))
    };
    let ran: Vec<Ran> = ended.iter().map(ran).collect();
    let of_here = |one: Checked| Checked { cluster: here.cluster.clone(), at: now, ..one };
    let checked: Vec<Checked> = found.checked.into_iter().map(of_here).collect();
    if let Some(records) = &records
        && let Err(error) = remember(records, &ran, &checked)
            .and_then(|()| drifted::remember(records, &here.cluster, found.drifted))
    {
        here.cx.terminal.warn(format!("how it ended is not remembered: {error}"));
    }
    let read = Ended { task: configuration(), problems: here.refused.iter().map(Problem::failed).collect() };
    tell::tell(here, ended.iter().cloned().chain([read]).collect(), now).await;
    (ran, checked)
}

fn remember(records: &Records<'_>, ran: &[Ran], checked: &[Checked]) -> Result<()> {
    ran.iter().try_for_each(|ran| records.keep(RAN, &ran.task, ran))?;
    checked.iter().try_for_each(|checked| records.keep(CHECKED, &checked.subject, checked))
}
