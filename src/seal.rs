//! Sealing: items become bundles that stock `age`, `tar` and `zstd` open, and come back from them.
//!
//! In: items and recipients, or a sealed stream and identities. Out: a sealed stream with its sha256, or items
//! each checked against the index. Invariant: nothing in clear is ever written to disk but by [`extract`].

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use crate::{
    Error, Result,
    model::{Component, Index, Item, ItemKey},
};

/// Whom a bundle is sealed to.
pub struct Recipients {
    pub(crate) lines: Vec<String>,
}

impl Recipients {
    /// Parses one recipient a line (`age1…`, `ssh-ed25519 …`, `ssh-rsa …`), `#` comments; `source` names where they are from.
    pub fn parse<'a>(_lines: impl IntoIterator<Item = &'a str>, _source: &str) -> Result<Self> {
        Err(seam())
    }
    /// The recipients as text.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
    /// These and those of `other`.
    #[must_use]
    pub fn and(&self, _other: &Self) -> Self {
        Self { lines: vec![] }
    }
}

/// What opens a bundle. Never shown by `Debug`.
pub struct Identities {}

/// Asks for the passphrase of the file named.
pub type Ask<'a> = dyn Fn(&str) -> Result<String> + 'a;

impl Identities {
    /// Reads age identity files and SSH private keys; asks for the passphrase of an encrypted one.
    pub fn read(_files: &[PathBuf], _ask: &Ask<'_>) -> Result<Self> {
        Err(seam())
    }
    /// The recipients that belong to the X25519 identities (the index key's own recipient).
    pub fn recipients(&self) -> Result<Recipients> {
        Err(seam())
    }
}

/// What sealing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// sha256 of the sealed bytes, in hex.
    pub sha256: String,
    /// Size of the sealed bytes.
    pub bytes: u64,
    /// How many items are in it.
    pub items: u64,
}

/// Seals a component's items into one bundle: streamed tar → zstd → age.
pub fn seal_bundle<'a>(
    _items: impl IntoIterator<Item = &'a Item>,
    _captured_at: DateTime<Utc>,
    _recipients: &Recipients,
    _out: &mut dyn Write,
) -> Result<Sealed> {
    Err(seam())
}

/// Seals an index, JSON lines → zstd → age.
pub fn seal_index(_index: &Index, _recipients: &Recipients, _out: &mut dyn Write) -> Result<Sealed> {
    Err(seam())
}

/// Opens an index; `what` names it in errors.
pub fn open_index(_input: &mut dyn Read, _identities: &Identities, _what: &str) -> Result<Index> {
    Err(seam())
}

/// Opens a bundle and hands over the items that `wanted` picks, each checked against its line in the index.
pub fn open_bundle(
    _input: &mut dyn Read,
    _identities: &Identities,
    _component: Component,
    _index: &Index,
    _what: &str,
    _wanted: &dyn Fn(&ItemKey) -> bool,
    _each: &mut dyn FnMut(Item) -> Result<()>,
) -> Result<()> {
    Err(seam())
}

/// Unpacks a bundle's files below `to` (which must be empty or absent), refusing every path that would leave it. Returns how many files.
pub fn extract(_input: &mut dyn Read, _identities: &Identities, _what: &str, _to: &Path) -> Result<u64> {
    Err(seam())
}

/// The path of an item's (first) file in its bundle.
pub fn archive_path(_key: &ItemKey) -> String {
    String::new()
}

fn seam() -> Error {
    Error::failed("seam")
}
