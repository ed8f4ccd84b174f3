//! The line of a file by which a change of what was filtered shows, and nothing else of it.
//!
//! In: a text, the digest of the whole, netdr's signing key. Out: the text with its mark. Invariant: pure; the same whole
//! at the same place has the same mark (ed25519 signs alike, RFC 8032), and who lacks the key can neither make one nor
//! tell whether a guess is right.

use sha2::{Digest as _, Sha256};

use super::seen::Text;
use crate::{Result, model::hex, signature::SigningKey};

const MARK: &str = "# netdr filtered something here; this changes with it: ";
/// What is signed is no commit and no snapshot.
const NAMESPACE: &str = "netdr-filtered";

/// What is written; `place` is where, for equal secrets of two places are nobody's to see.
pub(super) fn marked(signer: &SigningKey, place: &[&str], text: &Text) -> Result<String> {
    let Some(whole) = &text.whole else { return Ok(text.shown.clone()) };
    let signed = signer.sign(NAMESPACE, format!("{}\n{whole}", place.join("\n")).as_bytes())?;
    Ok(format!("{MARK}{:.16}\n{}", hex(&Sha256::digest(signed)), text.shown))
}

/// Whether two contents of a file differ in their marks alone.
pub(super) fn differ_in_marks(before: &[u8], after: &[u8]) -> bool {
    let shown = |content: &[u8]| {
        let (mark, shown) = std::str::from_utf8(content).ok()?.split_once('\n')?;
        mark.starts_with(MARK).then(|| shown.to_owned())
    };
    shown(before).is_some_and(|before| shown(after) == Some(before))
}
