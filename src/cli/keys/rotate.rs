//! `netdr keys rotate`: what is local, sealed to other recipients.

use std::{
    collections::BTreeSet,
    fs, mem,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use serde_json::{Value, json};
use tokio::task::{spawn_blocking, yield_now};

use crate::{
    Error, Kind, Result,
    cli::{
        context::Context,
        exit::Exit,
        guard, interrupt,
        settings::{LOCAL, Settings},
        words::count,
    },
    keys::{Left, Rotation, Work},
    model::{RunId, SnapshotId},
    repository::{Rotating, s3::Place},
    restore::safety,
    seal::Recipients,
};

/// Seal every local snapshot anew, to other recipients; needs an identity that opens them and the signing key
///
/// Each becomes a new snapshot of the same capture, and the old one is deleted after the new one was read back. Run again
/// after an interruption, it goes on. Copies in other places, and what runs saved for their undo, stay as they are.
#[derive(Args)]
pub(in crate::cli) struct Rotate {
    /// Seal to the age or SSH recipients in this file, one a line [default: those of the configuration]
    #[arg(long, value_name = "FILE")]
    recipients: Option<PathBuf>,
    /// Only say what would be sealed anew
    #[arg(long)]
    dry_run: bool,
}

/// What was done.
#[derive(Default)]
struct Done {
    /// Old and, but for a dry run, new.
    resealed: Vec<(SnapshotId, Option<SnapshotId>)>,
    left: Vec<Left>,
}

/// What the configuration still says.
struct Stale {
    file: PathBuf,
    line: Option<usize>,
    change_to: String,
}

impl Rotate {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        interrupt::outside("nothing was changed; run it again");
        let repository = settings.repository()?;
        let recipients = match &self.recipients {
            Some(file) => {
                let text = guard::read(file, "recipients")?;
                Recipients::parse(text.lines(), &file.display().to_string())?
            }
            None => settings.recipients()?,
        };
        let trusted = settings.trusted()?;
        let rotation = Rotation {
            repository: &repository,
            identities: &settings.identities()?,
            recipients: &recipients,
            index_key: &settings.index_key()?,
            signing_key: &settings.signing_key()?,
            trusted: &trusted,
            now: (cx.now, Instant::now()),
        };
        let again = || {
            let given = self.recipients.as_deref();
            let line = given.into_iter().fold(cx.again(None), |line, file| line.with("--recipients", file));
            format!("run it again, nothing is lost: {}", line.again("keys rotate"))
        };
        let (done, unchanged) = interrupt::run(&again, async {
            if self.dry_run {
                let mut work = rotation.work(&repository.list(&trusted, cx.now)?)?;
                let unchanged = mem::take(&mut work.done);
                return Ok((planned(work), unchanged));
            }
            // What is listed without it may be another's that is being deleted.
            let (all, now) = (repository.clone(), cx.now);
            let turn = spawn_blocking(move || all.rotating(now)).await;
            let turn =
                turn.map_err(|e| Error::failed("waiting for another rotation was interrupted").because(e))??;
            let mut work = rotation.work(&repository.list(&trusted, cx.now)?)?;
            let unchanged = mem::take(&mut work.done);
            Ok((act(&rotation, &turn, work, cx).await, unchanged))
        })?;
        let saved = safety::saved(&repository.root().join("runs"))?;
        let stale = self.stale(&settings, &recipients)?;
        warn(&done, &saved, stale.as_ref(), &recipients, cx);
        let places: Vec<&str> = settings.config.replicas.iter().map(|place| place.name.as_str()).collect();
        if !places.is_empty() && !done.resealed.is_empty() {
            let of = |place: &Place| {
                let delete = place.to_delete("reports/REPORT.json.zst.age", false);
                let here = repository.root().join("reports");
                format!(
                    "so do the copies of reports there; of one that is also in {}, delete the copies in every version, and the next \
                     netdr replicate seals them anew; of one that is not, they are all there is: {delete}",
                    here.display()
                )
            };
            let hints: Vec<String> = settings.config.replicas.iter().map(of).collect();
            let stays = format!(
                "what is in {} already stays open to the old identities until it is pruned there; the new ones go there with: netdr replicate",
                places.join(", "),
            );
            cx.terminal.warn_with(stays, &hints);
        }
        let document = json!({
            "dry_run": self.dry_run,
            "resealed": done.resealed.iter().map(|(old, new)| json!({"id": old, "as": new})).collect::<Vec<Value>>(),
            "unchanged": unchanged,
            "left": done.left.iter().map(|left| json!({"id": left.id, "why": left.why.to_string()})).collect::<Vec<Value>>(),
            "safety_snapshots": saved,
            "places": places,
            "configuration": stale.as_ref().map(|stale| json!({"file": stale.file, "line": stale.line, "change_to": stale.change_to})),
        });
        let damaged = done.left.iter().any(|left| left.why.kind() == Kind::Damaged);
        let exit = Exit::Damaged.when(damaged).max(Exit::Partial.when(!done.left.is_empty()));
        let text = || self.said(&done, unchanged.len() as u64);
        match self.dry_run {
            true => cx.terminal.answer(&document, text)?,
            false => cx.terminal.report(exit, &document, text)?,
        }
        Ok(exit)
    }

    /// Where the configuration names other recipients: the next backup would be sealed to those.
    fn stale(&self, settings: &Settings, recipients: &Recipients) -> Result<Option<Stale>> {
        let Some(given) = &self.recipients else { return Ok(None) };
        let named = settings.names_recipients().then(|| settings.recipients()).and_then(Result::ok);
        if named.is_some_and(|named| named.fingerprints() == recipients.fingerprints()) {
            return Ok(None);
        }
        let file = settings.file.clone().unwrap_or_else(|| LOCAL.into());
        let line = line_of_recipients(&fs::read_to_string(&file).unwrap_or_default());
        let path = std::path::absolute(given)
            .map_err(|e| Error::usage(format!("{} is no path", given.display())).because(e))?;
        Ok(Some(Stale { file, line, change_to: format!("recipients_file: {}", path.display()) }))
    }

    fn said(&self, done: &Done, unchanged: u64) -> String {
        let line = |(old, new): &(SnapshotId, Option<SnapshotId>)| match new {
            Some(new) => format!("sealed anew  {old} as {new}\n"),
            None => format!("would seal anew  {old}\n"),
        };
        let mut text: String = done.resealed.iter().map(line).collect();
        text += &format!(
            "{} {}, {unchanged} sealed to these recipients already, {} left as they are\n",
            count(done.resealed.len() as u64, "snapshot"),
            if self.dry_run { "would be sealed anew" } else { "sealed anew" },
            done.left.len(),
        );
        if !self.dry_run && !done.resealed.is_empty() {
            text += "Prove it with each new identity: netdr keys check --identity FILE\n";
            text += "A netdr watch in the cluster goes on with the old keys until it is begun anew: \
                     kubectl -n netdr rollout restart deployment netdr-watch\n";
        }
        text
    }
}

