use std::{cell::Cell, fs, io::Write, process::Command};

use age::secrecy::ExposeSecret;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::*;
use crate::{
    Error, Kind, Result,
    model::{Class, Component, Content, Extent, Facts, FileContent, Index, IndexEntry, Item, ItemKey, Json},
};

mod files;

const WHAT: &str = "bundle cni of snapshot s1";

fn at() -> DateTime<Utc> {
    "2026-11-24T01:00:00Z".parse().unwrap()
}

/// A new identity and its recipients.
fn keys() -> (Identities, Recipients) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, age::x25519::Identity::generate().to_string().expose_secret()).unwrap();
    let identities = Identities::read(&[file], &|_| Err(Error::failed("asked"))).unwrap();
    let recipients = identities.recipients().unwrap();
    (identities, recipients)
}

fn item(key: ItemKey, content: Content) -> Item {
    Item { key, component: Component::Cni, class: Class::Config, extent: Extent::Whole, content }
}

fn secret(namespace: &str, name: &str) -> Item {
    let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
        "stringData": {"yes": "no", "text": "a\r\nb \n\n"}});
    item(ItemKey::resource("", "secrets", Some(namespace), name), Content::Resource(Json::new(&value)))
}

fn host_file(path: &str, mode: u32) -> Item {
    let content = FileContent { mode, uid: 7, gid: 4_000_000_000, bytes: b"token: x\n\xff".to_vec() };
    item(ItemKey::File { node: "n1".into(), path: path.into() }, Content::File(content))
}

/// One of each, and names at their limits.
fn items() -> Vec<Item> {
    let release = json!({"name": "sh.helm.release.v1.web.v1", "labels": {"owner": "helm"},
        "release": {"name": "web", "namespace": "traefik", "manifest": "---\nkind: Service\n", "version": 1,
            "config": {"replicas": 2}, "chart": {"metadata": {"name": "web"}, "values": {}, "schema": null}}});
    vec![
        secret("demo", "a"),
        secret(&"n".repeat(63), &"x".repeat(253)),
        secret("demo", &"x".repeat(252)),
        item(
            ItemKey::Release { namespace: "traefik".into(), name: "web".into() },
            Content::Release(Json::new(&release)),
        ),
        host_file("/etc/rancher/rke2/config.yaml", 0o640),
        host_file("/usr/local/bin/setuid", 0o4755),
    ]
}

fn index(items: &[Item]) -> Index {
    let facts = Facts { cni: Some("canal".into()), ..Facts::default() };
    Index { facts, entries: items.iter().map(IndexEntry::of).collect() }
}

fn seal(items: &[Item], recipients: &Recipients) -> (Sealed, Vec<u8>) {
    let mut bundle = Vec::new();
    let sealed = seal_bundle(items, at(), recipients, &mut bundle).unwrap();
    (sealed, bundle)
}

fn open(bundle: &[u8], identities: &Identities, index: &Index) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    open_bundle(&mut &*bundle, identities, Component::Cni, index, WHAT, &|_| true, &mut |item| {
        items.push(item);
        Ok(())
    })?;
    Ok(items)
}

/// A bundle of anyone's making: what `tar | zstd | age` could give.
fn forge(recipients: &Recipients, fill: impl FnOnce(&mut tar::Builder<&mut dyn Write>)) -> Vec<u8> {
    let mut bundle = Vec::new();
    stream::seal(recipients, &mut bundle, |out| {
        let mut tar = tar::Builder::new(out as &mut dyn Write);
        fill(&mut tar);
        tar.finish().unwrap();
        Ok(0)
    })
    .unwrap();
    bundle
}

/// A header with a path the tar crate itself would refuse to write.
fn raw_header(path: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    header
}

#[test]
fn items_come_back_as_they_were() {
    let (identities, recipients) = keys();
    let items = items();
    let (sealed, bundle) = seal(&items, &recipients);
    assert_eq!(sealed.items, items.len() as u64);
    assert_eq!(sealed.bytes, bundle.len() as u64);
    assert_eq!(sealed.sha256, crate::model::hex(&<sha2::Sha256 as sha2::Digest>::digest(&bundle)));
    assert!(open(&bundle, &identities, &index(&items)).unwrap() == items);
}

#[test]
fn every_recipient_opens_a_bundle_and_ssh_keys_do_too() {
    let (a, to_a) = keys();
    let (b, to_b) = keys();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ssh");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    let to_ssh = Recipients::parse(public.lines(), "ssh.pub").unwrap();
    let ssh = Identities::read(&[path], &|_| Err(Error::failed("asked"))).unwrap();
    let items = items();
    let (_, bundle) = seal(&items, &to_a.and(&to_b).and(&to_ssh));
    for identities in [&a, &b, &ssh] {
        assert!(open(&bundle, identities, &index(&items)).unwrap() == items);
    }
}

