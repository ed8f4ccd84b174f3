//! The places outside, read back.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    Result,
    cli::{context::Context, interrupt, places, settings::Settings, words::count},
    model::SnapshotId,
    repository::{Damage, fetch, s3::Bucket},
    signature::TrustedSigners,
};

/// What reading back came to.
#[derive(Default)]
pub(super) struct Outside {
    pub(super) damaged: Vec<Damage>,
    /// `{place, checked, unproved, without_header}` of each that answered.
    pub(super) document: Vec<Value>,
    pub(super) text: String,
    /// Whether one did not answer.
    pub(super) unasked: bool,
    /// Whether one has objects of a snapshot, and no header.
    pub(super) headless: bool,
}

/// Reads back what the places have of these snapshots, or of all.
pub(super) fn read(
    cx: &Context,
    settings: &Settings,
    trusted: &TrustedSigners,
    ids: &[SnapshotId],
) -> Result<Outside> {
    interrupt::run(&|| "nothing was changed; start again with: netdr verify --read-data".into(), async {
        let mut outside = Outside::default();
        let chosen: Vec<_> = settings.config.replicas.iter().collect();
        for (name, bucket) in places::open(&chosen).await {
            let read = async { outside.place(cx, &bucket?, trusted, ids).await };
            if let Err(error) = read.await {
                cx.terminal.error(&places::at(&name, error));
                outside.unasked = true;
            }
        }
        Ok(outside)
    })
}

impl Outside {
    async fn place(
        &mut self,
        cx: &Context,
        bucket: &Bucket,
        trusted: &TrustedSigners,
        ids: &[SnapshotId],
    ) -> Result<()> {
        let name = &bucket.place().name;
        let stored = bucket.stored().await?;
        let wanted: BTreeSet<&SnapshotId> = ids.iter().collect();
        let mut whole = fetch::whole(&stored);
        let asked = |id: &SnapshotId| wanted.is_empty() || wanted.contains(id);
        let headless: Vec<&SnapshotId> =
            stored.keys().filter(|id| asked(id) && !whole.contains(id)).collect();
        self.headless |= !headless.is_empty();
        whole.retain(asked);
        let phase =
            cx.terminal.phase(format!("reading {} back from {name}", count(whole.len() as u64, "snapshot")));
        phase.parts(whole.len() as u64);
        let mut unproved = Vec::new();
        for listed in bucket.listed(&whole, trusted, cx.now).await? {
            let objects = stored.get(&listed.id).map_or(&[][..], Vec::as_slice);
            let proof = bucket.prove(&listed, objects, cx.now).await?;
            self.damaged.extend(proof.damages);
            unproved.extend(proof.unproved.into_iter().map(|file| format!("{}/{file}", listed.id)));
            phase.part();
        }
        self.text += &format!("place {name}: {} checked\n", count(whole.len() as u64, "snapshot"));
        for id in &headless {
            self.text += &format!(
                "place {name}: {id} has no header there and is no snapshot: a copy that is under way, or was cut off, or somebody \
                 deleted it; where it is here, complete it with: netdr replicate {id}\n"
            );
        }
        if !unproved.is_empty() {
            let files = count(unproved.len() as u64, "file");
            self.text +=
                &format!("place {name}: {files} archived without a sha256: only a thaw proves them\n");
        }
        self.document.push(
            json!({"place": name, "checked": whole.len(), "unproved": unproved, "without_header": headless}),
        );
        Ok(())
    }
}
