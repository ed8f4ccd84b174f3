//! How far a drill came, and what it came to, put together: its report, but for what was looked at outside and earlier.
//!
//! In: the snapshots, the scenarios as far as it came. Out: a report. Invariant: a drill that was interrupted has a line for
//! every scenario that it was to drill, and is no complete one.

use std::cell::{Cell, RefCell};

use chrono::Utc;

use crate::{
    cli::{context::Context, course::operator},
    drill::{Breakage, Drilled, Subject},
    model::Component,
    report::{
        drill::{DrillReport, Place, Scenario, Signer},
        tool,
    },
};

/// How far a drill came.
#[derive(Default)]
pub(super) struct Progressed {
    ended: RefCell<Vec<Scenario>>,
    under_way: Cell<bool>,
}

impl Progressed {
    /// One scenario more, from its beginning to its end.
    pub(super) async fn take(&self, scenario: impl Future<Output = Scenario>) {
        self.under_way.set(true);
        let scenario = scenario.await;
        self.ended.borrow_mut().push(scenario);
        self.under_way.set(false);
    }

    /// What each plan came to: those that ended; where somebody stopped the drill, the one that was under way, and those
    /// that were not begun. Of the one under way `breakage` has what was broken.
    pub(super) fn scenarios(
        self,
        plans: &[Drilled],
        subject: &Subject,
        breakage: &Breakage,
    ) -> Vec<Scenario> {
        let mut scenarios = self.ended.into_inner();
        let mut left = plans.iter().skip(scenarios.len());
        let under_way = left.by_ref().take(usize::from(self.under_way.get()));
        scenarios.extend(under_way.map(|drilled| drilled.interrupted(subject, breakage)));
        let why = "the drill was interrupted before this began";
        scenarios.extend(left.map(|drilled| drilled.without("not begun", why.into())));
        scenarios
    }
}

/// `all`: whether every plan was to be drilled; `interrupted`: whether it came to that.
pub(super) fn conclude(
    cx: &Context,
    subject: &Subject,
    scenarios: Vec<Scenario>,
    signed_by: Signer,
    all: bool,
    interrupted: bool,
) -> DrillReport {
    let complete = all && !interrupted;
    let kubernetes =
        scenarios.iter().find_map(|scenario| Some(scenario.runs.first()?.cluster.kubernetes.clone()));
    let lines = |of: fn(&Scenario) -> &Vec<String>| {
        let mut lines: Vec<String> = Vec::new();
        for line in scenarios.iter().flat_map(of) {
            if !lines.contains(line) {
                lines.push(line.clone());
            }
        }
        lines
    };
    let untested = |outcome: &str| matches!(outcome, "not tested" | "interrupted" | "not begun");
    let untested = scenarios.iter().filter(|scenario| untested(scenario.outcome));
    let mut not_tested: Vec<String> = untested
        .map(|scenario| {
            format!("scenario {}: {}", scenario.name, scenario.why.as_deref().unwrap_or_default())
        })
        .collect();
    not_tested.extend(lines(|scenario| &scenario.not_tested));
    if interrupted {
        not_tested.push("copies outside: the drill was interrupted before they were asked for".into());
    }
    not_tested.extend(subject.lacking.iter().cloned());
    not_tested.push("identities that were not used here: netdr keys check --identity FILE".into());
    let place = if cx.flags.context.is_some() { Place::DrillCluster } else { Place::Sandbox };
    let components: Vec<Component> =
        subject.snapshots.iter().flat_map(|(header, _)| header.bundles.iter().map(|b| b.component)).collect();
    for component in Component::ALL.iter().filter(|component| !components.contains(component)) {
        not_tested.push(format!("component {component}: no snapshot has it"));
    }
    DrillReport {
        report: cx.run("drill"),
        place,
        target: None,
        cluster: subject.cluster.clone(),
        kubernetes: kubernetes.unwrap_or_else(|| "unknown: no run was made".into()),
        tool: tool(),
        operator: operator(),
        signed_by,
        started_at: cx.now,
        ended_at: Utc::now(),
        complete,
        interrupted,
        good: DrillReport::judge(complete, &scenarios),
        sources: subject.sources(),
        nights: subject.nights.clone(),
        simulated: lines(|scenario| &scenario.simulated),
        unseen: lines(|scenario| &scenario.unseen),
        not_tested,
        certificates: subject.certificates(),
        scenarios,
        checks: Vec::new(),
        trend: Vec::new(),
    }
}