#[test]
fn a_wrong_identity_is_told_from_damage() {
    let (_, recipients) = keys();
    let (other, _) = keys();
    let items = items();
    let (_, bundle) = seal(&items, &recipients);
    let error = open(&bundle, &other, &index(&items)).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("the identity given does not open {WHAT}: tried /")),
        "{error}"
    );
    assert!(error.hints()[0].contains("--identity FILE (NETDR_IDENTITY)"));
    assert_eq!(error.kind(), Kind::Failed);
    let error = open(&bundle, &Identities::default(), &index(&items)).unwrap_err();
    assert_eq!(error.to_string(), format!("no identity was given to open {WHAT}"));
    // By its header alone: the content is not there.
    let error = prove(&mut &bundle[..bundle.len() / 2], &other, WHAT).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("the identity given does not open {WHAT}: tried /")),
        "{error}"
    );
}

#[test]
fn a_truncated_or_flipped_bundle_is_never_opened() {
    let (identities, recipients) = keys();
    let items = items();
    let (_, bundle) = seal(&items, &recipients);
    let index = index(&items);
    for length in [0, 5, 30, bundle.len() / 2, bundle.len() - 1] {
        let error = open(&bundle[..length], &identities, &index).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged, "{length}: {error}");
        assert!(error.to_string().starts_with(&format!("{WHAT} is damaged")), "{error}");
    }
    for at in (0..bundle.len()).step_by(7) {
        let mut flipped = bundle.clone();
        flipped[at] ^= 4;
        // In the recipient's own stanza, a flipped bit is a key that does not fit.
        assert!(open(&flipped, &identities, &index).is_err(), "byte {at}");
    }
    let longer = [&bundle[..], b"x"].concat();
    assert_eq!(open(&longer, &identities, &index).unwrap_err().kind(), Kind::Damaged);
}

#[test]
fn bundle_and_index_must_agree() {
    let (identities, recipients) = keys();
    let items = items();
    let (_, bundle) = seal(&items, &recipients);
    let whole = index(&items);

    let mut less = whole.clone();
    less.entries.remove(0);
    let error = open(&bundle, &identities, &less).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{WHAT} is damaged: `resources/core/secrets/demo/a.yaml` is not in the index")
    );

    let mut more = whole.clone();
    more.entries.push(IndexEntry::of(&secret("demo", "lost")));
    let error = open(&bundle, &identities, &more).unwrap_err();
    assert!(error.to_string().ends_with("are not in it, the first is secrets demo/lost"), "{error}");

    let mut twice = whole.clone();
    twice.entries.push(twice.entries[0].clone());
    let error = open(&bundle, &identities, &twice).unwrap_err();
    assert!(error.to_string().ends_with("it has secrets demo/a twice"), "{error}");

    let mut other = whole;
    other.entries[4].sha256 = IndexEntry::of(&secret("demo", "x")).sha256;
    let error = open(&bundle, &identities, &other).unwrap_err();
    assert!(
        error.to_string().ends_with("file n1:/etc/rancher/rke2/config.yaml is not what the index says"),
        "{error}"
    );
    assert_eq!(error.kind(), Kind::Damaged);
}

#[test]
fn only_what_is_wanted_comes_out() {
    let (identities, recipients) = keys();
    let items = items();
    let (_, bundle) = seal(&items, &recipients);
    let seen = Cell::new(0);
    let wanted = |key: &ItemKey| matches!(key, ItemKey::Release { .. });
    open_bundle(&mut &*bundle, &identities, Component::Cni, &index(&items), WHAT, &wanted, &mut |item| {
        assert!(item == items[3]);
        seen.set(seen.get() + 1);
        Ok(())
    })
    .unwrap();
    assert_eq!(seen.get(), 1);
}

#[test]
fn two_items_of_one_key_are_not_sealed() {
    let (_, recipients) = keys();
    let twice = [secret("demo", "a"), secret("demo", "a")];
    let error = seal_bundle(&twice, at(), &recipients, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "secrets demo/a is there twice");
}

#[test]
fn an_index_comes_back_as_it_was() {
    let (identities, recipients) = keys();
    let index = index(&items());
    let mut sealed = Vec::new();
    let summary = seal_index(&index, &recipients, &mut sealed).unwrap();
    assert_eq!((summary.items, summary.bytes), (6, sealed.len() as u64));
    assert_eq!(open_index(&mut &*sealed, &identities, "the index").unwrap(), index);
    let cut = sealed.len() - 20;
    let error = open_index(&mut &sealed[..cut], &identities, "the index").unwrap_err();
    assert_eq!(error.kind(), Kind::Damaged);
}

#[test]
fn debug_and_errors_show_no_secret() {
    let (identities, recipients) = keys();
    let marker = "MARKER-4711";
    let value = json!({"stringData": {"key": marker}});
    let item =
        item(ItemKey::resource("", "secrets", Some("demo"), "a"), Content::Resource(Json::new(&value)));
    let index = index(std::slice::from_ref(&item));
    for content in [&b"key: [MARKER-4711"[..], b"key: MARKER-4711\n", b"\xff MARKER-4711"] {
        let bundle = forge(&recipients, |tar| {
            let path = "resources/core/secrets/demo/a.yaml";
            tar.append(&raw_header(path, tar::EntryType::Regular, content.len() as u64), content).unwrap();
        });
        let error = open(&bundle, &identities, &index).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        assert!(!format!("{error:?}{identities:?}{item:?}").contains(marker), "{error:?}");
    }
}
