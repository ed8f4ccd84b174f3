//! Restarts, scalings and programs.

use std::collections::BTreeSet;

use super::*;

const CONTROLLER: &str = "deployments.apps/metallb-system/controller";

fn key() -> ItemKey {
    ItemKey::resource("apps", "deployments", Some("metallb-system"), "controller")
}

fn deployment(replicas: u32) -> Item {
    let at = ("metallb-system", "controller");
    let fields = json!({"spec": {"replicas": replicas}});
    item(Component::Loadbalancer, "apps", "deployments", "Deployment", at, fields)
}

fn live(replicas: u32) -> BTreeMap<ItemKey, Value> {
    let object = json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": {"replicas": replicas}});
    BTreeMap::from([(key(), object)])
}

fn scale(replicas: &str) -> String {
    format!("scale: {{workload: {CONTROLLER}, replicas: {replicas}}}")
}

/// Scaled up for something, then back.
fn up_and_back() -> World {
    World::new(&[&scale("1"), &scale("before")])
}

fn gates(plan: &ResolvedPlan) -> Vec<usize> {
    plan.steps.iter().map(|step| step.gates.len()).collect()
}

#[test]
fn what_is_scaled_up_is_scaled_back_and_waited_for_only_while_it_has_pods() -> Result<()> {
    let plan = World { workloads: live(0), ..up_and_back() }.resolve()?;
    assert_eq!(story(&plan), "scale controller | scale controller");
    let remarks: Vec<&String> = plan.acts().flat_map(|act| &act.remarks).collect();
    assert_eq!(remarks, ["from 0 to 1 replicas", "from 1 to 0 replicas"]);
    assert_eq!(gates(&plan), [1, 0]);
    assert_eq!(plan.overwritten().values().flatten().count(), 1, "only what is live is saved");
    Ok(())
}

#[test]
fn what_has_the_replicas_already_is_left_alone() -> Result<()> {
    let plan = World { workloads: live(1), ..up_and_back() }.resolve()?;
    assert!(plan.is_empty());
    assert_eq!(gates(&plan), [1, 1]);
    Ok(())
}

#[test]
fn before_is_what_the_plan_itself_brings_back() -> Result<()> {
    let apply =
        "apply: {component: loadbalancer, kinds: [namespaces, deployments.apps], createNamespaces: true}";
    let world = World::new(&[apply, &scale("1"), &scale("before")]);
    let source = [namespace(Component::Loadbalancer, "metallb-system"), deployment(0)];
    let plan = world.source(source).resolve()?;
    assert_eq!(
        story(&plan),
        "create metallb-system | create controller | scale controller | scale controller"
    );
    assert!(plan.acts().skip(2).all(|act| act.seen.is_none()));
    assert!(plan.overwritten().values().all(Vec::is_empty), "nothing of it is live");
    Ok(())
}

#[test]
fn a_resumed_run_scales_back_to_what_was_before_the_run() -> Result<()> {
    let earlier = Earlier { replicas: BTreeMap::from([(key(), 0)]), ..Earlier::default() };
    let plan = World { workloads: live(1), earlier, ..up_and_back() }.resolve()?;
    let remarks: Vec<&String> = plan.acts().flat_map(|act| &act.remarks).collect();
    assert_eq!(remarks, ["from 1 to 0 replicas"]);
    // Scaled back already, though nobody wrote down that it was done.
    let done = BTreeSet::from([("s0".to_owned(), key(), Verb::Scale)]);
    let earlier = Earlier { done, replicas: BTreeMap::from([(key(), 0)]), ..Earlier::default() };
    assert_eq!(story(&World { workloads: live(0), earlier, ..up_and_back() }.resolve()?), "");
    Ok(())
}

fn restart() -> World {
    World::new(&[&format!("rolloutRestart: {{workloads: [{CONTROLLER}]}}")])
}

#[test]
fn a_restart_is_an_operation_and_no_change() -> Result<()> {
    let plan = World { workloads: live(1), ..restart() }.resolve()?;
    assert_eq!((story(&plan).as_str(), gates(&plan)), ("restart controller", vec![1]));
    assert!(!plan.is_empty() && plan.changes().next().is_none() && plan.differences.is_empty());
    let counts = plan.counts();
    assert_eq!((counts.operations, counts.replace), (1, 0));
    assert_eq!(plan.to_json()["operations"], 1);
    Ok(())
}

#[test]
fn a_restart_of_any_run_has_the_same_digest() -> Result<()> {
    let one = World { workloads: live(1), ..restart() };
    let other = World { workloads: live(1), run: "20261125T010000Z-p-000002", ..restart() };
    assert_eq!(one.resolve()?.digest(), other.resolve()?.digest());
    Ok(())
}

#[test]
fn a_resumed_run_restarts_nothing_again() -> Result<()> {
    let done = BTreeSet::from([("s0".to_owned(), key(), Verb::Restart)]);
    let earlier = Earlier { done, ..Earlier::default() };
    let plan = World { workloads: live(1), earlier, ..restart() }.resolve()?;
    assert_eq!((story(&plan).as_str(), gates(&plan)), ("", vec![1]));
    // Killed before the outcome was written down: the mark tells, for it is of the run.
    let mut marked = live(1);
    marked.values_mut().for_each(|object| {
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": "2026-11-24T01:00:00.00000001Z"});
        object["spec"]["template"]["metadata"]["annotations"] = annotations;
    });
    assert_eq!(story(&World { workloads: marked.clone(), ..restart() }.resolve()?), "");
    // A run that began in the same second is another one.
    let other = World { workloads: marked, run: "20261124T010000Z-p-000002", ..restart() };
    assert_ne!(story(&other.resolve()?), "");
    Ok(())
}

