//! `netdr replicate`: what places outside lack.

use clap::Args;
use serde_json::{Value, json};

use super::{
    context::Context,
    exit::Exit,
    interrupt, places,
    settings::Settings,
    words::{bytes, count},
};
use crate::{
    Error, Kind, Result, config,
    model::SnapshotId,
    repository::{
        Listed, Repository,
        replicate::{self, Replicated},
        reports::CopiedReports,
        s3::{Bucket, Place},
    },
    task::{Event, Problem},
};

/// Copy to the places outside (`replicas` of the configuration) the snapshots and signed reports that they lack
#[derive(Args)]
pub(super) struct Replicate {
    /// Which snapshots [default: all but those that retention would delete there again]
    #[arg(value_name = "ID")]
    ids: Vec<SnapshotId>,
    /// Only to this place [default: all of them]
    #[arg(long, value_name = "NAME")]
    place: Option<String>,
}

/// What replicating to one place came to.
pub(super) struct Outcome {
    place: String,
    expired: Vec<SnapshotId>,
    result: Result<Replicated>,
    reports: Result<CopiedReports>,
}

impl Outcome {
    fn failures(&self) -> Vec<&Error> {
        let of_snapshots = match &self.result {
            Ok(done) => done.failed.iter().map(|(_, error)| error).collect(),
            Err(error) => vec![error],
        };
        of_snapshots.into_iter().chain(self.reports.as_ref().err()).collect()
    }
}

/// What copying to a place is called among tasks.
fn task(place: &str) -> String {
    format!("replicate {place}")
}

/// What somebody is to be told of a place.
fn problems(outcome: &Outcome) -> Vec<Problem> {
    let failures = outcome.failures();
    let damaged = outcome.result.as_ref().map_or(&[][..], |done| &done.damaged);
    let damaged =
        damaged.iter().map(|damage| format!("{} is damaged there: {}", damage.snapshot, damage.what));
    let why: Vec<String> = failures.iter().map(ToString::to_string).chain(damaged).collect();
    let next = failures.iter().flat_map(|error| error.hints().to_vec());
    let next = next.chain(["copy what is missing: netdr replicate".into()]).collect();
    if why.is_empty() { Vec::new() } else { vec![Problem::new(Event::Failed, why, next)] }
}

impl Replicate {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let places = config::chosen(&settings.config.replicas, self.place.as_deref())?;
        places.iter().for_each(|place| cx.about(task(&place.name)));
        let (repository, trusted) = (settings.repository()?, settings.trusted()?);
        let listed = match &self.ids[..] {
            [] => repository.list(&trusted, cx.now)?,
            ids => ids.iter().map(|id| repository.get(id, &trusted, cx.now)).collect::<Result<_>>()?,
        };
        if let (Some(untrusted), false) = (listed.iter().find(|l| !l.trust.is_trusted()), self.ids.is_empty())
        {
            return Err(Error::damaged(format!("{} is untrusted and not copied", untrusted.id))
                .hint("why it is untrusted says: netdr snapshots"));
        }
        let outcomes = interrupt::run(
            &|| "what is copied stays; the rest is copied by: netdr replicate".into(),
            async {
                let nightly = self.ids.is_empty().then_some(&settings);
                Ok(to(cx, &repository, &listed, &places, nightly).await)
            },
        )?;
        let exit = report(cx, &outcomes, &[]).max(nowhere(&outcomes));
        cx.terminal.report(exit, &json!({"places": document(&outcomes)}), || said(&outcomes))?;
        Ok(exit)
    }
}

/// Where no place got anything: usage where the configuration of each is why, else failed.
fn nowhere(outcomes: &[Outcome]) -> Exit {
    let codes: Option<Vec<Exit>> =
        outcomes.iter().map(|outcome| outcome.result.as_ref().err().map(Exit::of)).collect();
    codes.and_then(|codes| codes.into_iter().min()).unwrap_or(Exit::Done)
}

/// Copies to one place after the other: nightly what its retention, or else the configuration's, keeps, and reports, too;
/// else all that is given, and no report.
pub(super) async fn to(
    cx: &Context,
    repository: &Repository,
    listed: &[Listed],
    places: &[&Place],
    nightly: Option<&Settings>,
) -> Vec<Outcome> {
    let left_alone = listed.iter().filter(|one| !one.trust.is_trusted()).count();
    if left_alone > 0 {
        cx.terminal.warn(format!(
            "{} untrusted or unreadable: not copied, see netdr snapshots",
            count(left_alone as u64, "snapshot")
        ));
    }
    let mut outcomes = Vec::new();
    for (place, (name, bucket)) in places.iter().zip(places::open(places).await) {
        let retention = nightly.map(|settings| place.retention.unwrap_or(settings.config.retention));
        let (wanted, expired) = replicate::wanted(listed, retention, cx.now);
        let phase = cx.terminal.phase(format!("replicating to {name}"));
        phase.parts(wanted.len() as u64);
        let mut copied = Ok(CopiedReports::default());
        let result = async {
            // The lock that it takes, and Object Lock, count from here: the places before may have taken hours.
            let now = chrono::Utc::now();
            let bucket = bucket?;
            let done = repository.replicate(&bucket, &wanted, now, &|_| phase.part()).await;
            let done = done.map_err(|error| places::at(&name, error))?;
            if let Some(settings) = nightly {
                copied = put(repository, &bucket, settings).await.map_err(|error| places::at(&name, error));
            }
            Ok(done)
        };
        let result = result.await;
        outcomes.push(Outcome { place: name, expired, result, reports: copied });
    }
    outcomes
}

