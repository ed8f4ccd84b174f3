//! `netdr extract`: a snapshot's content as files that `kubectl apply` takes.

use std::{fs, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::{context::Context, exit::Exit, show::trusted, words::count};
use crate::{
    Error, Result,
    model::{Component, SnapshotId},
};

/// Unpack a snapshot's content; needs an identity.
#[derive(Args)]
pub(super) struct Extract {
    /// Which snapshot
    id: SnapshotId,
    /// Only these components; repeatable [default: all of them]
    #[arg(long, value_name = "NAME")]
    component: Vec<Component>,
    /// Unpack into this folder, one below it per component; it must be empty or absent
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

impl Extract {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let listed = repository.get(&self.id, &settings.trusted()?, cx.now)?;
        let header = trusted(&listed)?;
        let there: Vec<Component> = header.bundles.iter().map(|b| b.component).collect();
        if let Some(missing) = self.component.iter().find(|c| !there.contains(c)) {
            let there: Vec<&str> = there.iter().map(|c| c.name()).collect();
            return Err(Error::usage(format!("snapshot {} has no component {missing}", header.id))
                .hint(format!("it has: {}", there.join(", "))));
        }
        self.empty()?;
        let identities = settings.identities()?;
        let wanted = |c: &Component| self.component.is_empty() || self.component.contains(c);
        let wanted: Vec<Component> = there.into_iter().filter(wanted).collect();
        let absent = !self.to.exists();
        let unpacked = wanted.iter().try_fold(0, |files, component| {
            let _phase = cx.terminal.phase(format!("unpacking {component}"));
            let to = self.to.join(component.name());
            Ok(files + repository.extract(header, *component, &identities, &to)?)
        });
        if unpacked.is_err() {
            self.take_back(&wanted, absent);
        }
        let files = unpacked?;
        let document = json!({"snapshot": header.id, "to": self.to, "files": files});
        cx.terminal.answer(&document, || {
            format!("{} in {}, in clear: remove them after use\n", count(files, "file"), self.to.display())
        })?;
        Ok(Exit::Done)
    }

    /// Half of a snapshot in clear is of no use to anybody who was told that there is none. What cannot be removed
    /// is named by the next attempt, to which the folder is not empty.
    fn take_back(&self, components: &[Component], absent: bool) {
        for component in components {
            let _ = fs::remove_dir_all(self.to.join(component.name()));
        }
        if absent {
            let _ = fs::remove_dir(&self.to);
        }
    }

    /// Secrets must not land among files that somebody serves or commits.
    fn empty(&self) -> Result<()> {
        let shown = self.to.display();
        match fs::read_dir(&self.to).map(|mut entries| entries.next().is_some()) {
            Ok(true) => {
                Err(Error::usage(format!("{shown} is not empty")).hint("name a new folder with --to DIR"))
            }
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::usage(format!("{shown} cannot be unpacked into")).because(e))
            }
            _ => Ok(()),
        }
    }
}
