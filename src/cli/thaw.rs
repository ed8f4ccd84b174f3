//! `netdr thaw`: out of the archive, so that `netdr fetch` can read it.

use std::{sync::Mutex, time::Duration};

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::{
    choice::one_of,
    context::Context,
    exit::Exit,
    interrupt, show,
    words::{count, table, time},
};
use crate::{
    Error, Result, config,
    model::SnapshotId,
    repository::{
        archive::{ArchiveState, Tier},
        s3::{Bucket, Place},
        thaw::{self, Event, Look, Seen},
    },
};

/// How often the place is asked while it is waited for: a thaw takes hours.
const POLL: Duration = Duration::from_secs(60);

/// Ask for what a snapshot has in an archive of S3, so that fetch can read it
#[derive(Args)]
#[command(
    after_help = "Exit code 7 until all of it can be read. Run again, it goes on: nothing is asked for twice."
)]
pub(super) struct Thaw {
    /// Which snapshot
    id: SnapshotId,
    /// How fast: of DEEP_ARCHIVE, `standard` takes up to 12 hours and `bulk`, which is cheaper, up to 48
    #[arg(long, value_name = "TIER", default_value = "standard", value_parser = one_of::<Tier>(Tier::ALL.map(Tier::name)))]
    tier: Tier,
    /// For how many days it can be read then
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Wait until it can be read
    #[arg(long)]
    wait: bool,
    /// In which place [default: the first that has it]
    #[arg(long, value_name = "NAME")]
    place: Option<String>,
}

impl Thaw {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let places = config::chosen(&settings.config.replicas, self.place.as_deref())?;
        let root = settings.repository_path()?;
        let advice = || format!("what was asked for stays asked for; go on with: {}", self.command());
        let (place, look) = interrupt::run(&advice, async {
            let bucket = self.find(&places, cx).await?;
            let listed = thaw::listed(&bucket, &self.id, &settings.trusted()?, cx.now).await?;
            let thaw = thaw::Thaw {
                bucket: &bucket,
                id: &self.id,
                header: listed.as_ref().map(show::trusted).transpose()?,
                tier: self.tier,
                days: self.days,
                root,
                clock: Utc::now,
            };
            let look = if self.wait { self.waited(&thaw, cx).await? } else { thaw.ask().await? };
            Ok((bucket.place().name.clone(), look))
        })?;
        if let Some(why) = &look.unkept {
            cx.terminal
                .warn(format!("when it was asked for is not kept, so the next look promises less: {why}"));
        }
        let exit = Exit::Waiting.when(!look.state().is_readable());
        cx.terminal.report(exit, &self.document(&place, &look), || self.said(&place, &look))?;
        Ok(exit)
    }

    fn command(&self) -> String {
        let wait = if self.wait { " --wait" } else { "" };
        let place = self.place.as_ref().map_or_else(String::new, |place| format!(" --place {place}"));
        format!("netdr thaw {}{place} --tier {} --days {}{wait}", self.id, self.tier.name(), self.days)
    }

    /// The first place that has it. One that does not answer is passed over where another has it.
    async fn find(&self, places: &[&Place], cx: &Context) -> Result<Bucket> {
        let mut silent = None;
        for place in places {
            let bucket = Bucket::open(place).await?;
            if places.len() == 1 {
                return Ok(bucket);
            }
            match bucket.objects(&self.id).await {
                Ok(objects) if objects.is_empty() => {}
                Ok(_) => return Ok(bucket),
                Err(error) => {
                    cx.terminal.warn(format!("place {}: {error}", place.name));
                    silent.get_or_insert(error);
                }
            }
        }
        let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
        Err(silent.unwrap_or_else(|| {
            Error::usage(format!("no place has snapshot {}: {}", self.id, names.join(", ")))
                .hint("see what there is where: netdr snapshots")
        }))
    }

    async fn waited(&self, thaw: &thaw::Thaw<'_>, cx: &Context) -> Result<Look> {
        let phase = cx.terminal.phase(format!("waiting for the archive to give {}", self.id));
        let said = Mutex::new(String::new());
        let event = |event: Event<'_>| match event {
            Event::Failed(error) => cx.terminal.warn(format!("asking again: {error}")),
            Event::Looked(look) => {
                let text = progress(look);
                phase.waiting(&text);
                if let Ok(mut said) = said.lock()
                    && *said != text
                {
                    cx.terminal.note(&text);
                    *said = text;
                }
            }
        };
        thaw.wait(POLL, &event).await
    }

    fn document(&self, place: &str, look: &Look) -> Value {
        let (state, objects) = (look.state(), look.objects.iter().map(object).collect::<Vec<Value>>());
        json!({
            "snapshot": self.id, "place": place, "tier": self.tier, "days": self.days,
            "state": state.name(), "ready_by": ready_by(state).map(time), "until": until(state).map(time),
            "objects": objects, "next": self.next(state),
        })
    }

    /// What comes after this.
    fn next(&self, state: ArchiveState) -> String {
        if state.is_readable() { format!("netdr fetch {}", self.id) } else { self.command() }
    }

    fn said(&self, place: &str, look: &Look) -> String {
        let state = look.state();
        let row = |seen: &Seen| vec![seen.name.clone(), seen.state.name().into(), when(seen.state)];
        let rows: Vec<Vec<String>> = look.objects.iter().map(row).collect();
        let asked = look.objects.iter().filter(|seen| seen.asked).count() as u64;
        let mut text = table(&["object", "state", "when"], &rows);
        text += &match state {
            ArchiveState::Standard => format!("{} needs no thaw in place {place}\n", self.id),
            ArchiveState::Available { .. } => {
                format!("{} can be read in place {place} {}\n", self.id, when(state))
            }
            _ => format!(
                "{} is being thawed in place {place}: {} asked for now, all there {}\n",
                self.id,
                count(asked, "object"),
                when(state)
            ),
        };
        text + &match state.is_readable() {
            true => format!("next: {}\n", self.next(state)),
            false => {
                format!("see how far it is, or wait: {}\nthen: netdr fetch {}\n", self.next(state), self.id)
            }
        }
    }
}

