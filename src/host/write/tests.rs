//! What a write leaves, whatever happens to it.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::*;

const CONFIG: &str = "/etc/rancher/rke2/config.yaml";
const DROP_IN: &str = "/etc/rancher/rke2/config.yaml.d/50-agent.yaml";

struct Root {
    folder: TempDir,
}

impl Root {
    fn new() -> Self {
        let root = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(root.at("/etc/rancher/rke2")).unwrap();
        fs::write(root.at(CONFIG), "old\n").unwrap();
        fs::set_permissions(root.at(CONFIG), fs::Permissions::from_mode(0o600)).unwrap();
        root
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// What another test just forked holds every open file, and so a lock that was given back, until it is a program.
    fn writer(&self) -> Writer {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match Writer::open(self.folder.path()) {
                Ok(writer) => return writer,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            thread::yield_now();
        }
    }

    fn sha256(&self, path: &str) -> Option<String> {
        super::super::read(self.folder.path(), path).unwrap().map(|file| file.sha256())
    }

    fn unfinished(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("/etc/rancher/rke2")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(UNFINISHED)).collect()
    }
}

fn file(text: &str, mode: u32) -> FileContent {
    FileContent { mode, uid: geteuid().as_raw(), gid: getegid().as_raw(), bytes: text.into() }
}

#[test]
fn a_file_comes_back_with_mode_and_owner_and_nothing_beside_it() {
    let root = Root::new();
    let (writer, planned) = (root.writer(), root.sha256(CONFIG));
    let wanted = file("new\n", 0o640);
    assert_eq!(writer.put(CONFIG, &wanted, planned.as_deref()), Ok(Written::Done));
    assert_eq!(root.sha256(CONFIG), Some(wanted.sha256()));
    assert_eq!(writer.put(CONFIG, &wanted, planned.as_deref()), Ok(Written::Unchanged));
    assert_eq!(root.unfinished(), [""; 0]);
    if geteuid().is_root() {
        let theirs = FileContent { uid: 12, gid: 34, ..file("theirs\n", 0o4750) };
        assert_eq!(writer.put(CONFIG, &theirs, root.sha256(CONFIG).as_deref()), Ok(Written::Done));
        let stat = fs::metadata(root.at(CONFIG)).unwrap();
        assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o4750, 12, 34));
    }
}

#[test]
fn folders_that_are_missing_are_made_as_rke2_makes_them() {
    let root = Root::new();
    let deep = "/var/lib/rancher/rke2/server/manifests/mine/pools.yaml";
    for path in [DROP_IN, deep, "/etc/sysctl.d/90-rke2.conf"] {
        assert_eq!(root.writer().put(path, &file("x\n", 0o600), None), Ok(Written::Done));
    }
    for (folder, mode) in [
        ("/etc/rancher/rke2/config.yaml.d", 0o700),
        ("/var/lib/rancher/rke2", 0o755),
        ("/var/lib/rancher/rke2/server", 0o700),
        ("/var/lib/rancher/rke2/server/manifests/mine", 0o700),
        ("/etc/sysctl.d", 0o755),
    ] {
        let stat = fs::metadata(root.at(folder)).unwrap();
        assert_eq!((stat.mode() & 0o7777, stat.uid()), (mode, geteuid().as_raw()), "{folder}");
    }
}

#[test]
fn what_changed_since_it_was_planned_is_left_alone() {
    let root = Root::new();
    let (writer, planned) = (root.writer(), root.sha256(CONFIG));
    fs::write(root.at(CONFIG), "by somebody\n").unwrap();
    assert_eq!(writer.put(CONFIG, &file("new\n", 0o600), planned.as_deref()), Ok(Written::Changed));
    assert_eq!(writer.put(CONFIG, &file("new\n", 0o600), None), Ok(Written::Changed));
    assert_eq!(writer.remove(CONFIG, planned.as_deref()), Ok(Written::Changed));
    assert_eq!(fs::read_to_string(root.at(CONFIG)).unwrap(), "by somebody\n");
    assert_eq!(writer.put(DROP_IN, &file("new\n", 0o600), planned.as_deref()), Ok(Written::Changed));
    assert_eq!(root.sha256(DROP_IN), None, "what somebody removed does not come back");
    let now = root.sha256(CONFIG);
    assert_eq!(writer.remove(CONFIG, now.as_deref()), Ok(Written::Done));
    assert_eq!(writer.remove(CONFIG, now.as_deref()), Ok(Written::Unchanged));
}

