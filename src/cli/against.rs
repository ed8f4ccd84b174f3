//! `netdr drift --against git`: the live state beside what people author.
//!
//! In: the configuration's `git.sources`. Out: what differs, judged as any drift is, and that Git was seen equal, where it
//! was. Invariant: what is less grave than was asked for is different all the same, and Git was not equal.

use super::{
    context::Context,
    git::authored,
    history::{self, SOURCES},
    interrupt,
    settings::Settings,
};
use crate::{
    Result,
    cluster::Cluster,
    drift::{Report, Traces},
    model::{Severity, SourceName},
    repository::git_seen::GitSeen,
    restore::against::{Against, Comparing, against_git},
};

/// Compares, and judges what differs.
pub(super) fn git(cx: &Context, settings: &Settings, least: Severity) -> Result<Report> {
    let (trusted, repository) = (settings.trusted()?, settings.repository()?);
    let (found, cluster) = interrupt::run(&|| "nothing was changed".into(), async {
        let cluster = Cluster::connect(&settings.access()?).await?;
        let name = settings.cluster_name(&cluster);
        let _phase = cx.terminal.phase(format!("comparing {name} with Git"));
        let comparing = Comparing {
            objects: authored(settings, false)?,
            values: authored(settings, true)?,
            trusted: &trusted,
            cluster: &cluster,
            scope: &settings.config.scope,
            now: cx.now,
        };
        Ok((against_git(&comparing).await?, name))
    })?;
    let Against { seen, unread, warnings, commits } = found;
    warnings.iter().for_each(|warning| cx.terminal.warn(warning));
    let equal = seen.is_empty();
    // Neither equal nor different: what was not read may be either.
    if unread.is_empty() || !equal {
        let seen = commits.iter().map(|((url, branch), commit)| GitSeen {
            url: url.clone(),
            branch: branch.clone(),
            cluster: cluster.clone(),
            part: SOURCES.into(),
            commit: commit.clone(),
            at: cx.now,
            equal,
            equal_at: None,
        });
        history::keep(cx, &repository, seen);
    }
    let named = |((url, _), commit): ((String, String), String)| SourceName::Git { url, commit };
    let mut report = Report::of(seen, &Traces::default(), least, cx.now);
    report.against = commits.into_iter().map(named).collect();
    report.unread = unread;
    Ok(report)
}
