//! `netdr keys check`: will the keys open what a restore needs?

use clap::Args;
use serde_json::{Value, json};

use crate::{
    Error, Result,
    cli::{
        context::Context,
        exit::Exit,
        settings::Settings,
        words::{age, count, time},
    },
    keys::{self, Newest, Proof},
    model::Set,
    repository::Proved,
    seal::{Recipients, fingerprint},
};

/// Prove, before the disaster, that identities open the newest snapshot of every set: every item of it is read
///
/// Each identity given is tried by itself: bring the operator's and the break-glass one.
#[derive(Args)]
pub(in crate::cli) struct Check {}

impl Check {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let listed = repository.list(&settings.trusted()?, cx.now)?;
        let newest = keys::newest(&listed);
        if newest.is_empty() {
            return Err(Error::failed(format!(
                "{} has no trusted snapshot to open",
                repository.root().display()
            ))
            .hint("make one with: netdr backup")
            .hint("see what there is with: netdr snapshots"));
        }
        let openers = settings.openers()?;
        let known = known(&settings);
        let phase = cx.terminal.phase(format!("opening {}", count(newest.len() as u64, "snapshot")));
        phase.parts(newest.len() as u64);
        let (mut lines, mut documents, mut exit) = (String::new(), Vec::new(), Exit::Done);
        let mut proved = Vec::new();
        for one in &newest {
            let proof = keys::check(&repository, one, &openers)?;
            exit = exit.max(outcome(&proof)).max(Exit::Damaged.when(!one.untrusted.is_empty()));
            proved.extend(recorded(one, &proof, cx));
            documents.push(document(one, &proof, known.as_ref()));
            lines += &said(one, &proof, known.as_ref(), cx);
            phase.part();
        }
        drop(phase);
        super::record(&repository, &proved, cx);
        let other = known.as_ref().map(Recipients::fingerprints);
        if let Some(other) = other
            && newest.iter().any(|one| !one.header.sealed_to.is_empty() && one.header.sealed_to != other)
        {
            cx.terminal.warn(
                "some are sealed to other recipients than the configuration names; to seal them anew: netdr keys rotate --recipients FILE",
            );
        }
        for set in [Set::Network, Set::Certificates, Set::Host] {
            if newest.iter().all(|one| one.header.set != set) {
                cx.terminal.note(format!("there is no snapshot of set {set}"));
            }
        }
        cx.terminal.report(exit, &json!({"checked": documents}), || lines)?;
        Ok(exit)
    }
}

/// What is remembered of a proof: which recipients' identities opened all of it.
fn recorded(one: &Newest<'_>, proof: &Proof, cx: &Context) -> Vec<Proved> {
    let recipients = proof.proved.iter().filter(|_| proof.is_whole());
    let proved = |recipient: &String| Proved {
        recipient: recipient.clone(),
        set: one.header.set,
        snapshot: one.header.id.clone(),
        at: cx.now,
    };
    recipients.map(proved).collect()
}

/// The recipients of the configuration, where it names any rightly.
fn known(settings: &Settings) -> Option<Recipients> {
    settings.names_recipients().then(|| settings.recipients().ok()).flatten()
}

fn outcome(proof: &Proof) -> Exit {
    let closed = !proof.not_opened_by.is_empty() || proof.unread.is_some();
    Exit::Damaged.when(!proof.damages.is_empty()).max(Exit::Failed.when(closed))
}

/// A recipient as it is known, else its fingerprint.
fn recipient<'a>(fingerprint_of: &'a str, known: Option<&'a Recipients>) -> &'a str {
    let mut lines = known.into_iter().flat_map(Recipients::lines);
    lines.find(|line| fingerprint(line) == fingerprint_of).map_or(fingerprint_of, String::as_str)
}

fn document(one: &Newest<'_>, proof: &Proof, known: Option<&Recipients>) -> Value {
    let header = one.header;
    let named = |all: &[String]| -> Vec<String> {
        all.iter().map(|fingerprint| recipient(fingerprint, known).to_owned()).collect()
    };
    json!({
        "id": header.id, "set": header.set, "node": header.node, "cluster": header.cluster.name,
        "captured_at": time(header.captured_at), "state": header.state,
        "items": header.bundles.iter().map(|bundle| bundle.items).sum::<u64>(),
        "whole": proof.is_whole(),
        "opened_by": proof.opened_by, "not_opened_by": proof.not_opened_by,
        "proved": named(&proof.proved), "unproved": named(&proof.unproved),
        "damaged": proof.damages.iter().map(|d| json!({"what": d.what, "where": d.place})).collect::<Vec<Value>>(),
        "unread": proof.unread.as_ref().map(ToString::to_string),
        "passed_over": one.passed_over,
        "untrusted": one.untrusted.iter().map(|(id, why)| json!({"id": id, "why": why})).collect::<Vec<Value>>(),
    })
}

fn said(one: &Newest<'_>, proof: &Proof, known: Option<&Recipients>, cx: &Context) -> String {
    let header = one.header;
    let items = header.bundles.iter().map(|bundle| bundle.items).sum();
    let what = match proof.is_whole() {
        true => "every item opened and as it was",
        false => "NOT PROVED",
    };
    let mut text = format!(
        "{}  {} of {}, {}: {what}\n",
        header.id,
        count(items, "item"),
        header.cluster.name,
        age(header.captured_at, cx.now)
    );
    let mut line = |line: String| text += &format!("  {line}\n");
    proof.opened_by.iter().for_each(|name| line(format!("opens      {name}")));
    proof.not_opened_by.iter().for_each(|name| line(format!("NOT OPENED BY {name}")));
    for fingerprint in &proof.unproved {
        line(format!("not proved {}: bring its identity, --identity FILE", recipient(fingerprint, known)));
    }
    if header.sealed_to.is_empty() {
        line("an older netdr made it, which did not record its recipients".into());
    }
    proof.damages.iter().for_each(|d| line(format!("DAMAGED    {}: {}", d.place, d.what)));
    proof.unread.iter().for_each(|why| line(format!("NOT READ   {why}")));
    for id in &one.passed_over {
        line(format!("newer, but not complete: {id}"));
    }
    for (id, why) in &one.untrusted {
        line(format!("NEWER, BUT UNTRUSTED: {id}: {why}"));
    }
    text
}
