//! Files of this node.

use super::*;
use crate::model::FileContent;

fn file(path: &str, text: &str) -> Item {
    Item {
        key: ItemKey::File { node: "n1".into(), path: path.into() },
        component: Component::Host,
        class: Class::Config,
        extent: Extent::Whole,
        content: Content::File(FileContent { mode: 0o600, uid: 0, gid: 0, bytes: text.into() }),
    }
}

fn world() -> World {
    World::new(&["hostFiles: {}"])
}

const CONFIG: &str = "/etc/rancher/rke2/config.yaml";
const DROP_IN: &str = "/etc/rancher/rke2/config.yaml.d/50-agent.yaml";

#[test]
fn what_differs_is_replaced_what_is_missing_made_and_what_is_extra_stays() {
    let same = file("/etc/rancher/rke2/registries.yaml", "same");
    let extra = file("/etc/sysctl.d/90-rke2.conf", "extra");
    let plan = world()
        .source([file(CONFIG, "old"), file(DROP_IN, "x"), same.clone()])
        .live([file(CONFIG, "new"), same, extra])
        .resolve()
        .unwrap();
    assert_eq!(story(&plan), format!("replace {CONFIG}, create {DROP_IN}"));
    assert_eq!(plan.unchanged, 1);
    let kept = reasons(&plan.kept);
    assert!(kept[0].starts_with("/etc/sysctl.d/90-rke2.conf: extra"), "{kept:?}");
    let remarks: Vec<&Vec<String>> = plan.acts().map(|act| &act.remarks).collect();
    assert_eq!(remarks[0], &[""; 0]);
    assert_eq!(remarks[1], &["folder /etc/rancher/rke2/config.yaml.d is made, root's and mode 0755"]);
    assert!(plan.differences.iter().flat_map(|d| &d.fields).all(|field| field.secret));
}

#[test]
fn an_index_that_calls_anything_configuration_has_it_refused() {
    let paths = ["/etc/shadow", "/etc/cni/net.d/10-canal.conflist", "/etc/rancher/rke2/../../shadow.yaml"];
    let plan = world().source(paths.map(|path| file(path, "x"))).resolve().unwrap();
    assert!(plan.is_empty());
    let refused = reasons(&plan.refused);
    assert!(refused.len() == 3 && refused.iter().all(|why| why.contains("never written")), "{refused:?}");
}

#[test]
fn what_could_not_be_read_is_neither_made_nor_written_over() {
    let unread = |path: &str| Failure {
        component: Component::Host,
        kind: path.into(),
        why: format!("{path} is a link"),
    };
    let mut world = world().source([file(CONFIG, "x"), file(DROP_IN, "x")]);
    world.failures = vec![unread("/etc/rancher/rke2/config.yaml.d")];
    let plan = world.resolve().unwrap();
    assert_eq!(story(&plan), format!("create {CONFIG}"));
    let refused = reasons(&plan.refused);
    assert!(refused[0].contains(DROP_IN) && refused[0].contains("is a link"), "{refused:?}");
}

#[test]
fn where_no_node_is_there_is_nothing_to_do() {
    let policy = policy("demo", "deny", None);
    let steps = ["hostFiles: {}", "apply: {component: policies, kinds: [networkpolicies.networking.k8s.io]}"];
    let namespace = namespace(Component::Policies, "demo");
    let plan = World::new(&steps).source([policy, namespace.clone()]).live([namespace]).resolve().unwrap();
    assert_eq!(story(&plan), "create deny");
}