fn planned(work: Work) -> Done {
    let reseal = work.reseal.into_iter().map(|header| (header.id, None));
    let finish = work.finish.into_iter().map(|(old, new)| (old, Some(new)));
    Done { resealed: finish.chain(reseal).collect(), left: work.left }
}

/// One snapshot that fails stops no other; a signal does between two.
async fn act(rotation: &Rotation<'_>, turn: &Rotating, work: Work, cx: &Context) -> Done {
    let mut done = Done { left: work.left, ..Done::default() };
    let all = work.finish.len() + work.reseal.len();
    let phase = cx.terminal.phase(format!("sealing {} anew", count(all as u64, "snapshot")));
    phase.parts(all as u64);
    let mut note = |old: SnapshotId, outcome: Result<SnapshotId>| {
        match outcome {
            Ok(new) => done.resealed.push((old, Some(new))),
            Err(why) => done.left.push(Left { id: old, why }),
        }
        phase.part();
    };
    for (old, new) in work.finish {
        yield_now().await;
        let finished = turn.renew().and_then(|()| rotation.finish(&old, &new)).map(|()| new);
        note(old, finished);
    }
    for header in work.reseal {
        yield_now().await;
        let resealed = turn.renew().and_then(|()| rotation.reseal(&header, cx.random()));
        note(header.id.clone(), resealed);
    }
    done
}

/// What stays open to the old identities, and what the configuration still says.
fn warn(done: &Done, saved: &[RunId], stale: Option<&Stale>, recipients: &Recipients, cx: &Context) {
    // Many have one way out.
    let hints: BTreeSet<&String> = done.left.iter().flat_map(|left| left.why.hints()).collect();
    let hints: Vec<String> = hints.into_iter().cloned().collect();
    for (n, left) in done.left.iter().enumerate() {
        let hints = if n + 1 == done.left.len() { &hints[..] } else { &[] };
        cx.terminal.warn_with(format!("{} stays as it is: {}", left.id, left.why), hints);
    }
    if !saved.is_empty() {
        cx.terminal.warn(format!(
            "what {} saved for undo stays open to the old identities until netdr prune deletes it, after 30 days",
            count(saved.len() as u64, "run"),
        ));
    }
    if recipients.lines().len() < 2 {
        cx.terminal.warn(
            "one recipient is too few: if that one key is lost, so is every snapshot; add an offline break-glass recipient",
        );
    }
    if let Some(Stale { file, line, change_to }) = stale {
        let place = line.map_or_else(String::new, |line| format!(", line {line},"));
        cx.terminal.warn(format!(
            "{}{place} names other recipients, and the next backup is sealed to those; make it: {change_to}",
            shown(file),
        ));
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

/// The line of a configuration that names recipients, from 1.
fn line_of_recipients(text: &str) -> Option<usize> {
    let names = |line: &str| line.starts_with("recipients:") || line.starts_with("recipients_file:");
    text.lines().position(names).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_change_is_found() {
        assert_eq!(line_of_recipients("# x\nrepository: /r\nrecipients_file: /f\n"), Some(3));
        assert_eq!(line_of_recipients("recipients:\n- age1x\n"), Some(1));
        assert_eq!(line_of_recipients("repository: /r\n"), None);
    }
}
