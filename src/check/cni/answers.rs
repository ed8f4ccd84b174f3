//! What probe pods answered, judged.
//!
//! In: which nodes there are, and of each what its pod answered, or why it did not. Out: checks of the pod network, of DNS
//! and of TLS handshakes. Invariant: pure; what nobody answered counts neither as reached nor as not reached, and where it
//! could decide, the check is unknown.

use super::super::{
    Check,
    Status::{Alert, Unknown, Warn},
};
use crate::probe;

/// The operations guide's: normal is 100 %, an alert is below 95 %.
const CONNECTIVITY: u64 = 95;
/// Of these the guide wants the times and gives no limits: half a second is what it calls slow of Traefik.
const SLOW_MS: f64 = 500.0;
/// More lines hide the cause instead of naming it.
const LINES: usize = 8;

const NEXT: &str = "kubectl -n kube-system get pods -l k8s-app=canal -o wide";

/// Of all nodes of the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// How many nodes the cluster has.
    pub nodes: usize,
    /// What the pod of a node told, by the node's name.
    pub told: Vec<(String, Told)>,
    /// What kept pods from answering: of nodes, or of all of them.
    pub silent: Vec<String>,
}

/// Of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The nodes whose pods it tried to reach, in the order of the answer.
    pub targets: Vec<String>,
    /// What came of it.
    pub answer: probe::Answer,
}

impl Answers {
    /// Judges them.
    pub fn judge(&self) -> Vec<Check> {
        vec![self.connectivity(), self.dns(), self.handshakes()]
    }

    /// Connections that were made, that were tried, and that would have been had every pod answered.
    fn counted(&self) -> (u64, u64, u64) {
        let tries = self.told.iter().map(|(_, told)| u64::from(told.answer.tries)).max().unwrap_or(1);
        let others = self.nodes.saturating_sub(1);
        let (mut reached, mut tried) = (0, 0);
        for (_, told) in &self.told {
            for count in told.answer.reached.iter().take(told.targets.len()) {
                reached += u64::from(*count.min(&told.answer.tries));
                tried += u64::from(told.answer.tries);
            }
        }
        (reached, tried, ((self.nodes * others) as u64 * tries).max(tried))
    }

    fn connectivity(&self) -> Check {
        const NAME: &str = "cni pod connectivity";
        if self.nodes == 1 && self.silent.is_empty() {
            return Check::not_applicable(NAME, "there is one node: no other to be reached");
        }
        let (reached, tried, all) = self.counted();
        let threshold = format!("alert < {CONNECTIVITY} %, warn < 100 %");
        if tried == 0 {
            return self
                .unanswered(Check::unknown(NAME, "no pod told of a connection to another", NEXT), threshold);
        }
        // To a tenth, and never up: 94.96 % is not 95 %.
        let percent = (reached * 1000 / tried) as f64 / 10.0;
        let check = Check::ok(NAME, percent, threshold);
        // What nobody told of may all have come about, or none of it.
        let enough = |reached: u64| reached * 100 >= CONNECTIVITY * all;
        let missing = all - tried;
        if !enough(reached + missing) {
            return self.failures(check, Alert);
        }
        if !enough(reached) {
            let why = format!("of {all} connections {missing} were not tried: too few to tell");
            return self.silent(self.failures(check.found(Unknown, why, NEXT), Warn));
        }
        let check = if reached < tried { self.failures(check, Warn) } else { check };
        match missing {
            0 => check,
            _ => {
                self.silent(check.found(Warn, format!("of {all} connections {missing} were not tried"), NEXT))
            }
        }
    }

    /// Names who did not reach whom.
    fn failures(&self, check: Check, status: super::super::Status) -> Check {
        let mut lines = Vec::new();
        for (node, told) in &self.told {
            for (number, target) in told.targets.iter().enumerate() {
                let reached = told.answer.reached.get(number).copied().unwrap_or(0);
                if reached < told.answer.tries {
                    let why = told.answer.failures.iter().find(|(of, _)| *of == number);
                    let why = why.map(|(_, why)| format!(": {why}")).unwrap_or_default();
                    lines.push(format!(
                        "{node} reached {target} {reached} of {} times{why}",
                        told.answer.tries
                    ));
                }
            }
        }
        named(lines).into_iter().fold(check, |check, line| check.found(status, line, NEXT))
    }

    /// Names who did not answer.
    fn silent(&self, check: Check) -> Check {
        named(self.silent.clone()).into_iter().fold(check, |check, why| check.found(Warn, why, NEXT))
    }

    fn unanswered(&self, check: Check, threshold: String) -> Check {
        let mut check = self.silent(check);
        check.threshold = threshold;
        check
    }

    fn dns(&self) -> Check {
        const NAME: &str = "cni dns";
        const DNS: &str = "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide";
        let asked =
            self.told.iter().filter(|(_, told)| told.answer.dns_ms.is_some() || told.answer.dns_failed > 0);
        let times = asked.clone().map(|(node, told)| (node.clone(), told.answer.dns_ms));
        let mut check = self.times(NAME, times, asked.clone().count(), DNS);
        for (node, told) in asked.filter(|(_, told)| told.answer.dns_failed > 0) {
            let (failed, tries) = (told.answer.dns_failed, told.answer.tries);
            let why = told.answer.dns_failure.as_deref().unwrap_or_default();
            let status = if failed == tries { Alert } else { Warn };
            check = check.found(status, format!("{node}: {failed} of {tries} lookups failed: {why}"), DNS);
        }
        check
    }

    fn handshakes(&self) -> Check {
        const NAME: &str = "cni tls handshake";
        if self.nodes == 1 && self.silent.is_empty() {
            return Check::not_applicable(NAME, "there is one node: no other to shake hands with");
        }
        let pairs = self.told.iter().flat_map(|(node, told)| {
            let pairs = told.targets.iter().zip(&told.answer.handshake_ms);
            pairs.map(move |(target, ms)| (format!("{node} to {target}"), *ms))
        });
        self.times(NAME, pairs, self.told.len(), NEXT)
    }

    /// The slowest of them, in milliseconds, of which so many nodes told. Who has no time has failed, and is judged
    /// elsewhere; the slowest may be one that did not tell.
    fn times(
        &self,
        name: &str,
        of: impl Iterator<Item = (String, Option<f64>)>,
        told: usize,
        next: &str,
    ) -> Check {
        let threshold = format!("warn > {SLOW_MS} ms");
        let timed = of.filter_map(|(who, ms)| Some((who, ms?)));
        let Some((who, slowest)) = timed.max_by(|(_, one), (_, other)| one.total_cmp(other)) else {
            return self.unanswered(Check::unknown(name, "no pod told of one", next), threshold);
        };
        let mut check = Check::ok(name, slowest, threshold);
        if slowest > SLOW_MS {
            check = check.found(Warn, format!("{who} took {slowest} ms"), next);
        }
        if told < self.nodes {
            let why = format!("{told} of {} nodes told of it", self.nodes);
            check = self.silent(check.found(Unknown, why, next));
        }
        check
    }
}

/// The first of them, and how many more.
fn named(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

#[cfg(test)]
mod tests;
