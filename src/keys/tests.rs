//! Making keys, and what becomes of snapshots when they change.

mod rotation;

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::{
    seal::{Identities, Recipients},
    signature::{SigningKey, TrustedSigners},
};

fn now() -> DateTime<Utc> {
    "2026-11-24T01:00:00Z".parse().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_files_fit_each_other_and_private_ones_are_private() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/keys");
    let keys = generate(&folder, now()).unwrap();
    assert_eq!(
        names(&folder),
        [
            "break-glass.txt",
            "index.txt",
            "operator.txt",
            "recipients.txt",
            "signing",
            "signing.pub",
            "trusted_signers"
        ]
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for private in [&keys.operator, &keys.break_glass, &keys.index, &keys.signing] {
        assert_eq!(mode(private), 0o600, "{}", private.display());
    }
    let refuse = |_: &str| -> Result<String> { panic!("asked") };
    let text = fs::read_to_string(&keys.recipients).unwrap();
    let recipients = Recipients::parse(text.lines(), "recipients.txt").unwrap();
    let identities = Identities::read(&[keys.operator.clone(), keys.break_glass.clone()], &refuse).unwrap();
    assert_eq!(identities.recipients().unwrap(), recipients);
    assert_eq!(recipients.lines(), keys.recipient_lines);
    let index = Identities::read(std::slice::from_ref(&keys.index), &refuse).unwrap();
    assert!(!recipients.lines().contains(&index.recipients().unwrap().lines()[0]));

    let signature =
        SigningKey::read(&keys.signing, &refuse).unwrap().sign(signature::SNAPSHOT, b"header").unwrap();
    let trusted = TrustedSigners::read(&keys.trusted_signers).unwrap();
    assert!(trusted.check(signature::SNAPSHOT, b"header", Some(&signature), now()).is_trusted());
    assert_eq!(signature::OURS, [signature::SNAPSHOT, signature::REPORT, signature::RUN].join(","));
    let public = fs::read_to_string(folder.join("signing.pub")).unwrap();
    assert_eq!(public, format!("{} netdr\n", keys.signer));
    assert!(fs::read_to_string(&keys.operator).unwrap().starts_with(&format!(
        "# created: 2026-11-24T01:00:00Z\n# public key: {}\nAGE-SECRET-KEY-1",
        keys.recipient_lines[0]
    )));
}

#[test]
fn an_existing_file_is_named_and_nothing_is_made_or_changed() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["operator.txt", "signing.pub"] {
        let path = folder.path().join(name);
        fs::write(&path, "mine").unwrap();
        let error = generate(folder.path(), now()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{} exists already", path.display())), "{error}");
        assert_eq!(names(folder.path()), [name]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        fs::remove_file(&path).unwrap();
    }
}
