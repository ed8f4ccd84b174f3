//! A plan, kept within what a drill can do and can wait for.
//!
//! In: an authored plan. Out: the plan that is drilled, and what of the authored one it has not. Invariant: pure; every step
//! that is left out is named.

use std::time::Duration;

use crate::plan::{Action, RestorePlan};

/// The plan without what would touch this machine, and what that is.
pub(super) fn restricted(plan: &RestorePlan, files: bool) -> (RestorePlan, Vec<String>) {
    let mut not_tested = Vec::new();
    let mut plan = plan.clone();
    plan.steps.retain(|step| {
        let left_out = match &step.action {
            Action::Run { command, .. } => {
                Some(format!("step `{}`: `{}` was not run", step.id, command.join(" ")))
            }
            Action::HostFiles if !files => {
                Some(format!("step `{}`: no files of a node were restored", step.id))
            }
            _ => None,
        };
        let keep = left_out.is_none();
        not_tested.extend(left_out);
        keep
    });
    (plan, not_tested)
}

/// Nobody waits longer than what is played can take.
pub(super) fn hurried(plan: &mut RestorePlan, patience: Duration) {
    plan.steps.iter_mut().for_each(|step| step.timeout = step.timeout.min(patience));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Component;

    #[test]
    fn a_plan_is_drilled_without_what_would_touch_this_machine_and_that_is_named() {
        let (_, text) = RestorePlan::builtin().into_iter().find(|(name, _)| *name == "cni").unwrap();
        let plan = RestorePlan::parse(text, "cni").unwrap();
        let (with_files, said) = restricted(&plan, true);
        assert_eq!(with_files.steps.len(), plan.steps.len() - 1);
        assert_eq!(said, ["step `service`: `systemctl restart rke2-server` was not run"]);
        let (without, said) = restricted(&plan, false);
        assert_eq!((without.steps.len(), said.len()), (plan.steps.len() - 2, 2));
        assert!(!without.components().contains(&Component::Host));
    }

    #[test]
    fn nobody_waits_longer_than_what_is_played_can_take() {
        let (_, text) = RestorePlan::builtin().into_iter().find(|(name, _)| *name == "cni").unwrap();
        let mut plan = RestorePlan::parse(text, "cni").unwrap();
        let authored = plan.clone();
        hurried(&mut plan, Duration::from_secs(60));
        assert!(authored.steps.iter().any(|step| step.timeout > Duration::from_secs(600)));
        for (step, authored) in plan.steps.iter().zip(&authored.steps) {
            assert_eq!(step.timeout, authored.timeout.min(Duration::from_secs(60)), "{}", step.id);
        }
    }
}
