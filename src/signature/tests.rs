use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::*;

const MESSAGE: &[u8] = b"{\"format\":1}\n";

fn refuse(_: &str) -> Result<String> {
    panic!("asked for a passphrase")
}

fn now() -> DateTime<Utc> {
    "2026-11-24T01:00:00Z".parse().unwrap()
}

/// A key that ssh-keygen made, and its public line.
fn keygen(folder: &Path, kind: &str, passphrase: &str) -> (PathBuf, String) {
    let path = folder.join(format!("{kind}-{passphrase}"));
    let mut keygen = Command::new("ssh-keygen");
    let made =
        keygen.args(["-q", "-a", "1", "-t", kind, "-C", "c", "-N", passphrase, "-f"]).arg(&path).status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    (path, public.rsplit_once(' ').unwrap().0.to_string())
}

fn signers(text: &str) -> TrustedSigners {
    TrustedSigners::parse(text, "trusted_signers").unwrap()
}

#[test]
fn stock_ssh_keygen_accepts_our_signature() {
    let folder = tempfile::tempdir().unwrap();
    let (path, public) = keygen(folder.path(), "ed25519", "");
    let key = SigningKey::read(&path, &refuse).unwrap();
    assert_eq!(key.public().unwrap(), public);
    let signature = folder.path().join("snapshot.json.sig");
    fs::write(&signature, key.sign(SNAPSHOT, MESSAGE).unwrap()).unwrap();
    let allowed = folder.path().join("trusted_signers");
    fs::write(&allowed, format!("netdr namespaces=\"netdr-snapshot\" {public}\n")).unwrap();
    let verify = |namespace: &str, message: &[u8]| {
        let mut child = Command::new("ssh-keygen")
            .args(["-Y", "verify", "-I", "netdr", "-n", namespace, "-f"])
            .arg(&allowed)
            .arg("-s")
            .arg(&signature)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(message).unwrap();
        child.wait().unwrap().success()
    };
    assert!(verify(SNAPSHOT, MESSAGE));
    assert!(!verify(SNAPSHOT, b"other"));
    assert!(!verify(RUN, MESSAGE));
}

#[test]
fn we_accept_what_stock_ssh_keygen_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, public) = keygen(folder.path(), "ed25519", "");
    let file = folder.path().join("snapshot.json");
    fs::write(&file, MESSAGE).unwrap();
    let mut keygen = Command::new("ssh-keygen");
    let signed = keygen.args(["-q", "-Y", "sign", "-n", SNAPSHOT, "-f"]).arg(&path).arg(&file).status();
    assert!(signed.unwrap().success());
    let signature = fs::read_to_string(folder.path().join("snapshot.json.sig")).unwrap();
    let trust = signers(&format!("# us\nops@example.org {public} comment\n")).check(
        SNAPSHOT,
        MESSAGE,
        Some(&signature),
        now(),
    );
    assert_eq!(trust, Trust::Trusted("ops@example.org".into()));
}

#[test]
fn everything_else_is_untrusted_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (path, public) = keygen(folder.path(), "ed25519", "");
    let key = SigningKey::read(&path, &refuse).unwrap();
    let signature = key.sign(SNAPSHOT, MESSAGE).unwrap();
    let (_, foreign) = keygen(folder.path(), "ed25519", "other");
    let ours = format!("netdr {public}");
    let check = |signers_text: &str, namespace: &str, message: &[u8], signature: Option<&str>| match signers(
        signers_text,
    )
    .check(namespace, message, signature, now())
    {
        Trust::Untrusted(why) => why,
        Trust::Trusted(who) => panic!("trusted {who}"),
    };
    assert_eq!(check(&ours, SNAPSHOT, MESSAGE, None), "it is not signed");
    assert!(check(&ours, SNAPSHOT, MESSAGE, Some("junk")).starts_with("its signature does not parse"));
    assert_eq!(
        check(&ours, SNAPSHOT, b"edited", Some(&signature)),
        "its signature does not match its content"
    );
    assert_eq!(
        check(&ours, REPORT, MESSAGE, Some(&signature)),
        "it is signed as `netdr-snapshot`, not as `netdr-report`"
    );
    let why = check(&format!("netdr {foreign}"), SNAPSHOT, MESSAGE, Some(&signature));
    assert!(why.contains("SHA256:") && why.ends_with("which is not a trusted signer"), "{why}");
    let revoked = format!("netdr valid-before=\"20261101Z\" {public}");
    let why = check(&revoked, SNAPSHOT, MESSAGE, Some(&signature));
    assert!(
        why.starts_with("it is signed by netdr") && why.contains("was trusted only until 2026-11-01"),
        "{why}"
    );
    assert!(!TrustedSigners::default().check(SNAPSHOT, MESSAGE, Some(&signature), now()).is_trusted());

    // A second line may trust a key anew.
    let renewed = signers(&format!("{revoked}\nnetdr2 {public}"));
    assert_eq!(renewed.check(SNAPSHOT, MESSAGE, Some(&signature), now()), Trust::Trusted("netdr2".into()));
}

#[test]
fn an_encrypted_key_is_opened_by_its_passphrase_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = keygen(folder.path(), "ed25519", "right");
    let key = SigningKey::read(&path, &|_| Ok("right".into())).unwrap();
    assert!(key.sign(RUN, MESSAGE).unwrap().starts_with("-----BEGIN SSH SIGNATURE-----\n"));
    let error = SigningKey::read(&path, &|_| Ok("wrong".into())).unwrap_err();
    assert_eq!(error.to_string(), format!("the passphrase does not open {}", path.display()));
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = keygen(folder.path(), "ed25519", "");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = SigningKey::read(&path, &refuse).unwrap_err();
    assert!(error.to_string().ends_with("can be read by others (mode 0640)"), "{error}");
    assert_eq!(error.hints(), [format!("chmod 600 {}", path.display())]);

    let (ecdsa, _) = keygen(folder.path(), "ecdsa", "");
    assert!(
        SigningKey::read(&ecdsa, &refuse).unwrap_err().to_string().contains("is of type ecdsa-sha2-nistp256")
    );
    let none = folder.path().join("none");
    assert!(
        SigningKey::read(&none, &refuse).unwrap_err().to_string().starts_with("cannot read the signing key ")
    );
}

#[test]
fn debug_shows_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = keygen(folder.path(), "ed25519", "");
    let shown = format!("{:?}", SigningKey::read(&path, &refuse).unwrap());
    assert!(shown.starts_with("SigningKey(SHA256:") && shown.len() < 80, "{shown}");
}
