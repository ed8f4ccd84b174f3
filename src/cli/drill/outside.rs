//! The copies outside: whether each place has the snapshots that were drilled, by a HEAD of each file, and when asked by a real
//! request to its archive.

use chrono::Utc;

use crate::{
    Result,
    cli::{places, settings::Settings, thaw::when},
    drill::Subject,
    model::{Occasion, SnapshotHeader},
    report::Check,
    repository::{
        archive::Tier,
        s3::{self, Bucket, Place},
        thaw::{Thaw, files},
    },
};

/// For how many days what is thawed for a drill can be read: it is only to be shown that it can.
const DAYS: u32 = 1;

/// A check for each place.
pub(super) async fn look(settings: &Settings, subject: &Subject, thaw: bool) -> Vec<Check> {
    let places: Vec<&Place> = settings.config.replicas.iter().collect();
    let mut checks = Vec::new();
    for (name, bucket) in places::open(&places).await {
        let mut check = Check::new(&format!("place {name} has the snapshots that were drilled"));
        for (header, _) in &subject.snapshots {
            if header.occasion == Occasion::Change {
                check.passed(format!("{}: of a change, and kept here alone", header.id));
                continue;
            }
            let looked = async {
                let bucket = bucket.as_ref().map_err(|error| crate::Error::failed(error.to_string()))?;
                let mut said = heads(bucket, header).await?;
                said += &match thaw {
                    true => asked(bucket, header, settings).await?,
                    false => "; no archive was asked for them (--thaw asks)".into(),
                };
                Ok::<_, crate::Error>(said)
            };
            match looked.await {
                Ok(said) => check.passed(format!("{}: {said}", header.id)),
                Err(error) => check.failed(format!("{}: {error}", header.id)),
            }
        }
        checks.push(check);
    }
    checks
}

/// What HEADs say of each file.
async fn heads(bucket: &Bucket, header: &SnapshotHeader) -> Result<String> {
    let mut classes = std::collections::BTreeSet::new();
    let mut count = 0;
    for (file, bytes) in files(header) {
        let path = s3::path(&header.id, &file);
        let head = bucket.head(&path).await?;
        let head =
            head.ok_or_else(|| crate::Error::damaged(format!("{} is missing", bucket.place().url(&path))))?;
        if bytes.is_some_and(|bytes| bytes != head.bytes) {
            return Err(crate::Error::damaged(format!("{} is of another size", bucket.place().url(&path))));
        }
        classes.extend(head.class.map(|class| class.name()));
        count += 1;
    }
    let classes: Vec<&str> = classes.into_iter().collect();
    Ok(format!("{count} files are there, by HEAD, in class {}", classes.join(", ")))
}

/// Asks the archive for them.
async fn asked(bucket: &Bucket, header: &SnapshotHeader, settings: &Settings) -> Result<String> {
    let thaw = Thaw {
        bucket,
        id: &header.id,
        header: Some(header),
        tier: Tier::Bulk,
        days: DAYS,
        root: settings.repository_path()?,
        clock: Utc::now,
    };
    let state = thaw.ask().await?.state();
    Ok(format!("; asked for from its archive: {} {}", state.name(), when(state)))
}
