//! `netdr verify`: is every byte as it was written, and by whom?

mod places;

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};

use super::{context::Context, exit::Exit, interrupt, words::count};
use crate::{
    Result,
    model::SnapshotId,
    repository::{Damage, Listed},
    seal::Identities,
};

/// Check signatures and sha256; with an identity, open every item too
#[derive(Args)]
#[command(
    after_help = "With --read-data the places outside are read back as well. Nothing is thawed for it: of what is \
                        archived, the place is asked for the sha256 that it keeps."
)]
pub(super) struct Verify {
    /// Which snapshots [default: all]
    #[arg(value_name = "ID")]
    ids: Vec<SnapshotId>,
    /// All of them
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Insist on opening every item (without an identity, fail), and read the places outside back
    #[arg(long)]
    read_data: bool,
}

impl Verify {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        cx.about("verify");
        interrupt::outside("nothing was changed; run it again");
        let repository = settings.repository()?;
        let trusted = settings.trusted()?;
        let identities: Option<Identities> =
            if self.read_data { Some(settings.identities()?) } else { settings.identities_if_named()? };
        let listed: Vec<Listed> = if self.ids.is_empty() {
            repository.list(&trusted, cx.now)?
        } else {
            self.ids.iter().map(|id| repository.get(id, &trusted, cx.now)).collect::<Result<_>>()?
        };
        let phase = cx.terminal.phase(format!("verifying {}", count(listed.len() as u64, "snapshot")));
        phase.parts(listed.len() as u64);
        let (mut damaged, mut unchecked) = (Vec::new(), Vec::new());
        let mut outside = None;
        for one in &listed {
            match repository.verify(one, identities.as_ref()) {
                Ok(found) => damaged.extend(found),
                // What does not open, or cannot be read, hides neither its own damage nor that of others.
                Err(error) => {
                    damaged.extend(repository.verify(one, None).unwrap_or_default());
                    unchecked.push((&one.id, error));
                }
            }
            phase.part();
        }
        drop(phase);
        if self.read_data && !settings.config.replicas.is_empty() {
            let places = places::read(cx, &settings, &trusted, &self.ids)?;
            damaged.extend(places.damaged.iter().cloned());
            outside = Some(places);
        }
        for (number, (_, error)) in unchecked.iter().enumerate() {
            match number {
                0 => cx.terminal.error(error),
                _ => cx.terminal.warn(error.to_string()),
            }
        }
        let line = |d: &Damage| json!({"snapshot": d.snapshot, "what": d.what, "where": d.place});
        let document = json!({
            "checked": listed.len() - unchecked.len(),
            "opened": identities.is_some() && unchecked.is_empty() && damaged.is_empty(),
            "unchecked": unchecked.iter().map(|(id, e)| json!({"snapshot": id, "why": e.to_string()})).collect::<Vec<Value>>(),
            "damaged": damaged.iter().map(line).collect::<Vec<Value>>(),
            "places": outside.as_ref().map(|outside| &outside.document),
        });
        let checked = (listed.len() - unchecked.len()) as u64;
        let unasked = outside.as_ref().is_some_and(|outside| outside.unasked);
        let headless = Exit::Partial.when(outside.as_ref().is_some_and(|outside| outside.headless));
        let outside = outside.map_or_else(String::new, |outside| outside.text);
        let failed = Exit::Failed.when(!unchecked.is_empty() || unasked);
        let exit = Exit::Damaged.when(!damaged.is_empty()).max(failed).max(headless);
        cx.record.counted("checked", checked);
        cx.record.counted("damaged", damaged.len() as u64);
        cx.terminal.report(exit, &document, || outside + &said(checked, identities.is_some(), &damaged))?;
        Ok(exit)
    }
}

fn said(checked: u64, opened: bool, damaged: &[Damage]) -> String {
    let text: String = damaged.iter().map(|d| format!("{} {}: {}\n", d.snapshot, d.place, d.what)).collect();
    let how = match (opened, damaged.is_empty()) {
        (true, true) => "every item opened",
        (true, false) => "every item opened of what is whole",
        (false, _) => "items not opened: for that, pass --identity FILE",
    };
    let snapshots = |untrusted: bool| {
        let of = damaged.iter().filter(|d| d.is_untrusted() == untrusted).map(|d| &d.snapshot);
        of.collect::<BTreeSet<_>>().len()
    };
    let found = match (snapshots(false), snapshots(true)) {
        (0, 0) => "nothing damaged".into(),
        (0, untrusted) => format!("nothing damaged, {untrusted} untrusted"),
        (damaged, 0) => format!("{damaged} damaged"),
        (damaged, untrusted) => format!("{damaged} damaged, {untrusted} untrusted"),
    };
    text + &format!("{} checked, {found} ({how})\n", count(checked, "snapshot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_was_not_opened() {
        let damage = |place: &str| Damage {
            snapshot: "20261124T010000Z-network-7f3a9c".parse().unwrap(),
            what: "is missing".into(),
            place: place.into(),
        };
        assert!(said(2, true, &[]).ends_with("2 snapshots checked, nothing damaged (every item opened)\n"));
        let last = |damaged: &[Damage]| said(1, true, damaged).lines().last().unwrap_or_default().to_owned();
        let how = "(every item opened of what is whole)";
        let (bundle, outside) = (damage("cni.tar.zst.age"), damage("s3://b/snapshots/x/snapshot.json.sig"));
        assert_eq!(last(&[bundle.clone(), bundle.clone()]), format!("1 snapshot checked, 1 damaged {how}"));
        assert_eq!(
            last(std::slice::from_ref(&outside)),
            format!("1 snapshot checked, nothing damaged, 1 untrusted {how}")
        );
        assert_eq!(last(&[bundle, outside]), format!("1 snapshot checked, 1 damaged, 1 untrusted {how}"));
    }
}
