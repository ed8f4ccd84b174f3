//! `netdr extract`: a snapshot's content as files that `kubectl apply` takes.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::Args;
use serde_json::json;

use super::{
    choice::one_of,
    context::Context,
    exit::Exit,
    interrupt,
    restore::Source as Which,
    show::{self, trusted},
    words::count,
};
use crate::{
    Error, Result,
    model::{Component, SnapshotHeader},
    repository::Repository,
    seal::Identities,
};

/// Unpack a snapshot's content; needs an identity.
#[derive(Args)]
pub(super) struct Extract {
    /// Which snapshot; latest is the newest complete one
    #[arg(value_name = "ID|latest")]
    id: Which,
    /// Only these components; repeatable [default: all of them]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Component>(Component::ALL.map(Component::name)))]
    component: Vec<Component>,
    /// Unpack into this folder, one below it per component; it must be empty or absent
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// What is unpacked, and what opens it.
struct Source {
    repository: Repository,
    header: SnapshotHeader,
    identities: Identities,
}

/// Stops the thread that unpacks when nobody waits for it any more.
#[derive(Default)]
struct Unwanted(Arc<AtomicBool>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Extract {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let signers = settings.trusted()?;
        let listed =
            repository.get(&show::chosen(&self.id, &repository, &settings, cx)?, &signers, cx.now)?;
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
        let source = Arc::new(Source { repository, header: header.clone(), identities });
        let unpacked = interrupt::run(&|| "nothing of it is kept".into(), self.unpack(cx, &source, &wanted));
        if unpacked.is_err() {
            self.take_back(&wanted, absent);
        }
        let files = unpacked?;
        let document = json!({"snapshot": header.id, "to": self.to, "files": files});
        cx.terminal.report(Exit::Done, &document, || {
            format!("{} in {}, in clear: remove them after use\n", count(files, "file"), self.to.display())
        })?;
        Ok(Exit::Done)
    }

    /// On threads of their own: who waits for them can be interrupted.
    async fn unpack(&self, cx: &Context, source: &Arc<Source>, components: &[Component]) -> Result<u64> {
        let unwanted = Unwanted::default();
        let mut files = 0;
        for component in components.iter().copied() {
            let _phase = cx.terminal.phase(format!("unpacking {component}"));
            let (source, to) = (Arc::clone(source), self.to.join(component.name()));
            let stop = Arc::clone(&unwanted.0);
            let unpacking = tokio::task::spawn_blocking(move || {
                source.repository.extract(&source.header, component, &source.identities, &to, &stop)
            });
            files += unpacking.await.map_err(|e| Error::failed("unpacking was interrupted").because(e))??;
        }
        Ok(files)
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