async fn put(repository: &Repository, bucket: &Bucket, settings: &Settings) -> Result<CopiedReports> {
    let recipients = || settings.recipients();
    repository.replicate_reports(bucket, &settings.trusted()?, &recipients, chrono::Utc::now()).await
}

/// Says what went wrong: in full the first failure of each place, whose way out is mostly that of the others.
pub(super) fn report(cx: &Context, outcomes: &[Outcome], hints: &[&str]) -> Exit {
    let mut exit = Exit::Done;
    for outcome in outcomes {
        let Outcome { place, result, reports, .. } = outcome;
        let failures = outcome.failures();
        cx.ended(&task(place), problems(outcome));
        if let [first, others @ ..] = &failures[..] {
            cx.terminal.error_with(first, hints);
            if !others.is_empty() {
                cx.terminal.warn(format!("place {place}: {} more", count(others.len() as u64, "failure")));
            }
            exit = exit.max(Exit::Partial);
        }
        for report in reports.iter().flat_map(|reports| &reports.untrusted) {
            cx.terminal.warn(format!("place {place}: report {report} is untrusted and not copied"));
        }
        let Ok(done) = result else { continue };
        cx.record.of(&done.copied);
        cx.record.counted("copied", done.copied.len() as u64);
        cx.record.counted("copied_bytes", done.bytes);
        for damage in &done.damaged {
            cx.terminal.warn(format!(
                "place {place}: {} is damaged: {}: {}",
                damage.snapshot, damage.place, damage.what
            ));
        }
        exit = exit.max(Exit::Damaged.when(!done.damaged.is_empty()));
        if done.unproved {
            cx.terminal.note(format!(
                "place {place} names no sha256 of what it takes: only reading it back proves it"
            ));
        }
    }
    exit
}

pub(super) fn document(outcomes: &[Outcome]) -> Vec<Value> {
    let (empty, none) = (Replicated::default(), Vec::new());
    let one = |outcome: &Outcome| {
        let done = outcome.result.as_ref().unwrap_or(&empty);
        let failed = done.failed.iter().map(|(id, why)| json!({"snapshot": id, "why": why.to_string()}));
        let reports = outcome.reports.as_ref();
        let damaged =
            done.damaged.iter().map(|d| json!({"snapshot": d.snapshot, "what": d.what, "where": d.place}));
        json!({
            "place": outcome.place,
            "copied": done.copied,
            "present": done.present,
            "expired": outcome.expired,
            "failed": failed.collect::<Vec<Value>>(),
            "damaged": damaged.collect::<Vec<Value>>(),
            "bytes": done.bytes,
            "reports": reports.map_or(&none, |reports| &reports.copied),
            "reports_error": reports.err().map(ToString::to_string),
            "error": outcome.result.as_ref().err().map(ToString::to_string),
        })
    };
    outcomes.iter().map(one).collect()
}

pub(super) fn said(outcomes: &[Outcome]) -> String {
    let line = |Outcome { place, expired, result, reports }: &Outcome| match result {
        Err(error) if error.kind() == Kind::Usage => format!("{place}: not asked\n"),
        Err(_) => format!("{place}: nothing copied\n"),
        Ok(done) => {
            let number = |n: usize| count(n as u64, "snapshot");
            let mut text = format!("{place}: {} copied ({})", number(done.copied.len()), bytes(done.bytes));
            for (n, what) in [
                (done.present.len(), "there already"),
                (expired.len(), "not copied, because retention would delete them there"),
                (done.failed.len(), "not copied"),
            ] {
                if n > 0 {
                    text += &format!(", {n} {what}");
                }
            }
            let files = reports.as_ref().map_or(0, |reports| reports.copied.len());
            if files > 0 {
                text += &format!(", {} of reports copied", count(files as u64, "file"));
            }
            text + "\n"
        }
    };
    outcomes.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_every_place_is_one_in_the_configuration() {
        let of = |results: Vec<Result<Replicated>>| {
            let outcome = |result| Outcome {
                place: "s3".into(),
                expired: vec![],
                result,
                reports: Ok(CopiedReports::default()),
            };
            nowhere(&results.into_iter().map(outcome).collect::<Vec<_>>())
        };
        let (usage, failed) = (|| Err(Error::usage("")), || Err(Error::failed("")));
        assert_eq!(of(vec![usage(), usage()]), Exit::Usage);
        assert_eq!(of(vec![usage(), failed()]), Exit::Failed);
        assert_eq!(of(vec![usage(), Ok(Replicated::default())]), Exit::Done);
    }
}
