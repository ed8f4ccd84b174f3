//! What a journal says of its run as a whole: what a resumed run and an undo start from.
//!
//! In: a run's folder. Out: how it began, whether it ended, every line. Invariant: what an older journal does not say
//! is told apart from what did not happen.

use std::path::Path;

use super::{Asked, Entry, Line, read};
use crate::{
    Error, Result,
    model::{ClusterIdentity, ItemKey, RunId, SourceName},
    plan::{CommandLine, Earlier, RestorePlan, Verb},
};

/// A run that began.
#[derive(Debug)]
pub struct Past {
    /// Its id.
    pub run: RunId,
    /// The plan's name.
    pub scenario: String,
    /// Where the wanted state came from.
    pub source: Vec<SourceName>,
    /// Which cluster it changed.
    pub cluster: ClusterIdentity,
    /// How it was asked for.
    pub asked: Asked,
    /// The run that it undoes.
    pub undoes: Option<RunId>,
    /// In how many processes it ran.
    pub sessions: usize,
    /// What it came to; none where it stopped before its end: interrupted, killed, or by a step that failed.
    pub ended: Option<String>,
    /// Everything.
    pub lines: Vec<Line>,
}

impl Past {
    /// Reads the run in a folder.
    ///
    /// # Errors
    /// Usage, when there is no such run; damaged, when its journal does not read or does not begin.
    pub fn read(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::usage(format!("there is no run at {}", folder.display()))
                .hint("list them with: netdr runs"));
        }
        let lines = read(folder)?;
        let Some(Line { at, entry: Entry::Begun { run, scenario, source, cluster, asked, undoes, .. } }) =
            lines.first()
        else {
            let what = format!("the journal in {} does not begin with the begin of a run", folder.display());
            return Err(Error::damaged(what).hint("if it is empty, the run changed nothing: restore again"));
        };
        // What netdr 0.1 did not write down: its flags were mostly left at their defaults.
        let guessed = || Asked {
            plan: builtin(scenario).unwrap_or_default().into(),
            plan_flag: None,
            incident_start: *at,
            from_cluster: None,
            keep_extras: false,
            isolation: None,
            allow_run: false,
            git: None,
        };
        let (mut sessions, mut ended, mut cluster) = (1, None, cluster.clone());
        for line in &lines {
            match &line.entry {
                Entry::Reached { cluster: reached, .. } => cluster.clone_from(reached),
                Entry::Resumed { cluster: resumed, .. } => {
                    (sessions, ended) = (sessions + 1, None);
                    cluster = resumed.clone().unwrap_or(cluster);
                }
                Entry::Ended { outcome, .. } => {
                    let stopped = matches!(outcome.as_str(), "interrupted" | "failed");
                    ended = (!stopped).then(|| outcome.clone());
                }
                _ => {}
            }
        }
        Ok(Self {
            run: run.parse()?,
            scenario: scenario.clone(),
            source: source.clone(),
            cluster,
            asked: asked.as_deref().cloned().unwrap_or_else(guessed),
            undoes: undoes.clone(),
            sessions,
            ended,
            lines,
        })
    }

    /// Every object that it meant to change.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &ItemKey> {
        self.lines.iter().filter_map(|line| match &line.entry {
            Entry::Intent { key, .. } => Some(key),
            _ => None,
        })
    }

    /// The plan that it followed.
    ///
    /// # Errors
    /// When an older journal names a plan that is not built in, or this version no longer reads it.
    pub fn plan(&self) -> Result<RestorePlan> {
        if self.asked.plan.is_empty() {
            return Err(Error::failed(format!("the journal of {} does not hold its plan", self.run))
                .hint("restore again with --plan FILE: it does what is left"));
        }
        RestorePlan::parse(&self.asked.plan, &format!("the plan of run {}", self.run))
    }

    /// What it did that the cluster does not tell of: a resumed run must not do it again.
    pub fn earlier(&self) -> Earlier {
        let mut earlier = Earlier::default();
        let mut scaled: Vec<(String, ItemKey, Verb)> = Vec::new();
        for line in &self.lines {
            if let Entry::Intent { step, verb, .. } = &line.entry
                && verb.restores()
            {
                earlier.changed.insert(step.clone());
            }
            match &line.entry {
                Entry::Intent { key, verb: Verb::Scale, replicas: Some(replicas), .. } => {
                    earlier.replicas.entry(key.clone()).or_insert(*replicas);
                    // Scaled once more: what it is now says nothing of the scaling before.
                    earlier.done.extend(scaled.extract_if(.., |(_, scaled, _)| scaled == key));
                }
                Entry::Outcome { step, key, verb, outcome, .. } if !verb.restores() && outcome == "done" => {
                    let operation = (step.clone(), key.clone(), *verb);
                    if *verb == Verb::Scale {
                        scaled.push(operation);
                    } else {
                        earlier.done.insert(operation);
                    }
                }
                Entry::Exited { step, status: Some(0), .. } => drop(earlier.ran.insert(step.clone())),
                _ => {}
            }
        }
        earlier
    }

    /// Refuses what cannot be resumed.
    ///
    /// # Errors
    /// Usage: it left nothing, or is an undo, which is repeated instead.
    pub fn resumable(&self, command_line: &CommandLine) -> Result<()> {
        if let Some(undone) = &self.undoes {
            return Err(Error::usage(format!("run {} is an undo, which is not resumed", self.run)).hint(
                format!(
                    "undo again, and what is left is done: {}",
                    command_line.again(&format!("undo {undone}"))
                ),
            ));
        }
        match self.ended.as_deref() {
            None | Some("partial") => Ok(()),
            Some(outcome) => Err(Error::usage(format!(
                "run {} ended ({outcome}), so nothing of it is left to resume",
                self.run
            ))
            .hint(format!("what it did: {}", command_line.again(&format!("runs show {}", self.run))))),
        }
    }

    /// How its plan was named: `--scenario NAME`, `--plan FILE`.
    pub fn plan_flag(&self) -> String {
        self.asked.plan_flag.clone().unwrap_or_else(|| format!("--scenario {}", self.scenario))
    }
}

