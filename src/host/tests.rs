use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
};

use tempfile::TempDir;

use super::*;
use crate::model::Class;

/// A host root with these files.
fn root(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn paths(capture: &HostCapture) -> Vec<&str> {
    capture.items.iter().map(|item| item.key.name()).collect()
}

const CONFIG: &str = "/etc/rancher/rke2/config.yaml";

#[test]
fn the_tables_files_are_read_with_mode_and_owner_and_no_other() {
    let root = root(&[
        (CONFIG, "token: x\n"),
        ("/etc/rancher/rke2/rke2.yaml", "an admin's kubeconfig"),
        ("/etc/cni/net.d/10-canal.conflist", "{}"),
        ("/etc/cni/net.d/calico-kubeconfig", "token"),
        ("/etc/firewalld/zones/deep/er/public.xml", "<zone/>"),
        ("/etc/sysctl.d/90-rke2.conf", "a=1"),
        ("/var/lib/rancher/rke2/server/manifests/rke2-canal.yaml", "packaged"),
        ("/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml", "mine"),
        ("/var/lib/rancher/rke2/server/token", "secret"),
    ]);
    let config = root.path().join("etc/rancher/rke2/config.yaml");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    let capture = capture(root.path(), "n1").unwrap();
    assert_eq!(
        paths(&capture),
        [
            "/etc/cni/net.d/10-canal.conflist",
            "/etc/firewalld/zones/deep/er/public.xml",
            CONFIG,
            "/etc/sysctl.d/90-rke2.conf",
            "/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml",
        ]
    );
    assert!(capture.failures.is_empty() && capture.links.is_empty(), "{capture:?}");
    assert_eq!(capture.items[0].class, Class::Evidence);
    let Content::File(file) = &capture.items[2].content else { panic!("no file") };
    let owner = fs::metadata(&config).unwrap();
    assert_eq!((file.mode, file.uid, file.gid), (0o600, owner.uid(), owner.gid()));
    assert_eq!(file.bytes, b"token: x\n");
}

#[test]
fn a_link_or_a_pipe_is_pointed_out_and_not_followed() {
    let root = root(&[("/secret", "MARKER"), ("/etc/sysctl.d/a.conf", "a=1")]);
    symlink("/secret", root.path().join("etc/sysctl.d/b.conf")).unwrap();
    symlink("../../secret", root.path().join("etc/sysctl.d/c.conf")).unwrap();
    let pipe = root.path().join("etc/sysctl.d/d.conf");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let capture = capture(root.path(), "n1").unwrap();
    assert_eq!(paths(&capture), ["/etc/sysctl.d/a.conf"]);
    let named: Vec<_> = ["b", "c", "d"]
        .map(|name| format!("/etc/sysctl.d/{name}.conf is a link or a special file; it was not followed"))
        .into();
    let said: Vec<&String> = capture.links.iter().map(|link| &link.unread.why).collect();
    assert_eq!(said, named.iter().collect::<Vec<_>>());
    assert!(capture.links.iter().all(|link| !link.is_harmless) && capture.failures.is_empty());
}

#[test]
fn nothing_is_missing_for_a_link_to_a_file_that_is_captured_where_it_is() {
    let root =
        root(&[("/etc/sysctl.conf", "a=1"), ("/etc/sysctl.d/a.conf", "a=1"), ("/etc/secret", "MARKER")]);
    for (name, to, is_harmless) in [
        ("10-a.conf", "a.conf", true),
        ("20-null.conf", "/dev/null", false), // it masks the vendor's
        ("30-out.conf", "../../../../etc/secret", false),
        ("40-special.conf", "../../dev/sda", false),
        ("99-sysctl.conf", "../sysctl.conf", true), // as Debian has it
    ] {
        symlink(to, root.path().join("etc/sysctl.d").join(name)).unwrap();
        let capture = capture(root.path(), "n1").unwrap();
        assert_eq!(paths(&capture), ["/etc/sysctl.conf", "/etc/sysctl.d/a.conf"]);
        let link = capture.links.last().unwrap();
        assert_eq!(
            (link.unread.path.ends_with(name), link.is_harmless),
            (true, is_harmless),
            "{name} -> {to}"
        );
        assert!(capture.failures.is_empty());
    }
}

#[test]
fn rke2_runs_where_its_folder_holds_something() {
    let runs = |files: &[(&str, &str)]| is_configured(root(files).path()).unwrap();
    assert!(!runs(&[]) && !runs(&[("/etc/sysctl.d/a.conf", "a=1")]));
    assert!(runs(&[(CONFIG, "token: x\n")]));
    assert!(runs(&[("/etc/rancher/rke2/rke2.yaml", "")]), "a server of defaults alone");
    let left = root(&[]);
    fs::create_dir_all(left.path().join("etc/rancher/rke2")).unwrap();
    assert!(!is_configured(left.path()).unwrap(), "of an installation that is gone");
    assert!(is_configured(&left.path().join("mistyped")).is_err());
}

#[test]
fn a_linked_folder_is_a_failure_because_all_behind_it_is_missing() {
    let root = root(&[("/data/rke2/config.yaml", "token: MARKER\n")]);
    fs::create_dir_all(root.path().join("etc/rancher")).unwrap();
    symlink("../../data/rke2", root.path().join("etc/rancher/rke2")).unwrap();
    let capture = capture(root.path(), "n1").unwrap();
    assert!(capture.items.is_empty());
    let wanted = "/etc/rancher/rke2 is a link or no folder, and netdr follows no links";
    let unread = capture.failures.iter().find(|unread| unread.why == wanted).unwrap();
    assert!(unread.covers("/etc/rancher/rke2/config.yaml") && !unread.covers("/etc/rancher/rke2x"));
}

#[test]
fn a_link_that_rke2_reads_through_is_a_failure() {
    let root =
        root(&[("/data/config.yaml", "token: MARKER\n"), ("/etc/rancher/rke2/registries.yaml", "{}\n")]);
    let config = root.path().join("etc/rancher/rke2/config.yaml");
    symlink("../../../data/config.yaml", config).unwrap();
    let capture = capture(root.path(), "n1").unwrap();
    assert_eq!(paths(&capture), ["/etc/rancher/rke2/registries.yaml"]);
    let path = "/etc/rancher/rke2/config.yaml".to_owned();
    let why = format!("{path} is a link or a special file; it was not followed");
    assert_eq!(capture.failures, [Unread { path, why }]);
}

#[test]
fn what_cannot_be_read_is_a_failure_that_names_it() {
    let root = root(&[("/etc/sysctl.d/small.conf", "a=1"), ("/etc/sysctl.d/locked.conf", "a=1")]);
    let huge = fs::File::create(root.path().join("etc/sysctl.d/huge.conf")).unwrap();
    huge.set_len(16 * 1024 * 1024 + 1).unwrap();
    let locked = root.path().join("etc/sysctl.d/locked.conf");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let capture = capture(root.path(), "n1").unwrap();
    assert_eq!(capture.failures[0].why, "/etc/sysctl.d/huge.conf is larger than 16 MiB");
    if fs::File::open(&locked).is_err() {
        let wanted = "cannot read /etc/sysctl.d/locked.conf: Permission denied (os error 13)";
        assert_eq!(capture.failures[1].why, wanted, "root reads everything; others are told");
        assert_eq!(paths(&capture), ["/etc/sysctl.d/small.conf"]);
    }
}

#[test]
fn a_root_that_is_not_there_is_an_error_with_the_way_out() {
    let error = capture(Path::new("/nonexistent/host"), "n1").unwrap_err();
    assert!(format!("{error:?}").contains("--host-root DIR"), "{error:?}");
}

#[test]
fn the_nodes_name_is_the_last_drop_ins_the_configurations_or_the_hosts() {
    let drop_in = |name: &str| format!("/etc/rancher/rke2/config.yaml.d/{name}.yaml");
    let (first, last) = (drop_in("10-a"), drop_in("20-b"));
    let all = [
        ("/etc/hostname", "# by hand\nServer-1\n"),
        (CONFIG, "node-name: main\n"),
        (last.as_str(), "node-name: last\n"),
        (first.as_str(), "node-name: first\ntoken: x\n"),
    ];
    assert_eq!(node_name(root(&all[..1]).path()).unwrap(), "server-1");
    assert_eq!(node_name(root(&all[..2]).path()).unwrap(), "main");
    assert_eq!(node_name(root(&all).path()).unwrap(), "last");
    assert_eq!(node_name(root(&[(CONFIG, "node-name: Server-2\n")]).path()).unwrap(), "server-2");
}

#[test]
fn a_name_is_found_although_the_configuration_is_broken_or_gone() {
    let broken = "token: [MARKER\nnode-name: \"main\"\nx: : y\n";
    let hostname = ("/etc/hostname", "server-1\n");
    let likely = |files: &[(&str, &str)]| likely_node(root(files).path()).unwrap();
    let node = likely(&[hostname, (CONFIG, broken)]);
    assert_eq!(node.name, "main");
    assert!(node.doubt.as_ref().is_some_and(|why| why.starts_with(CONFIG)), "{node:?}");
    assert!(!format!("{node:?}").contains("MARKER"), "{node:?}");
    let node = likely(&[hostname]);
    assert_eq!(node.name, "server-1");
    assert!(node.doubt.as_ref().is_some_and(|why| why.contains("config.yaml is missing")), "{node:?}");
    assert_eq!(likely(&[hostname, (CONFIG, "token: x\n")]), Node { name: "server-1".into(), doubt: None });
}

#[test]
fn a_node_without_a_usable_name_is_an_error_that_shows_no_configuration() {
    let none = node_name(root(&[("/etc/x", "")]).path()).unwrap_err();
    assert!(format!("{none:?}").contains("set node-name in"), "{none:?}");
    for name in ["../x", "a b", "a..b", "a_b"] {
        let config = format!("node-name: \"{name}\"\n");
        assert!(node_name(root(&[(CONFIG, &config)]).path()).is_err(), "{name}");
    }
    let broken = node_name(root(&[(CONFIG, "token: [MARKER\nMARKER: : x\n")]).path()).unwrap_err();
    assert!(broken.to_string().starts_with(CONFIG), "{broken}");
    assert!(!format!("{broken:?}").contains("MARKER"), "{broken:?}");
}
