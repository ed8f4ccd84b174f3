//! Telling somebody that something went wrong, and that it is over.
//!
//! In: how tasks ended, which problems were told of, channels. Out: messages, each sent within its patience or refused
//! with why. Invariant: a problem is the same one the next night, so its messages have one subject and one thread;
//! no message has content of any object, and no error anything of a password, a token or a webhook's path.

mod decide;
mod message;
mod smtp;
mod webhook;

pub use decide::{Decision, Told, decide};
pub use message::{Kind, Message};
pub use smtp::{Smtp, Tls};
pub use webhook::{Address, Webhook};

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{Result, model::Severity, task::Event};

/// How long one channel is waited for, from connection to answer.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Of what.
    pub on: BTreeSet<Event>,
    /// Of what has degrees only what is, or was when somebody was told, at least that severe.
    pub min_severity: Severity,
    /// How.
    pub way: Way,
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A POST of JSON.
    Webhook(Webhook),
    /// A mail.
    Smtp(Smtp),
}

impl Channel {
    /// As it is called in warnings and metrics: `webhook https://hooks.lab`, `smtp mail.lab:587`.
    pub fn name(&self) -> String {
        match &self.way {
            Way::Webhook(webhook) => format!("webhook {}", webhook.shown()),
            Way::Smtp(smtp) => format!("smtp {}:{}", smtp.host, smtp.port),
        }
    }

    /// Whether it wants a message: of a recovery those who were told of the problem.
    pub fn wants(&self, message: &Message) -> bool {
        self.on.contains(&message.event)
            && message.reach.is_none_or(|reach| reach >= self.min_severity)
            && (message.kind != Kind::Recovered || self.on.contains(&Event::Recovered))
    }

    /// Sends; `host` is this machine's name.
    ///
    /// # Errors
    /// It was not taken, with why, within `patience`.
    pub async fn send(&self, message: &Message, host: &str, patience: Duration) -> Result<()> {
        let sent = match &self.way {
            Way::Webhook(webhook) => webhook.send(message, host, patience).await,
            Way::Smtp(smtp) => smtp.send(message, host, patience).await,
        };
        sent.map_err(|error| match (error.hints(), &self.way) {
            ([], Way::Smtp(smtp)) => error.hint(format!("what answers here: {}", smtp.asks())),
            _ => error,
        })
    }
}

/// A channel during one run, and what is left of the patience with it: one that hangs is waited for once, however much is
/// to be told.
pub struct Patience<'a> {
    /// Which.
    pub channel: &'a Channel,
    left: Duration,
}

impl<'a> Patience<'a> {
    /// Of a run that begins.
    pub const fn with(channel: &'a Channel, left: Duration) -> Self {
        Self { channel, left }
    }

    /// As [`Channel::send`], where patience is left; none where it is not asked any more.
    pub async fn send(&mut self, message: &Message, host: &str) -> Option<Result<()>> {
        if self.left.is_zero() {
            return None;
        }
        let asked = Instant::now();
        let sent = self.channel.send(message, host, self.left).await;
        // It posts to the very address with its token: no other command does without showing them.
        let sent = sent.map_err(|error| {
            error.hint("when it is mended, post a test as messages are: netdr notify --test")
        });
        if sent.is_err() {
            self.left = self.left.saturating_sub(asked.elapsed());
        }
        Some(sent)
    }
}

#[cfg(test)]
mod tests;
