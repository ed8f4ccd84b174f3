//! Where the programs of a control plane are, and what to do where they are not.

use std::path::PathBuf;

use crate::{Error, Result};

/// Folders that hold the programs; the first that has one is taken.
#[derive(Clone, Debug)]
pub struct Programs {
    folders: Vec<PathBuf>,
}

impl Programs {
    /// Looks in these folders, in this order: callers pass KUBEBUILDER_ASSETS and `target/control-plane/bin`.
    ///
    /// # Errors
    /// When none of them has kube-apiserver and etcd.
    pub fn find(folders: &[PathBuf]) -> Result<Self> {
        // Each program runs in a folder of its own, where a relative path would mean another place.
        let absolute = |folder: &PathBuf| std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
        let programs = Self { folders: folders.iter().map(absolute).collect() };
        programs.need(&["etcd", "kube-apiserver"])?;
        Ok(programs)
    }

    /// The path of one: where it is, or where it would be looked for first.
    pub fn path(&self, name: &str) -> PathBuf {
        let mut places = self.folders.iter().map(|folder| folder.join(name));
        places.clone().find(|path| path.is_file()).or_else(|| places.next()).unwrap_or_else(|| name.into())
    }

    /// Whether all of these are there.
    pub fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.path(name).is_file())
    }

    /// An error that says which are missing and how to get them.
    pub(super) fn need(&self, names: &[&str]) -> Result<()> {
        let missing: Vec<&str> = names.iter().copied().filter(|name| !self.path(name).is_file()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let looked: Vec<_> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        Err(Error::usage(format!("a control plane needs {}", missing.join(", ")))
            .why(format!("not found in {}", looked.join(" nor ")))
            .hint("install Go 1.26 or newer and build them, once: make control-plane")
            .hint("or set KUBEBUILDER_ASSETS to a folder that has them, as setup-envtest makes it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_both_ways_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("etcd"), "").unwrap();
        let error = Programs::find(&[folder.path().into()]).unwrap_err();
        assert!(error.to_string().contains("kube-apiserver"));
        assert!(!error.to_string().contains("etcd,"));
        assert!(error.hints()[0].contains("make control-plane"));
        assert!(error.hints()[1].contains("KUBEBUILDER_ASSETS"));
    }

    #[test]
    fn each_is_taken_from_the_first_folder_that_has_it() {
        let (assets, built) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["etcd", "kube-apiserver"] {
            std::fs::write(assets.path().join(name), "").unwrap();
            std::fs::write(built.path().join(name), "").unwrap();
        }
        std::fs::write(built.path().join("kwok"), "").unwrap();
        let programs = Programs::find(&[assets.path().into(), built.path().into()]).unwrap();
        assert_eq!(programs.path("etcd"), assets.path().join("etcd"));
        assert_eq!(programs.path("kwok"), built.path().join("kwok"));
    }
}
