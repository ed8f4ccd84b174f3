//! Reports: kept here in clear with their signatures, and copied to places outside sealed.
//!
//! In: reports' files. Out: objects of their names in a place. Invariant: a place outside learns no name of any object, as of
//! snapshots: what is copied there opens to the recipients alone.

use std::{io::Write, path::PathBuf};

use chrono::{DateTime, Utc};

use super::{
    Repository, disk, layout, regular,
    s3::{Body, Bucket, Put, Written},
};
use crate::{
    Error, Result,
    model::RunId,
    seal::{self, Recipients},
    signature::{self, TrustedSigners},
};

/// What became of the reports that a place lacked.
#[derive(Debug, Default)]
pub struct CopiedReports {
    /// Names of files that are there now.
    pub copied: Vec<String>,
    /// Names of reports that no trusted signer answers for, and that stay here.
    pub untrusted: Vec<String>,
}

impl Repository {
    /// The folder of reports.
    pub fn reports(&self) -> PathBuf {
        layout::reports(&self.root)
    }

    /// That a report of this many bytes can be kept here: asked before the work that it is of. Nothing of the try stays.
    ///
    /// # Errors
    /// When no such file can be written there.
    pub fn takes_a_report(&self, bytes: usize) -> Result<()> {
        // The folder comes with the first report.
        let folder =
            Some(self.reports()).filter(|folder| folder.exists()).unwrap_or_else(|| self.root.clone());
        let tried = tempfile::tempfile_in(&folder).and_then(|mut file| file.write_all(&vec![0; bytes]));
        tried.map_err(|e| disk::cannot("write a report into", &folder, e))
    }

    /// Copies the signed reports that a place lacks, each with its signature.
    ///
    /// # Errors
    /// When they cannot be read or sealed; when the place refuses, does not answer, or keeps other bytes. What is copied
    /// by then stays, and the next time goes on.
    pub async fn replicate_reports(
        &self,
        bucket: &Bucket,
        trusted: &TrustedSigners,
        recipients: &dyn Fn() -> Result<Recipients>,
        now: DateTime<Utc>,
    ) -> Result<CopiedReports> {
        let mut result = CopiedReports::default();
        let signed = self.signed_reports()?;
        if signed.is_empty() {
            return Ok(result);
        }
        let there = bucket.reports().await?;
        let mut known = None;
        for report in signed {
            let files = [format!("{report}.sig"), report.clone()];
            if files.iter().all(|name| there.contains(&object(name))) {
                continue;
            }
            let read = |name: &String| {
                let path = self.reports().join(name);
                regular::read(&path).map_err(|e| disk::cannot("read", &path, e))
            };
            let [signature, text] = [read(&files[0])?, read(&files[1])?];
            let said = String::from_utf8_lossy(&signature);
            if !trusted.check(signature::REPORT, &text, Some(&said), now).is_trusted() {
                result.untrusted.push(report);
                continue;
            }
            let recipients = match &known {
                Some(recipients) => recipients,
                None => known.insert(recipients()?),
            };
            for (name, content) in files.into_iter().zip([signature, text]) {
                if !there.contains(&object(&name)) {
                    bucket.put_report(&name, &content, recipients, now).await?;
                    result.copied.push(name);
                }
            }
        }
        Ok(result)
    }

    /// The names of reports that have a signature beside them, oldest first; those of restores have none.
    fn signed_reports(&self) -> Result<Vec<String>> {
        let folder = self.reports();
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut names = disk::names(&folder)?;
        names.sort();
        let report = |name: &String| {
            let report = name.strip_suffix(".sig")?;
            report.split('.').next()?.parse::<RunId>().ok()?;
            Some(report.to_owned())
        };
        Ok(names.iter().filter_map(report).filter(|report| names.contains(report)).collect())
    }
}

/// What a report's file is called in a place.
fn object(name: &str) -> String {
    format!("{name}.zst.age")
}

impl Bucket {
    /// Copies a report there, as `reports/NAME.zst.age`.
    ///
    /// # Errors
    /// When the place refuses, does not answer, or keeps other bytes.
    async fn put_report(
        &self,
        name: &str,
        text: &[u8],
        recipients: &Recipients,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut sealed = Vec::new();
        let seal::Sealed { sha256, .. } = seal::seal_bytes(text, recipients, &mut sealed)?;
        let path = format!("{}/{}", layout::REPORTS, object(name));
        let class = self.place().header_storage_class;
        match self.put(&Put { path: &path, body: Body::Bytes(&sealed), sha256: &sha256, class, now }).await? {
            Written::New { .. } | Written::There => Ok(()),
            Written::Changed => {
                Err(Error::damaged(format!("{} was changed on its way", self.place().url(&path))))
            }
        }
    }
}
