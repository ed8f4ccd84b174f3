//! A bundle's files on disk: as stock programs unpack them, and as [`extract`] does, from honest and forged bundles.

use std::{collections::BTreeMap, io::Read, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use super::{super::archive::MAX_FILE, *};

/// Everything below a folder: path → (mode, content).
fn tree(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_string();
                files.insert(name, (mode, fs::read(&path).unwrap()));
            }
        }
    }
    files
}

#[test]
fn stock_tar_and_zstd_unpack_what_age_gives() {
    let (identities, recipients) = keys();
    let items = items();
    let (_, bundle) = seal(&items, &recipients);
    let decryptor = age::Decryptor::new(&bundle[..]).unwrap();
    let mut compressed = Vec::new();
    decryptor.decrypt(identities.keys()).unwrap().read_to_end(&mut compressed).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar")
        .args(["--zstd", "-x", "--no-same-owner", "-p", "-C"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    tar.stdin.take().unwrap().write_all(&compressed).unwrap();
    assert!(tar.wait().unwrap().success());

    let files = tree(folder.path());
    for item in &items {
        let (mode, content) = &files[&archive_path(&item.key)];
        match &item.content {
            Content::File(file) => {
                assert_eq!(content, &file.bytes);
                assert_eq!(*mode & 0o777, file.mode & 0o777);
            }
            Content::Release(json) => assert_eq!(content, json.bytes()),
            Content::Resource(json) => {
                assert_eq!(*mode, 0o600);
                assert!(crate::yaml::read(content) == Some(json.value()));
            }
        }
    }
    assert_eq!(files["helm/traefik/web/manifest.yaml"].1, b"---\nkind: Service\n");
    assert_eq!(files["helm/traefik/web/values.yaml"].1, b"replicas: 2\n");
    assert!(files["helm/traefik/web/chart.tgz"].1.starts_with(&[0x1f, 0x8b]));
    assert_eq!(files.len(), items.len() + 3);
    let modified = fs::metadata(folder.path().join(archive_path(&items[0].key))).unwrap().modified().unwrap();
    assert_eq!(DateTime::<Utc>::from(modified), at());
}

#[test]
fn extract_gives_the_same_files_and_no_setuid() {
    let (identities, recipients) = keys();
    let items = items();
    let (_, bundle) = seal(&items, &recipients);
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("a/b");
    let count = extract(&mut &*bundle, &identities, WHAT, &to).unwrap();
    let files = tree(&to);
    assert_eq!(count, files.len() as u64);
    assert_eq!(files["host/n1/usr/local/bin/setuid"].0, 0o755);
    assert_eq!(files["host/n1/etc/rancher/rke2/config.yaml"].0, 0o640);
    assert_eq!(files["resources/core/secrets/demo/a.yaml"].0, 0o600);
    assert_eq!(fs::metadata(to.join("resources/core")).unwrap().permissions().mode() & 0o777, 0o700);

    let error = extract(&mut &*bundle, &identities, WHAT, &to).unwrap_err();
    assert!(error.to_string().ends_with("it is not empty"), "{error}");
    assert_eq!(tree(&to), files);
}

/// Whoever reads the bundle tells only at its very end that it is not the one it should be.
#[test]
fn a_bundle_that_fails_at_its_very_end_writes_nothing() {
    struct AtTheEnd<'a>(&'a [u8]);
    impl Read for AtTheEnd<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(std::io::Error::other("another")),
                read => Ok(read),
            }
        }
    }
    let (identities, recipients) = keys();
    let (_, bundle) = seal(&items(), &recipients);
    let parent = tempfile::tempdir().unwrap();
    let error = extract(&mut AtTheEnd(&bundle), &identities, WHAT, &parent.path().join("out")).unwrap_err();
    assert_eq!(error.kind(), crate::Kind::Damaged);
    assert!(tree(parent.path()).is_empty() && !parent.path().join("out").exists());
}

#[test]
fn a_forged_bundle_writes_nothing_and_names_its_path() {
    use tar::EntryType;
    let (identities, recipients) = keys();
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("to");
    let refused = |name: &str, bundle: Vec<u8>| {
        for existing in [false, true] {
            if existing {
                fs::create_dir(&to).unwrap();
            }
            let error = extract(&mut &*bundle, &identities, WHAT, &to).unwrap_err();
            assert_eq!(error.kind(), Kind::Damaged, "{error}");
            assert!(error.to_string().contains(name), "{name}: {error}");
            assert!(tree(parent.path()).is_empty());
            assert_eq!(to.exists(), existing);
        }
        fs::remove_dir(&to).unwrap();
        assert!(open(&bundle, &identities, &Index::default()).is_err());
    };
    for path in ["../out", "/out", "a/../../out", "./a", "a//b", ".."] {
        refused(
            path,
            forge(&recipients, |tar| {
                tar.append(&raw_header("good", EntryType::Regular, 1), &b"x"[..]).unwrap();
                tar.append(&raw_header(path, EntryType::Regular, 1), &b"x"[..]).unwrap();
            }),
        );
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::XHeader,
    ] {
        refused("odd", forge(&recipients, |tar| tar.append(&raw_header("odd", kind, 0), &b""[..]).unwrap()));
    }
    refused(
        "twice",
        forge(&recipients, |tar| {
            for _ in 0..2 {
                tar.append(&raw_header("twice", EntryType::Regular, 1), &b"x"[..]).unwrap();
            }
        }),
    );
    refused(
        "both/x",
        forge(&recipients, |tar| {
            tar.append(&raw_header("both", EntryType::Regular, 1), &b"x"[..]).unwrap();
            tar.append(&raw_header("both/x", EntryType::Regular, 1), &b"x"[..]).unwrap();
        }),
    );
    // A long name that leaves, and one without end.
    refused(
        "../../out",
        forge(&recipients, |tar| {
            tar.append(&raw_header("@", EntryType::GNULongName, 10), &b"../../out\0"[..]).unwrap();
            tar.append(&raw_header("x", EntryType::Regular, 1), &b"x"[..]).unwrap();
        }),
    );
    refused(
        "@",
        forge(&recipients, |tar| {
            tar.append(&raw_header("@", EntryType::GNULongName, 1 << 20), &vec![b'a'; 1 << 20][..]).unwrap();
        }),
    );
    refused(
        "huge",
        forge(&recipients, |tar| {
            tar.append(&raw_header("huge", EntryType::Regular, MAX_FILE + 1), &b""[..]).unwrap();
        }),
    );
}
