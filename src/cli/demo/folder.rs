//! The folder that the demo leaves behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{Error, Result};

/// Says that a folder is a demo's, so that the next demo may replace it.
const MARK: &str = ".netdr-demo";

/// A demo's own folder.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it afresh; a folder that is no demo's is never touched.
    pub(super) fn make(path: &Path) -> Result<Self> {
        let failed = |e: io::Error| {
            Error::failed(format!("cannot make the demo's folder {}", path.display())).because(e)
        };
        if path.join(MARK).exists() {
            fs::remove_dir_all(path).map_err(failed)?;
        } else if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::usage(format!("{} is not empty and is no demo's folder", path.display()))
                .hint("choose another with: netdr demo --out DIR"));
        }
        fs::create_dir_all(path).map_err(failed)?;
        fs::write(path.join(MARK), "").map_err(failed)?;
        fs::canonicalize(path).map(Self).map_err(failed)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// Moves the identities out of the job's reach, as `init` asks.
pub(super) fn take_away(folder: &Path) -> Result<()> {
    let failed = |e: io::Error| Error::failed("cannot move the demo's identities").because(e);
    fs::create_dir(folder.join("custody")).map_err(failed)?;
    for name in ["operator.txt", "break-glass.txt"] {
        fs::rename(folder.join("keys").join(name), folder.join("custody").join(name)).map_err(failed)?;
    }
    Ok(())
}

/// The JSON report that a restore left in `folder`.
pub(super) fn report(folder: &Path) -> Result<Value> {
    let failed = || Error::failed(format!("the restore left no report in {}", folder.display()));
    let entries = fs::read_dir(folder).map_err(|e| failed().because(e))?;
    let mut files =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "json"));
    let file = files.next().ok_or_else(failed)?;
    let text = fs::read_to_string(&file).map_err(|e| failed().because(e))?;
    serde_json::from_str(&text).map_err(|e| failed().because(e))
}
