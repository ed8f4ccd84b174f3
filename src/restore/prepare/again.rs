//! A restore as it would be asked for again.
//!
//! In: what was asked for. Out: commands. Invariant: a command that is printed asks for the same of the same source.

use chrono::SecondsFormat;

use super::Request;
use crate::{
    gitops::Revision,
    model::SourceName,
    plan::{Isolation, shell_word},
    restore::Chosen,
};

impl Request<'_> {
    /// The command that goes on with the run.
    pub(in crate::restore) fn resume(&self) -> String {
        self.command_line.again(&format!("restore --resume {}", self.run))
    }

    /// The words that name the plan, with the cluster whose snapshots it takes.
    pub(super) fn anew(&self) -> String {
        let from = self
            .from_cluster
            .map_or_else(String::new, |name| format!(" --from-cluster {}", shell_word(name)));
        format!("restore {}{from}", self.plan_flag)
    }

    /// The command that restores the same once more, as a run of its own; `read` is what this one read. Of several Git
    /// repositories no flag names the commits: it is then the newest of each.
    pub(in crate::restore) fn once_more(&self, read: &[SourceName]) -> String {
        let mut words = self.anew();
        match &self.from {
            Chosen::Snapshots(ids) => ids.iter().for_each(|id| words += &format!(" --snapshot {id}")),
            Chosen::Git(wanted) => {
                let revision = match (&wanted.revision, read) {
                    (Revision::Named(name), _) => Some(name),
                    (_, [SourceName::Git { commit, .. }]) => Some(commit),
                    _ => None,
                };
                words += &revision.map_or_else(
                    || " --from git".into(),
                    |r| format!(" --from {}", shell_word(&format!("git@{r}"))),
                );
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
