//! `netdr drift --against git`: the live state beside what people author.
//!
//! In: the configuration's `git.sources`. Out: differences, and that Git was seen equal, where it was. Invariant: exit codes
//! are those of `drift`.

use serde_json::json;

use super::{
    compare::Compared,
    context::Context,
    exit::Exit,
    git::authored,
    history::{self, SOURCES},
    interrupt,
    settings::Settings,
};
use crate::{
    Result,
    cluster::Cluster,
    model::SourceName,
    repository::git_seen::GitSeen,
    restore::against::{Against, Comparing, against_git},
};

pub(super) fn git(cx: &Context, settings: &Settings) -> Result<Exit> {
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
    let Against { differences, unread, warnings, commits } = found;
    warnings.iter().for_each(|warning| cx.terminal.warn(warning));
    unread.iter().for_each(|unread| cx.terminal.warn(format!("not compared: {unread}")));
    // Neither equal nor different: what was not read may be either.
    if unread.is_empty() || !differences.is_empty() {
        let seen = commits.iter().map(|((url, branch), commit)| GitSeen {
            url: url.clone(),
            branch: branch.clone(),
            cluster: cluster.clone(),
            part: SOURCES.into(),
            commit: commit.clone(),
            at: cx.now,
            equal: differences.is_empty(),
            equal_at: None,
        });
        history::keep(cx, &repository, seen);
    }
    let named = |((url, _), commit): ((String, String), String)| SourceName::Git { url, commit };
    let against: Vec<SourceName> = commits.into_iter().map(named).collect();
    let document = json!({"against": against, "items": differences, "unread": unread});
    let compared = Compared { differences, unread };
    cx.terminal.answer(&document, || compared.said())?;
    Ok(Exit::Different
        .when(!compared.differences.is_empty())
        .max(Exit::Partial.when(!compared.unread.is_empty())))
}
