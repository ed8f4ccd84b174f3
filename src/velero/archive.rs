//! The archive's entries, streamed.
//!
//! In: a `.tar.gz`. Out: its entries one by one, and the sha256 of its bytes. Invariant: it is read to its very end, so
//! that what is cut off is damaged and never only shorter.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result, model::hex};

/// etcd takes no object larger than 1.5 MiB; indented, with managed fields, it is a few times that.
const LARGEST: u64 = 16 << 20;

/// One file in the archive.
pub(super) struct Entry<'a> {
    /// Its path, in parts.
    pub(super) path: &'a [&'a str],
    /// When Velero wrote it.
    pub(super) written_at: Option<DateTime<Utc>>,
    size: u64,
    content: RefCell<&'a mut dyn Read>,
}

impl Entry<'_> {
    /// Its content.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        if self.size > LARGEST {
            return Err(Error::damaged(format!(
                "its entry {} is larger than a Kubernetes object can be",
                self.path.join("/")
            )));
        }
        let mut content = Vec::with_capacity(usize::try_from(self.size).unwrap_or_default());
        let read = self.content.borrow_mut().read_to_end(&mut content);
        read.map(|_| content).map_err(|e| Error::damaged("it is cut off or damaged").because(e))
    }
}

/// Calls `each` with every file of the archive; returns its sha256 in hex.
pub(super) fn each(file: &Path, mut each: impl FnMut(Entry<'_>) -> Result<()>) -> Result<String> {
    let shown = file.display();
    let opened = File::open(file)
        .map_err(|e| Error::usage(format!("the Velero archive {shown} cannot be opened")).because(e))?;
    let name = format!("the Velero archive {shown}");
    let damaged = |e: io::Error| {
        Error::damaged(format!("{name} is cut off or damaged"))
            .because(e)
            .hint("get it again: velero backup download BACKUP")
    };
    let mut hash = Hashed { inner: opened, hash: Sha256::new() };
    let mut unpacked = MultiGzDecoder::new(BufReader::new(&mut hash));
    let mut archive = tar::Archive::new(&mut unpacked);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
        let path: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let mtime = entry.header().mtime().ok().filter(|seconds| *seconds > 0);
        let written_at = mtime.and_then(|s| DateTime::from_timestamp(i64::try_from(s).ok()?, 0));
        let size = entry.size();
        each(Entry { path: &path, written_at, size, content: RefCell::new(&mut entry) })
            .map_err(|error| error.doing(&name))?;
    }
    io::copy(&mut unpacked, &mut io::sink()).map_err(damaged)?;
    drop(unpacked);
    io::copy(&mut hash, &mut io::sink()).map_err(damaged)?;
    Ok(hex(&hash.hash.finalize()))
}

struct Hashed {
    inner: File,
    hash: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}
