//! The command line again: a command that is printed for somebody to run must find what this one found.
//!
//! In: the flags that this process was given. Out: commands with the same flags. Invariant: pure; a command for another
//! machine has no flag that is of this one alone.

use std::path::Path;

use super::shell_word;

/// Flags of one call of netdr that another must repeat. What the environment or a configuration says is said there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// What holds on any machine, each with a space before it.
    anywhere: String,
    /// How kubectl, too, reaches the cluster from here.
    reach: String,
    /// Where this machine's files are.
    here: String,
}

impl CommandLine {
    /// Another flag that holds on any machine.
    #[must_use]
    pub fn with(mut self, flag: &str, value: &Path) -> Self {
        self.anywhere += &flagged(flag, &value.display().to_string());
        self
    }

    /// A flag that says which cluster is reached from here: `--kubeconfig`, `--context`.
    #[must_use]
    pub fn reaching(mut self, flag: &str, value: &str) -> Self {
        self.reach += &flagged(flag, value);
        self
    }

    /// A flag that is about the files of this machine.
    #[must_use]
    pub fn here(mut self, flag: &str, value: &Path) -> Self {
        self.here += &flagged(flag, &value.display().to_string());
        self
    }

    /// `netdr restore --resume RUN --identity FILE …`, for this machine.
    pub fn again(&self, words: &str) -> String {
        let Self { anywhere, reach, here } = self;
        format!("netdr {words}{anywhere}{reach}{here}")
    }

    /// The same on another machine, where cluster and files are found by themselves.
    pub fn elsewhere(&self, words: &str) -> String {
        format!("netdr {words}{}", self.anywhere)
    }

    /// A command of kubectl, on the same cluster.
    pub fn kubectl(&self, words: &str) -> String {
        format!("kubectl{} {words}", self.reach)
    }
}

fn flagged(flag: &str, value: &str) -> String {
    format!(" {flag} {}", shell_word(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_repeats_the_flags_that_hold_where_it_is_run() {
        let line = CommandLine::default()
            .with("--repo", Path::new("/back up"))
            .reaching("--context", "lab")
            .here("--host-root", Path::new("host"));
        assert_eq!(line.again("undo RUN"), "netdr undo RUN --repo '/back up' --context lab --host-root host");
        assert_eq!(line.elsewhere("snapshots"), "netdr snapshots --repo '/back up'");
        assert_eq!(line.kubectl("get nodes"), "kubectl --context lab get nodes");
        assert_eq!(CommandLine::default().again("runs"), "netdr runs");
    }
}
