//! A restore as it would be asked for again.
//!
//! In: what was asked for. Out: commands. Invariant: a command that is printed asks for the same of the same source.

use chrono::SecondsFormat;

use super::Request;
use crate::{
    Error,
    gitops::Revision,
    model::{SnapshotId, SourceName},
    plan::{Isolation, shell_word},
    restore::Chosen,
};

impl Request<'_> {
    /// The command that goes on with the run.
    pub(in crate::restore) fn resume(&self) -> String {
        self.command_line.again(&format!("restore --resume {}", self.run))
    }

    /// That a snapshot which the run began with is gone, and what can be done then.
    pub(super) fn gone(&self, id: &SnapshotId) -> Error {
        let again = |words: String| self.command_line.again(&words);
        Error::usage(format!("there is no snapshot {id}, from which run {} restores", self.run))
            .hint(format!("if a place outside has it: {}; then resume", again(format!("fetch {id}"))))
            .hint(format!(
                "else put back what the run did, and restore from another snapshot: {}",
                again(format!("undo {}", self.run))
            ))
    }

    /// The words that name the plan, with the cluster whose snapshots it takes.
    pub(super) fn anew(&self) -> String {
        let from = self
            .from_cluster
            .map_or_else(String::new, |name| format!(" --from-cluster {}", shell_word(name)));
        format!("restore {}{from}", self.plan_flag)
    }

    /// The command that restores the same once more, as a run of its own; `read` is what this one read.
    pub(in crate::restore) fn once_more(&self, read: &[SourceName]) -> String {
        let mut words = self.anew();
        match &self.from {
            // Those that were read, too: what is `latest` by then may be another.
            Chosen::Snapshots(ids) => {
                let read = read.iter().filter_map(|name| match name {
                    SourceName::Snapshot(id) if !ids.contains(id) => Some(id),
                    _ => None,
                });
                ids.iter().chain(read).for_each(|id| words += &format!(" --snapshot {id}"));
            }
            Chosen::Git(wanted) => {
                words += &format!(" --from {}", of_git(&wanted.revision, read));
                wanted.trust_commits.iter().for_each(|id| words += &format!(" --trust-commit {id}"));
            }
            Chosen::Velero { file, .. } => {
                words += &format!(" --from {}", shell_word(&format!("velero:{}", file.display())));
            }
        }
        words +=
            &format!(" --incident-start {}", self.incident_start.to_rfc3339_opts(SecondsFormat::Secs, true));
        let order = match self.isolation {
            Some(Isolation::FailClosed) => " --policy-order fail-closed",
            Some(Isolation::Guarded) => " --policy-order guarded",
            None => "",
        };
        for (given, flag) in
            [(self.keep_extras, " --keep-extras"), (true, order), (self.allow_run, " --allow-run")]
        {
            words += if given { flag } else { "" };
        }
        self.command_line.again(&words)
    }
}

/// `git@…` as a shell takes it: what was named; else each commit that was read.
fn of_git(revision: &Revision, read: &[SourceName]) -> String {
    let commit = |name: &SourceName| match name {
        SourceName::Git { commit, .. } => Some(commit.clone()),
        _ => None,
    };
    let revision = match revision {
        Revision::Named(name) => name.clone(),
        _ => read.iter().filter_map(commit).collect::<Vec<_>>().join(","),
    };
    match revision.is_empty() {
        true => "git".into(),
        false => shell_word(&format!("git@{revision}")).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_repositorys_commit_is_named_and_not_the_newest_of_its_branch() {
        let read = |letter: &str| SourceName::Git { url: format!("/{letter}"), commit: letter.repeat(40) };
        let both = [read("a"), read("b")];
        let wanted = format!("git@{},{}", "a".repeat(40), "b".repeat(40));
        for revision in [Revision::Head, Revision::Among(vec!["c".repeat(40)])] {
            assert_eq!(of_git(&revision, &both), wanted);
        }
        assert_eq!(of_git(&Revision::Head, &both[..1]), wanted[..44]);
        assert_eq!(of_git(&Revision::Named("it's".into()), &both), "'git@it'\\''s'");
        assert_eq!(of_git(&Revision::Head, &[]), "git");
    }
}
