//! Telling somebody, and remembering who was told and who took it.
//!
//! In: how tasks ended. Out: messages on every channel that wants them, and records of that. Invariant: what nobody took is
//! told again the next time; no record has an address.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::future::join_all;

use super::{DELIVERY, Here, TOLD};
use crate::{
    Result,
    cli::access::machine,
    metrics::Delivery,
    notify::{self, Kind, Message, Patience, Told, decide},
    task::Ended,
};

/// Tells everybody at once what is to be told, and remembers what somebody took.
pub(super) async fn tell(here: &Here<'_>, ended: Vec<Ended>, now: DateTime<Utc>) {
    let channels = &here.settings.config.notify;
    if channels.is_empty() {
        return;
    }
    let told: Vec<Told> = here
        .records()
        .and_then(|records| records.read(TOLD).ok())
        .map_or_else(Vec::new, |told: BTreeMap<String, Told>| told.into_values().collect());
    let decision = decide(&here.cluster, &ended, &told, now);
    decision.changed.iter().for_each(|told| keep(here, told));
    decision.over.iter().for_each(|told| remove(here, told));
    let mut channels: Vec<Patience<'_>> =
        channels.iter().map(|channel| Patience::with(channel, notify::PATIENCE)).collect();
    for (message, all) in decision.messages {
        let wanting: Vec<&mut Patience<'_>> =
            channels.iter_mut().filter(|one| one.channel.wants(&message)).collect();
        let taken = wanting.is_empty() || send(here, wanting, &message).await;
        for told in all {
            match message.kind {
                Kind::Recovered | Kind::TakenOver if taken => remove(here, &told),
                _ if taken => keep(here, &Told { at: Some(now), ..told }),
                // It began when it began. Of what somebody was told earlier nothing new is known to them.
                _ if told.at.is_none() => keep(here, &told),
                _ => {}
            }
        }
    }
}

fn keep(here: &Here<'_>, told: &Told) {
    let kept = here.records().map(|records| records.keep(TOLD, &told.subject(), told));
    warn_unless_kept(here, kept);
}

fn remove(here: &Here<'_>, told: &Told) {
    let gone = here.records().map(|records| records.remove(TOLD, &told.subject()));
    warn_unless_kept(here, gone);
}

fn warn_unless_kept(here: &Here<'_>, kept: Option<Result<()>>) {
    if let Some(Err(error)) = kept {
        here.cx.terminal.warn(format!("that somebody was told is not remembered: {error}"));
    }
}

/// Sends a message on every channel that wants it; whether one took it.
async fn send(here: &Here<'_>, channels: Vec<&mut Patience<'_>>, message: &Message) -> bool {
    let host = machine();
    let sent = channels.into_iter().map(async |one| (one.channel.name(), one.send(message, &host).await));
    let mut taken = false;
    for (channel, sent) in join_all(sent).await {
        match sent {
            Some(sent) => {
                taken |= sent.is_ok();
                delivered(here, channel, sent);
            }
            None => here.cx.terminal.detail(format!("{channel} is not asked again: it did not answer")),
        }
    }
    taken
}

/// Remembers how a channel took something, and warns where it did not.
pub(super) fn delivered(here: &Here<'_>, channel: String, sent: Result<()>) {
    if let Err(error) = &sent {
        here.cx.terminal.warn_of(&channel, error);
    }
    let Some(records) = here.records() else { return };
    let before = records.read::<Delivery>(DELIVERY).unwrap_or_default();
    let before = before.into_values().find(|delivery| delivery.channel == channel);
    let (taken, refused) = before.map_or((None, None), |before| (before.taken_at, before.refused_at));
    let now = Some(Utc::now());
    let (taken_at, refused_at) = if sent.is_ok() { (now, refused) } else { (taken, now) };
    let delivery = Delivery { cluster: here.cluster.clone(), channel: channel.clone(), taken_at, refused_at };
    if let Err(error) = records.keep(DELIVERY, &channel, &delivery) {
        here.cx.terminal.detail(format!("how {channel} took it is not remembered: {error}"));
    }
}