fn object(seen: &Seen) -> Value {
    json!({
        "name": seen.name, "state": seen.state.name(), "asked": seen.asked, "since": since(seen.state).map(time),
        "ready_by": ready_by(seen.state).map(time), "until": until(seen.state).map(time),
    })
}

/// `3 of 6 objects can be read, the rest by …`.
fn progress(look: &Look) -> String {
    let there = look.objects.iter().filter(|seen| seen.state.is_readable()).count();
    let rest = look.state();
    let rest = if rest.is_readable() { String::new() } else { format!(", the rest {}", when(rest)) };
    format!("{there} of {} can be read{rest}", count(look.objects.len() as u64, "object"))
}

/// When something can be read, as it fits after its state.
pub(super) fn when(state: ArchiveState) -> String {
    match state {
        ArchiveState::Standard => String::new(),
        ArchiveState::Archived => "after a thaw".into(),
        ArchiveState::Available { until } => format!("until {}", time(until)),
        ArchiveState::Restoring { ready_by, .. } => format!("by {} at the latest", time(ready_by)),
    }
}

pub(super) fn ready_by(state: ArchiveState) -> Option<DateTime<Utc>> {
    match state {
        ArchiveState::Restoring { ready_by, .. } => Some(ready_by),
        _ => None,
    }
}

fn since(state: ArchiveState) -> Option<DateTime<Utc>> {
    match state {
        ArchiveState::Restoring { since, .. } => since,
        _ => None,
    }
}

pub(super) fn until(state: ArchiveState) -> Option<DateTime<Utc>> {
    match state {
        ArchiveState::Available { until } => Some(until),
        _ => None,
    }
}
