//! Places outside, for the verbs that ask them.

use super::{
    context::Context,
    interrupt,
    settings::Settings,
    words::{age, count},
};
use crate::{
    Error, Result,
    model::SnapshotId,
    repository::{
        Repository, fetch,
        s3::{Bucket, Place},
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

/// That there is a snapshot here to work with, or none is elsewhere either.
///
/// # Errors
/// When there is none here but places outside are configured; it says what these have, and how that comes here.
pub(super) fn some_here(cx: &Context, settings: &Settings) -> Result<()> {
    if settings.config.replicas.is_empty() || !nothing_here(settings)? {
        return Ok(());
    }
    let root = settings.repository_path()?.display();
    let lines =
        interrupt::run(&|| "nothing was changed".into(), async { Ok(elsewhere(cx, settings).await) })?;
    Err(lines.into_iter().fold(Error::failed(format!("no snapshot is in {root}")), Error::hint))
}

/// What the places outside have, one line each.
async fn elsewhere(cx: &Context, settings: &Settings) -> Vec<String> {
    let places: Vec<&Place> = settings.config.replicas.iter().collect();
    let mut lines = Vec::new();
    for (name, bucket) in open(&places).await {
        let stored = async { bucket?.stored().await.map_err(|e| at(&name, e)) };
        lines.push(match stored.await {
            Ok(stored) => line(&name, &fetch::whole(&stored), cx),
            Err(error) => error.to_string(),
        });
    }
    lines
}

fn line(name: &str, ids: &[SnapshotId], cx: &Context) -> String {
    match ids.last() {
        Some(newest) => format!(
            "place {name} has {}, the newest of {}: bring the newest of each set here with: netdr fetch latest",
            count(ids.len() as u64, "snapshot"),
            age(newest.captured_at(), cx.now),
        ),
        None => format!("place {name} has no snapshot"),
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
