//! The tar layer: an item's path, and plain files in and out of an archive that GNU tar reads.
//!
//! In: paths, ownership and bytes. Out: the same. Invariant: no path that leaves its folder, no link and no
//! device passes, in either direction, and one file's size is bounded.

use std::{
    borrow::Cow,
    io::{self, Read, Write},
};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tar::EntryType;

use super::stream::{reading, writing};
use crate::{
    Error, Result,
    model::{ItemKey, hex},
};

/// Largest file we read into memory, in bytes, and so the largest we write. etcd takes objects up to 1.5 MiB, so
/// anything near this is forged.
pub(super) const MAX_FILE: u64 = 64 << 20;
/// Longest path Linux takes.
const MAX_PATH: u64 = 4096;
/// Longer last components are shortened: Linux takes 255 bytes, and the extension needs some.
const MAX_NAME: usize = 200;

/// The path of an item's (first) file in its bundle; `docs/` describes the tree. Paths only lead people around:
/// what an item is says the index.
pub fn archive_path(key: &ItemKey) -> String {
    let path = key.to_path();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let name = shortened(name);
    match key {
        ItemKey::Resource { .. } => format!("{folder}/{name}.yaml"),
        ItemKey::Release { .. } => format!("{folder}/{name}/release.json"),
        ItemKey::File { .. } => format!("{folder}/{name}"),
    }
}

/// Names over 200 bytes become their first 180, `-`, and 16 hex digits of the whole name's sha256.
fn shortened(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_NAME {
        return name.into();
    }
    let digest = hex(&Sha256::digest(name));
    let cut = (0..=180).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    format!("{}-{}", &name[..cut], &digest[..16]).into()
}

