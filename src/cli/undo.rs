//! `netdr undo`: puts back what a run changed.

use clap::Args;

use super::{context::Context, course::Course, exit::Exit};
use crate::{
    Result,
    cluster::Cluster,
    model::RunId,
    restore::{Past, Undo as Request},
};

/// Put back what a restore, or an undo, changed
#[derive(Args)]
#[command(
    after_help = "Shows what it would put back and asks first. What was changed since that run is left alone and named, \
                  as is every namespace and CustomResourceDefinition that it made."
)]
pub(super) struct Undo {
    /// Which run, as netdr runs lists it
    run: RunId,
    #[command(flatten)]
    course: Course,
}

impl Undo {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        self.course.may_ask("undo")?;
        let settings = cx.settings()?;
        let repository = settings.repository()?;
        let folder = self.course.folder(&repository, &self.run);
        let past = Past::read(&folder)?;
        let recipients = match settings.recipients() {
            Err(_) if !settings.names_recipients() => settings.identities()?.recipients()?,
            recipients => recipients?,
        };
        let run = cx.run("undo");
        let again = format!("undo {}", self.run);
        self.course.run(cx, &run.clone(), &again, async |going| {
            let cluster = Cluster::connect(&settings.access()?).await?;
            let identities = || settings.identities();
            let request = Request {
                past,
                folder: &folder,
                identities: &identities,
                cluster: &cluster,
                host_root: &cx.flags.host_root,
                command_line: self.course.again(cx),
                now: cx.now,
                run,
            };
            let phase =
                cx.terminal.phase(format!("opening the safety snapshot and reading {}", cluster.server()));
            let prepared = request.prepare().await?;
            drop(phase);
            going.on(prepared, &cluster, &repository, &recipients).await
        })
    }
}