fn builtin(name: &str) -> Option<&'static str> {
    RestorePlan::builtin().into_iter().find(|(known, _)| *known == name).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const BEGUN: &str = r#"{"at":"2026-11-24T03:15:00Z","event":"begun","run":"20261124T031500Z-network-policies-5b21d0","scenario":"network-policies","plan":"d","source":[],"cluster":{"name":"c","uid":"u","kubernetes":"v1.36.3"},"operator":"me"}"#;
    const RESUMED: &str = r#"{"at":"2026-11-24T03:16:00Z","event":"resumed","plan":"d","operator":"me"}"#;

    fn ended(outcome: &str) -> String {
        format!(
            r#"{{"at":"2026-11-24T03:15:30Z","event":"ended","outcome":"{outcome}","differences_left":0}}"#
        )
    }

    fn past(lines: &[&str]) -> Past {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(super::super::FILE), lines.join("\n") + "\n").unwrap();
        Past::read(folder.path()).unwrap()
    }

    #[test]
    fn a_journal_of_an_older_version_is_resumed_by_the_built_in_plan() {
        let past = past(&[BEGUN]);
        assert_eq!(past.plan().unwrap().name, "network-policies");
        assert_eq!(past.asked.incident_start, past.lines[0].at);
        assert!(past.resumable(&CommandLine::default()).is_ok());
    }

    #[test]
    fn what_is_whole_is_not_resumed_but_what_stopped_or_left_something_is() {
        for stopped in ["interrupted", "failed", "partial"] {
            assert!(past(&[BEGUN, &ended(stopped)]).resumable(&CommandLine::default()).is_ok(), "{stopped}");
        }
        let resumed = past(&[BEGUN, &ended("interrupted"), RESUMED]);
        assert_eq!((resumed.sessions, resumed.ended.clone()), (2, None));
        let over =
            past(&[BEGUN, RESUMED, &ended("recovered")]).resumable(&CommandLine::default()).unwrap_err();
        assert_eq!(over.kind(), crate::Kind::Usage);
        assert!(over.to_string().contains("ended (recovered)"), "{over}");
        // A command without the snapshot and the begin of the incident could take what holds the damage.
        assert!(over.hints().iter().all(|hint| !hint.contains("netdr restore")), "{over:?}");
    }

    #[test]
    fn the_cluster_is_known_as_soon_as_one_answered() {
        let begun = BEGUN.replace(r#""uid":"u""#, r#""uid":"""#);
        let offline = past(&[&begun, RESUMED]);
        assert_eq!((offline.cluster.uid.as_str(), offline.sessions), ("", 2));
        let cluster = r#""cluster":{"name":"c","uid":"u","kubernetes":"v1.36.3"},"operator""#;
        let online = past(&[&begun, &RESUMED.replace(r#""operator""#, cluster), RESUMED]);
        assert_eq!((online.cluster.uid.as_str(), online.sessions), ("u", 3));
    }

    #[test]
    fn what_a_resumed_run_must_not_do_again_is_what_ended_well() {
        let step = |event: &str, rest: &str| {
            format!(r#"{{"at":"2026-11-24T03:15:10Z","event":"{event}","step":"s",{rest}}}"#)
        };
        let key = r#""key":"resources/apps/deployments/d/x""#;
        let act =
            |event: &str, verb: &str, rest: &str| step(event, &format!(r#"{key},"verb":"{verb}"{rest}"#));
        let exited =
            |status: &str| step("exited", &format!(r#""status":{status},"bytes":1,"file":"f","sha256":"d""#));
        let earlier = |lines: &[String]| {
            let lines: Vec<&str> = [BEGUN].into_iter().chain(lines.iter().map(String::as_str)).collect();
            past(&lines).earlier()
        };
        let done = earlier(&[act("outcome", "restart", r#","outcome":"done""#)]);
        assert_eq!(done.done.len(), 1);
        let not = [
            act("intent", "restart", ""),
            act("outcome", "restart", r#","outcome":"failed""#),
            act("outcome", "replace", r#","outcome":"done""#), // its intent was before it, or there was none
            step("run", r#""command":["x"]"#),
            exited("3"),
            exited("null"),
        ];
        assert_eq!(earlier(&not), Earlier::default());
        assert_eq!(earlier(&[exited("0")]).ran.len(), 1);
        assert_eq!(earlier(&[act("intent", "replace", "")]).changed, ["s".to_owned()].into());
        let up =
            [act("intent", "scale", r#","replicas":0"#), act("outcome", "scale", r#","outcome":"done""#)];
        assert_eq!(earlier(&up).done.len(), 0, "what it is now tells");
        let both = earlier(&[&up[..], &[act("intent", "scale", r#","replicas":1"#)]].concat());
        assert_eq!((both.done.len(), both.replicas.into_values().collect::<Vec<_>>()), (1, vec![0]));
    }
}
