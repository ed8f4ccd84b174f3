//! The layers of a sealed file: zstd in age, digested on the way out.
//!
//! In: bytes in clear and recipients, or a sealed stream and identities. Out: the other.
//! Invariant: bounded memory, and what went wrong is told apart: the wrong key, damage, or a failing disk.

use std::io::{self, BufRead, BufReader, Read, Write};

use age::DecryptError;
use sha2::{Digest, Sha256};

use super::{Identities, Recipients};
use crate::{Error, Result, model::hex};

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

/// zstd's own default: the next levels cost twice the time for a few per cent.
const LEVEL: i32 = 3;
/// We write windows of 2 MiB; `zstd -19` writes 8 MiB. A forged file must not make us allocate more.
const MAX_WINDOW_LOG: u32 = 23;

pub(super) type Writer<'a, 'b> = zstd::Encoder<'static, age::stream::StreamWriter<&'a mut Digesting<'b>>>;
pub(super) type Reader<'a> = zstd::Decoder<'static, BufReader<Clear<'a>>>;

/// Seals what `fill` writes; it returns how many items that was.
pub(super) fn seal(
    recipients: &Recipients,
    out: &mut dyn Write,
    fill: impl FnOnce(&mut Writer<'_, '_>) -> Result<u64>,
) -> Result<Sealed> {
    let keys = recipients.keys()?;
    let encryptor = age::Encryptor::with_recipients(keys.iter().map(|key| &**key))
        .map_err(|error| Error::failed("cannot seal to the recipients").because(error))?;
    let mut digesting = Digesting { out, hash: Sha256::new(), bytes: 0 };
    let sealing = encryptor.wrap_output(&mut digesting).map_err(writing)?;
    let mut writer = zstd::Encoder::new(sealing, LEVEL).map_err(writing)?;
    let items = fill(&mut writer)?;
    writer.finish().and_then(age::stream::StreamWriter::finish).map_err(writing)?;
    digesting.flush().map_err(writing)?;
    Ok(Sealed { sha256: hex(&digesting.hash.finalize()), bytes: digesting.bytes, items })
}

/// Seals some bytes, as `age -d -i IDENTITY FILE | zstd -d` shows them.
///
/// # Errors
/// When `out` fails.
pub fn seal_bytes(bytes: &[u8], recipients: &Recipients, out: &mut dyn Write) -> Result<Sealed> {
    seal(recipients, out, |writer| writer.write_all(bytes).map(|()| 1).map_err(writing))
}

/// Opens a sealed stream; `what` names it in errors.
pub(super) fn open<'a>(input: &'a mut dyn Read, identities: &Identities, what: &str) -> Result<Reader<'a>> {
    let clear = unseal(input, identities, what)?.map_err(|error| opening(what, identities, error))?;
    let mut reader = zstd::Decoder::new(clear).map_err(|error| reading(what, &error))?;
    reader.window_log_max(MAX_WINDOW_LOG).map_err(|error| reading(what, &error))?;
    Ok(reader)
}

type Clear<'a> = age::stream::StreamReader<BufReader<&'a mut dyn Read>>;

/// The age layer, or why it stays closed.
fn unseal<'a>(
    input: &'a mut dyn Read,
    identities: &Identities,
    what: &str,
) -> Result<Result<Clear<'a>, DecryptError>> {
    let mut input = BufReader::new(input);
    if !input.fill_buf().map_err(|error| reading(what, &error))?.starts_with(b"age-encryption.org/") {
        return Err(Error::damaged(format!("{what} is damaged: it does not begin as an age file")));
    }
    Ok(age::Decryptor::new_buffered(input).and_then(|decryptor| decryptor.decrypt(identities.keys())))
}

/// Whether one of the identities opens a sealed stream. Its content is not read: two keys that open it open the same.
///
/// # Errors
/// Damaged, when it does not begin as a sealed stream does; and when it cannot be read.
pub fn opens(input: &mut dyn Read, identities: &Identities, what: &str) -> Result<bool> {
    match unseal(input, identities, what)? {
        Ok(_) => Ok(true),
        Err(
            DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed,
        ) => Ok(false),
        Err(error) => Err(opening(what, identities, error)),
    }
}

/// As [`opens`], where the answer must be yes.
///
/// # Errors
/// When none of them does, too; `what` names the file.
pub fn prove(input: &mut dyn Read, identities: &Identities, what: &str) -> Result<()> {
    unseal(input, identities, what)?.map(drop).map_err(|error| opening(what, identities, error))
}

/// A failure to write a sealed file.
pub(super) fn writing(error: io::Error) -> Error {
    Error::failed("cannot write the sealed file").because(error)
}

/// A failure while reading: the disk's own, or damage. tar wraps errors, so the whole chain is looked at.
pub(super) fn reading(what: &str, error: &io::Error) -> Error {
    let chain = || {
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source())
            .filter_map(|error| error.downcast_ref::<io::Error>())
    };
    if let Some(failed) = chain().find(|error| error.raw_os_error().is_some()) {
        return Error::failed(format!("cannot read {what}")).because(failed);
    }
    if chain().any(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
        return Error::damaged(format!("{what} is damaged: it ends too early"));
    }
    Error::damaged(format!("{what} is damaged")).because(error)
}

fn opening(what: &str, identities: &Identities, error: DecryptError) -> Error {
    match error {
        DecryptError::Io(error) => reading(what, &error),
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            let message = match identities.count() {
                0 => format!("no identity was given to open {what}"),
                1 => format!("the identity given does not open {what}"),
                count => format!("none of the {count} identities given opens {what}"),
            };
            let error = match identities.files() {
                [] => Error::failed(message),
                files => Error::failed(message).why(format!("tried {}", files.join(", "))),
            };
            error.hint(
                "bundles open with the operator's or the break-glass identity: --identity FILE (NETDR_IDENTITY); \
                 indexes also with the index key: --index-key FILE (NETDR_INDEX_KEY)",
            )
        }
        error => Error::damaged(format!("{what} is damaged")).because(error),
    }
}

/// Counts and digests what passes.
pub(super) struct Digesting<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
    bytes: u64,
}

impl Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out `content`, then fails as a broken disk does.
    struct Broken<'a>(&'a [u8]);
    impl Read for Broken<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::from_raw_os_error(5)),
                read => Ok(read),
            }
        }
    }

    #[test]
    fn a_failing_disk_is_no_damage() {
        let error = open(&mut Broken(b""), &Identities::default(), "x").map(drop).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Failed);
        assert!(error.to_string().starts_with("cannot read x: "), "{error}");
    }

    #[test]
    fn what_is_no_age_file_is_damage() {
        let error = open(&mut &b"PK\x03\x04"[..], &Identities::default(), "x").map(drop).unwrap_err();
        assert_eq!(error.to_string(), "x is damaged: it does not begin as an age file");
        assert_eq!(error.kind(), crate::Kind::Damaged);
    }
}
