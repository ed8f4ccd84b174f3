//! Places outside, for the verbs that ask them.

use std::time::Duration;

use super::{
    context::Context,
    interrupt,
    settings::Settings,
    words::{age, count, objective},
};
use crate::{
    Error, Result,
    model::SnapshotId,
    repository::{
        Repository, fetch,
        s3::{Bucket, Place, Stored},
        thaw,
    },
};

/// Opens them in order; one that cannot be opened is in nobody's way.
pub(super) async fn open(places: &[&Place]) -> Vec<(String, Result<Bucket>)> {
    let mut opened = Vec::new();
    for place in places {
        opened.push((place.name.clone(), Bucket::open(place).await.map_err(|e| at(&place.name, e))));
    }
    opened
}

/// A failure, and which place it is of.
pub(super) fn at(place: &str, error: Error) -> Error {
    error.doing(format!("place {place}"))
}

/// That what is wanted is here: these snapshots, or for `latest` any at all.
///
/// # Errors
/// When it is not, but places outside are configured; it says what these have, how that comes here, and where the
/// objective cannot be met because it is archived.
pub(super) fn wanted_here(
    cx: &Context,
    settings: &Settings,
    wanted: &[SnapshotId],
    rto: Duration,
) -> Result<()> {
    if settings.config.replicas.is_empty() {
        return Ok(());
    }
    let root = settings.repository_path()?;
    let missing = match Repository::open(root) {
        Ok(repository) => wanted.iter().find(|id| !repository.has(id)),
        Err(_) => wanted.first(),
    };
    if missing.is_none() && !nothing_here(settings)? {
        return Ok(());
    }
    let lines = interrupt::run(&|| "nothing was changed".into(), async {
        Ok(elsewhere(cx, settings, missing, rto).await)
    })?;
    let what = missing.map_or_else(|| "no snapshot is".into(), |id| format!("snapshot {id} is not"));
    Err(lines.into_iter().fold(Error::failed(format!("{what} in {}", root.display())), Error::hint))
}

/// What the places outside have of a snapshot, or as their newest; one line each.
async fn elsewhere(
    cx: &Context,
    settings: &Settings,
    wanted: Option<&SnapshotId>,
    rto: Duration,
) -> Vec<String> {
    let places: Vec<&Place> = settings.config.replicas.iter().collect();
    let mut lines = Vec::new();
    for (name, bucket) in open(&places).await {
        let stored = async { bucket?.stored().await.map_err(|e| at(&name, e)) };
        lines.push(match stored.await {
            Ok(stored) => line(cx, &name, &stored, wanted, rto),
            Err(error) => error.to_string(),
        });
    }
    lines
}

fn line(cx: &Context, name: &str, stored: &Stored, wanted: Option<&SnapshotId>, rto: Duration) -> String {
    let whole = fetch::whole(stored);
    let of = wanted.map_or_else(|| whole.last(), |wanted| whole.iter().find(|id| *id == wanted));
    let Some(id) = of else {
        return wanted.map_or_else(
            || format!("place {name} has no snapshot"),
            |wanted| format!("place {name} has no snapshot {wanted}"),
        );
    };
    let (has, fetch) = match wanted {
        Some(id) => (format!("place {name} has it"), format!("bring it here with: netdr fetch {id}")),
        None => (
            format!(
                "place {name} has {}, the newest of {}",
                count(whole.len() as u64, "snapshot"),
                age(id.captured_at(), cx.now)
            ),
            "bring the newest of each set here with: netdr fetch latest".into(),
        ),
    };
    let objects = stored.get(id).map_or(&[][..], Vec::as_slice);
    match thaw::delay(objects, cx.now) {
        None => format!("{has}: {fetch}"),
        Some([(_, hours), (slow, more)]) => format!(
            "{has}, in an archive: a thaw takes up to {hours} h ({more} h in tier {}), so an RTO of {} cannot be met from \
             there. First: netdr thaw {id} --wait; then {fetch}",
            slow.name(),
            objective(rto)
        ),
    }
}

/// Whether there is no repository, or an empty one. One that is there and cannot be opened is its reader's to name.
fn nothing_here(settings: &Settings) -> Result<bool> {
    let root = settings.repository_path()?;
    match Repository::open(root) {
        Ok(repository) => repository.is_empty(),
        Err(_) => Repository::is_absent(root),
    }
}