/// Whether a path stays in the folder it is unpacked in.
fn stays_inside(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// A file in an archive, without its bytes.
#[derive(Debug)]
pub(super) struct FileHeader {
    /// Relative and inside.
    pub(super) path: String,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// At most [`MAX_FILE`].
    pub(super) size: u64,
}

/// Writes files one after the other.
pub(super) struct Writer<W: Write> {
    tar: tar::Builder<W>,
    mtime: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, mtime: DateTime<Utc>) -> Self {
        Self { tar: tar::Builder::new(out), mtime: mtime.timestamp().try_into().unwrap_or(0) }
    }

    pub(super) fn file(&mut self, path: &str, (mode, uid, gid): (u32, u32, u32), bytes: &[u8]) -> Result<()> {
        if !stays_inside(path) {
            return Err(Error::failed(format!("`{path}` cannot be a path in a bundle")));
        }
        // Found out now, and not when it is to be opened.
        if bytes.len() as u64 > MAX_FILE {
            return Err(Error::failed(format!("`{path}` is larger than {} MiB", MAX_FILE >> 20)));
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(mode);
        header.set_uid(uid.into());
        header.set_gid(gid.into());
        header.set_mtime(self.mtime);
        header.set_size(bytes.len() as u64);
        self.tar.append_data(&mut header, path, bytes).map_err(writing)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.tar.finish().map_err(writing)
    }
}

/// Hands over every file of an archive, then reads on to the end, so that damage behind it is found too.
pub(super) fn each_file(
    input: impl Read,
    what: &str,
    visit: &mut dyn FnMut(FileHeader, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let reading = |error: io::Error| reading(what, &error);
    let mut archive = tar::Archive::new(input);
    let mut long_path = None;
    // Raw: the tar crate would read a forged long name or PAX header into memory, whatever its size.
    for entry in archive.entries().map_err(reading)?.raw(true) {
        let mut entry = entry.map_err(reading)?;
        let kind = entry.header().entry_type();
        let path = match long_path.take() {
            Some(path) => path,
            None => String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
        };
        let size = entry.size();
        match kind {
            EntryType::GNULongName if size <= MAX_PATH => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(reading)?;
                // GNU tar ends it with NUL.
                let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
                long_path = Some(String::from_utf8_lossy(bytes).into_owned());
                continue;
            }
            EntryType::Regular => {}
            _ => {
                return Err(Error::damaged(format!(
                    "{what} is damaged: `{}` is not a plain file",
                    path.escape_debug()
                )));
            }
        }
        if !stays_inside(&path) {
            return Err(Error::damaged(format!(
                "{what} is damaged: `{}` would leave its folder",
                path.escape_debug()
            )));
        }
        if size > MAX_FILE {
            return Err(Error::damaged(format!(
                "{what} is damaged: `{}` claims {size} bytes",
                path.escape_debug()
            )));
        }
        let header = entry.header();
        let number =
            |value: io::Result<u64>| value.map(|n| u32::try_from(n).unwrap_or(u32::MAX)).map_err(reading);
        let file = FileHeader {
            mode: header.mode().map_err(reading)? & 0o7777,
            uid: number(header.uid())?,
            gid: number(header.gid())?,
            path,
            size,
        };
        visit(file, &mut entry)?;
    }
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(reading)?;
    Ok(())
}

/// Reads a whole file of an archive.
pub(super) fn content(file: &FileHeader, input: &mut dyn Read, what: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(file.size).unwrap_or(0).min(1 << 20));
    input.read_to_end(&mut bytes).map_err(|error| reading(what, &error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_those_of_the_format() {
        let resource = |group, namespace, name| {
            archive_path(&ItemKey::resource(group, "networkpolicies", namespace, name))
        };
        assert_eq!(
            resource("networking.k8s.io", Some("demo"), "default-deny"),
            "resources/networking.k8s.io/networkpolicies/demo/default-deny.yaml"
        );
        assert_eq!(resource("", None, "n1"), "resources/core/networkpolicies/_cluster/n1.yaml");
        let release = ItemKey::Release { namespace: "traefik".into(), name: "web".into() };
        assert_eq!(archive_path(&release), "helm/traefik/web/release.json");
        let file = ItemKey::File { node: "n1".into(), path: "/etc/rancher/rke2/config.yaml".into() };
        assert_eq!(archive_path(&file), "host/n1/etc/rancher/rke2/config.yaml");
    }

    #[test]
    fn long_names_are_shortened_and_stay_apart() {
        let path = |name: &str| archive_path(&ItemKey::resource("", "secrets", Some("demo"), name));
        let (a, b) = ("a".repeat(253), "a".repeat(252));
        assert_ne!(path(&a), path(&b));
        // printf 'a%.0s' $(seq 253) | sha256sum
        let digest = hex(&Sha256::digest(&a));
        assert_eq!(
            path(&a),
            format!("resources/core/secrets/demo/{}-{}.yaml", "a".repeat(180), &digest[..16])
        );
        let kept = "b".repeat(200);
        assert_eq!(path(&kept), format!("resources/core/secrets/demo/{kept}.yaml"));
    }

    #[test]
    fn what_could_not_be_opened_is_not_sealed() {
        let mut archive = Writer::new(io::sink(), DateTime::UNIX_EPOCH);
        let huge = vec![0; MAX_FILE as usize + 1];
        let error = archive.file("a", (0o600, 0, 0), &huge).unwrap_err();
        assert_eq!(error.to_string(), "`a` is larger than 64 MiB");
        archive.file("a", (0o600, 0, 0), &huge[1..]).unwrap();
    }

    proptest! {
        #[test]
        fn no_forged_archive_makes_us_panic(edits in proptest::collection::vec((0usize..2048, any::<u8>()), 1..8)) {
            let mut bytes = Vec::new();
            let mut archive = Writer::new(&mut bytes, DateTime::UNIX_EPOCH);
            archive.file(&["long"; 40].join("/"), (0o600, 0, 0), b"x").unwrap();
            archive.file("short", (0o600, 0, 0), b"y").unwrap();
            archive.finish().unwrap();
            for (at, byte) in edits {
                bytes[at] = byte;
            }
            let result = each_file(&bytes[..], "x", &mut |file, input| content(&file, input, "x").map(drop));
            prop_assert!(result.is_ok() || result.is_err_and(|error| error.kind() == crate::Kind::Damaged));
        }

        #[test]
        fn any_name_fits_a_file_system(name in "\\PC{1,253}") {
            prop_assert!(shortened(&name).len() <= MAX_NAME);
        }
    }
}
