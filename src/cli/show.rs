//! `netdr show`: one snapshot's header, and with the index key the names of its items.

use clap::Args;
use serde_json::json;

use super::{
    context::Context,
    exit::Exit,
    restore::Source,
    settings::Settings,
    words::{age, bytes, table, time},
};
use crate::{
    Error, Result,
    model::{Index, SnapshotHeader, SnapshotId},
    repository::{Listed, Repository, fetch},
    signature::Trust,
};

/// Show a snapshot's header; no key is needed.
#[derive(Args)]
pub(super) struct Show {
    /// Which snapshot; latest is the newest complete one
    #[arg(value_name = "ID|latest")]
    id: Source,
    /// List its items as well; needs the index key or an identity
    #[arg(long)]
    items: bool,
}

impl Show {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let trusted = settings.trusted()?;
        let id = chosen(&self.id, &repository, &settings, cx)?;
        let listed = repository.get(&id, &trusted, cx.now)?;
        let header = header(&listed)?;
        let index = match self.items {
            true => Some(repository.index(header, &settings.index_openers(&cx.terminal)?)?),
            false => None,
        };
        let mut document = serde_json::to_value(header)
            .map_err(|e| Error::failed("the header cannot be written as JSON").because(e))?;
        document["trusted"] = json!(listed.trust.is_trusted());
        if let Some(index) = &index {
            document["facts"] = json!(index.facts);
            document["items"] = json!(index.entries);
        }
        cx.terminal.answer(&document, || said(header, &listed.trust, index.as_ref(), cx))?;
        Ok(Exit::Damaged.when(!listed.trust.is_trusted()))
    }
}

/// The id of a snapshot that is named, or the newest complete one.
pub(super) fn chosen(
    which: &Source,
    repository: &Repository,
    settings: &Settings,
    cx: &Context,
) -> Result<SnapshotId> {
    let Source::Snapshot(id) = which else {
        let listed = repository.list(&settings.trusted()?, cx.now)?;
        let newest = fetch::latest(&listed, settings.config.cluster_name.as_deref()).newest.pop();
        let none = || Error::failed("there is no complete snapshot that is trusted");
        return Ok(newest.ok_or_else(|| none().hint("what there is: netdr snapshots"))?.id.clone());
    };
    Ok(id.clone())
}

/// The header of a snapshot whose content is wanted.
pub(super) fn header(listed: &Listed) -> Result<&SnapshotHeader> {
    listed
        .header
        .as_ref()
        .map_err(|why| Error::damaged(format!("snapshot {} cannot be read", listed.id)).why(why.clone()))
}

/// The header of a snapshot that is to be believed.
pub(super) fn trusted(listed: &Listed) -> Result<&SnapshotHeader> {
    let header = header(listed)?;
    match &listed.trust {
        Trust::Trusted(_) => Ok(header),
        Trust::Untrusted(why) => Err(Error::damaged(format!("snapshot {} is untrusted: {why}", listed.id))
            .hint("see which are trusted with: netdr snapshots")),
    }
}

fn said(header: &SnapshotHeader, trust: &Trust, index: Option<&Index>, cx: &Context) -> String {
    let trust = match trust {
        Trust::Trusted(signer) => format!("signed by {signer}"),
        Trust::Untrusted(why) => format!("untrusted: {why}"),
    };
    let cluster = &header.cluster;
    let known = |text: &str| if text.is_empty() { "not known".to_owned() } else { text.to_owned() };
    let mut text = format!(
        "{id}\n  {trust}\n  cluster {name} (uid {uid}), Kubernetes {version}\n  captured {at} ({age}) by netdr {tool}\n  {state}\n",
        id = header.id,
        name = cluster.name,
        uid = known(&cluster.uid),
        version = known(&cluster.kubernetes),
        at = time(header.captured_at),
        age = age(header.captured_at, cx.now),
        tool = header.tool,
        state = header.state.name(),
    );
    for reason in &header.reasons {
        text += &format!("    {reason}\n");
    }
    if !header.sealed_to.is_empty() {
        text += &format!("  sealed to recipients of fingerprint {}\n", header.sealed_to.join(", "));
    }
    if let Some(old) = &header.reseals {
        text += &format!("  it is {old}, sealed anew\n");
    }
    let rows: Vec<Vec<String>> = header
        .bundles
        .iter()
        .map(|b| vec![b.component.to_string(), b.items.to_string(), bytes(b.bytes), b.sha256.clone()])
        .collect();
    text += &table(&["component", "items", "size", "sha256"], &rows);
    for entry in index.iter().flat_map(|i| &i.entries) {
        text += &format!("{} {}\n", entry.component, entry.key);
    }
    text
}