#[test]
fn a_workload_that_nobody_has_is_passed_over_and_said() -> Result<()> {
    let plan =
        World::new(&[&scale("1"), &format!("rolloutRestart: {{workloads: [{CONTROLLER}]}}")]).resolve()?;
    assert!(plan.is_empty() && plan.refused.is_empty());
    assert_eq!(plan.warnings.len(), 2, "{:?}", plan.warnings);
    Ok(())
}

#[test]
fn a_program_runs_only_where_somebody_allows_it_and_once() -> Result<()> {
    let world = |step: &str| World::new(&[step]);
    let runs = |world: World| -> Result<bool> {
        let plan = world.resolve()?;
        assert_eq!(plan.is_empty(), plan.counts().operations == 0);
        Ok(!plan.is_empty())
    };
    let (off, on) = ("run: {command: [systemctl, restart, x]}", "run: {command: [x], allowed: true}");
    assert!(!runs(world(off))?);
    assert!(runs(world(on))?);
    assert!(runs(World { allow_run: true, ..world(off) })?);
    let earlier = Earlier { ran: BTreeSet::from(["s0".to_owned()]), ..Earlier::default() };
    assert!(!runs(World { earlier, ..world(on) })?);
    let digest = |allow_run| World { allow_run, ..world(off) }.resolve().map(|plan| plan.digest());
    assert_ne!(digest(true)?, digest(false)?);
    Ok(())
}

#[test]
fn a_program_that_makes_a_change_count_runs_only_where_something_changed() -> Result<()> {
    let policies = "apply: {component: policies}";
    let world = || World::new(&[policies, "run: {command: [x], allowed: true, ifChanged: s0}"]);
    let (source, live) = (policy("demo", "a", Some("10.0.0.0/8")), policy("demo", "a", None));
    let around = namespace(Component::Policies, "demo");
    let runs = |live: Item, earlier: Earlier| -> Result<bool> {
        let world = World { earlier, ..world() }.source([around.clone(), source.clone()]);
        Ok(world.live([around.clone(), live]).resolve()?.steps[1].command.is_some())
    };
    assert!(runs(live, Earlier::default())?);
    assert!(!runs(source.clone(), Earlier::default())?);
    // An earlier process of the run made the change, and did not come to run the program.
    let earlier = Earlier { changed: BTreeSet::from(["s0".to_owned()]), ..Earlier::default() };
    assert!(runs(source.clone(), earlier)?);
    // It ran it, and there is a change once more.
    let again = |live: Item| -> Result<Option<bool>> {
        let (changed, ran) = (BTreeSet::from(["s0".to_owned()]), BTreeSet::from(["s1".to_owned()]));
        let earlier = Earlier { changed, ran, ..Earlier::default() };
        let world = World { earlier, ..world() }.source([around.clone(), source.clone()]);
        let plan = world.live([around.clone(), live]).resolve()?;
        Ok(plan.steps[1].command.as_ref().map(crate::plan::Command::runs))
    };
    assert_eq!(again(policy("demo", "a", None))?, Some(true));
    assert_eq!(again(source.clone())?, Some(false));
    let forward = World::new(&["run: {command: [x], ifChanged: s1}", policies]).resolve().unwrap_err();
    assert!(forward.to_string().contains("no step before it is `s1`"), "{forward}");
    Ok(())
}

#[test]
fn a_program_is_shown_as_a_shell_takes_it() -> Result<()> {
    let plan = World::new(&["run: {command: [sh, -c, \"echo 'a b'\"]}"]).resolve()?;
    let command = plan.steps[0].command.as_ref().unwrap();
    assert_eq!(command.to_string(), r"sh -c 'echo '\''a b'\'''");
    Ok(())
}

#[test]
fn of_several_components_one_that_nobody_has_is_passed_over_and_said() -> Result<()> {
    let apply = |component: &str| format!("apply: {{component: {component}}}");
    let world =
        || World::new(&[&apply("policies"), &apply("loadbalancer")]).source([policy("demo", "deny", None)]);
    let plan = world().resolve()?;
    assert!(plan.warnings[0].contains("loadbalancer is passed over: neither"), "{:?}", plan.warnings);
    let plan = world().live([deployment(1)]).resolve()?;
    assert!(plan.warnings[0].contains("what the cluster has of it stays"), "{:?}", plan.warnings);
    assert!(plan.acts().all(|act| act.component == Component::Policies));
    let steps = [apply("policies"), scale("1"), apply("loadbalancer"), scale("2")];
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let world = World { workloads: live(0), ..World::new(&steps) };
    let plan = world.source([policy("demo", "deny", None)]).live([deployment(0)]).resolve()?;
    assert_eq!(
        story(&plan).matches("scale").count(),
        1,
        "an operation belongs to the step before it: {plan:?}"
    );
    Ok(())
}
