//! `netdr notify --test`: do messages arrive?

use clap::Args;
use serde_json::{Value, json};

use super::{access::machine, context::Context, exit::Exit, interrupt, metrics, words::table};
use crate::{
    Error, Result,
    notify::{Channel, Message, PATIENCE},
};

/// Try whether messages arrive on every channel of `notify` of the configuration
#[derive(Args)]
pub(super) struct Notify {
    /// Send a test on each, whatever it is to be told of
    #[arg(long, required = true)]
    test: bool,
}

impl Notify {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let channels = &settings.config.notify;
        if !self.test || channels.is_empty() {
            return Err(Error::usage("the configuration names nobody who is told")
                .hint("write into netdr.yaml: notify: [{webhook: \"https://…\"}], or: notify: [{smtp: {server: …, from: …, to: […]}}]"));
        }
        let cluster = metrics::cluster(cx, &settings, settings.repository().ok().as_ref());
        let message = Message::test(&cluster, cx.now);
        let host = machine();
        let send = async |channel: &Channel| channel.send(&message, &host, PATIENCE).await;
        let sent = interrupt::run(&|| "try again: netdr notify --test".into(), async {
            let phase = cx.terminal.phase("sending a test on every channel");
            phase.parts(channels.len() as u64);
            let mut sent = Vec::new();
            for channel in channels {
                sent.push((channel.name(), send(channel).await));
                phase.part();
            }
            Ok(sent)
        })?;
        for (channel, result) in &sent {
            if let Err(error) = result {
                cx.terminal.warn_of(channel, error);
            }
        }
        let of = |(channel, result): &(String, Result<()>)| json!({"channel": channel, "sent": result.is_ok(), "why": result.as_ref().err().map(ToString::to_string)});
        let document = json!({"channels": sent.iter().map(of).collect::<Vec<Value>>()});
        let exit = Exit::Failed.when(sent.iter().any(|(_, result)| result.is_err()));
        cx.terminal.report(exit, &document, || {
            let row = |(channel, result): &(String, Result<()>)| {
                vec![channel.clone(), if result.is_ok() { "sent" } else { "not sent" }.into()]
            };
            table(&["channel", "test"], &sent.iter().map(row).collect::<Vec<_>>())
        })?;
        Ok(exit)
    }
}