#[test]
fn a_file_that_appears_at_the_last_moment_is_not_written_over() {
    let root = Root::new();
    let folder = root.writer().made("/etc/rancher/rke2").unwrap();
    let unfinished = Unfinished::begin(&folder, "config.yaml").unwrap();
    assert_eq!(unfinished.finish("config.yaml", false), Err(Errno::EXIST));
    drop(unfinished);
    assert_eq!(
        (fs::read_to_string(root.at(CONFIG)).unwrap().as_str(), root.unfinished().len()),
        ("old\n", 0)
    );
}

#[test]
fn no_link_is_followed_out_of_the_root_or_within() {
    let root = Root::new();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), root.at("/etc/rancher/rke2/config.yaml.d")).unwrap();
    fs::create_dir_all(root.at("/etc/sysctl.d")).unwrap();
    symlink("../../secret", root.at("/etc/sysctl.d/90-rke2.conf")).unwrap();
    for path in [DROP_IN, "/etc/sysctl.d/90-rke2.conf"] {
        let why = root.writer().put(path, &file("x\n", 0o600), None).unwrap_err();
        assert!(why.contains("link") && why.contains(&path[..14]), "{why}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(!root.at("/secret").exists());
}

#[test]
fn nothing_but_configuration_of_the_catalog_is_written() {
    let root = Root::new();
    for path in [
        "/etc/shadow",
        "/etc/cni/net.d/10-canal.conflist",
        "/etc/cni/net.d/calico-kubeconfig",
        "/var/lib/rancher/rke2/server/manifests/rke2-canal.yaml",
        "/var/lib/rancher/rke2/server/manifests/../token.yaml",
        "/etc/rancher/rke2/rke2.yaml",
    ] {
        let why = root.writer().put(path, &file("x\n", 0o600), None).unwrap_err();
        assert!(why.contains("no configuration"), "{why}");
    }
}

#[test]
fn what_a_killed_process_left_is_swept_and_two_at_once_are_refused() {
    let root = Root::new();
    let writer = root.writer();
    let folder = writer.made("/etc/rancher/rke2").unwrap();
    let unfinished = Unfinished::begin(&folder, "config.yaml").unwrap();
    unfinished.fill(&file("half", 0o644)).unwrap();
    std::mem::forget(unfinished);
    assert_eq!(root.unfinished().len(), 1);
    let error = Writer::open(root.folder.path()).err().unwrap();
    assert!(error.to_string().contains("another netdr is writing files"), "{error}");
    drop(writer);
    root.writer();
    assert_eq!(root.unfinished(), [""; 0]);
}

#[test]
fn until_it_is_complete_only_its_owner_reads_it() {
    let root = Root::new();
    let folder = root.writer().made("/etc/rancher/rke2").unwrap();
    let _unfinished = Unfinished::begin(&folder, "config.yaml").unwrap();
    let stat = fs::metadata(root.at("/etc/rancher/rke2").join(&root.unfinished()[0])).unwrap();
    assert_eq!(stat.mode() & 0o7777, 0o600);
}

#[test]
fn a_disk_that_says_no_is_told_in_words_with_the_way_out() {
    for (cause, parts) in [
        (Errno::NOSPC, ["No space left", "free space"]),
        (Errno::ROFS, ["Read-only file system", "read-write"]),
        (Errno::ACCESS, ["Permission denied", "as root"]),
    ] {
        let said = words("write", CONFIG, cause);
        assert!(said.contains(CONFIG) && parts.iter().all(|part| said.contains(part)), "{said}");
    }
}
