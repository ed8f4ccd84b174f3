//! A kubeconfig that tells whether anybody read it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::support::kubeconfig_of;

/// Of a cluster that is not there: who reads it does so for the first time since 1970 (relatime, mount(8)).
pub(super) struct Trap(PathBuf);

impl Trap {
    pub(super) fn at(path: PathBuf) -> Self {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, kubeconfig_of("https://127.0.0.1:1")).unwrap();
        let times = fs::FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH);
        fs::File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn is_sprung(&self) -> bool {
        fs::metadata(&self.0).unwrap().accessed().unwrap() > SystemTime::UNIX_EPOCH
    }
}
