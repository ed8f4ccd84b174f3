//! Whom a file is sealed to.
//!
//! In: lines of text. Out: recipients that age seals to. Invariant: a line that does not parse is never passed
//! over: a backup that the break-glass key cannot open is found out now, not in the disaster.

use sha2::{Digest as _, Sha256};

use crate::{Error, Result, model::hex};

/// Whom a bundle is sealed to; public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients {
    lines: Vec<String>,
}

impl Recipients {
    /// Parses one recipient a line: `age1…` (X25519), `ssh-ed25519 …`, `ssh-rsa …`; blank lines and `#` comments
    /// are passed over, duplicates collapse. `source` names where the lines are from.
    ///
    /// # Errors
    /// A line that is none of these (named by number, never quoted: it may be an identity put in the wrong
    /// file), or no recipient at all.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>, source: &str) -> Result<Self> {
        let mut recipients = Self { lines: Vec::new() };
        for (number, line) in lines.into_iter().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (text, _) = parse(line).map_err(|why| {
                Error::usage(format!("{source}: line {} is no recipient", number + 1))
                    .why(why)
                    .hint("a recipient is age1…, ssh-ed25519 … or ssh-rsa …; an age identity's is printed by: age-keygen -y FILE")
            })?;
            recipients.add(text);
        }
        if recipients.lines.is_empty() {
            return Err(Error::usage(format!("{source} names no recipient"))
                .hint("make a pair of recipients with: netdr keys generate --out DIR"));
        }
        Ok(recipients)
    }

    /// The recipients as text, without comments.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What a header says of them: of each, the first 16 hex digits of the sha256 of its text, as
    /// `printf %s "$recipient" | sha256sum | cut -c1-16` shows it; sorted.
    pub fn fingerprints(&self) -> Vec<String> {
        let mut all: Vec<String> = self.lines.iter().map(|line| fingerprint(line)).collect();
        all.sort();
        all
    }

    /// These and those of `other`.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        other.lines.iter().cloned().for_each(|line| both.add(line));
        both
    }

    /// Recipients by their text; none is an empty list, which seals to nobody.
    pub(super) fn of(lines: impl IntoIterator<Item = String>) -> Self {
        let mut recipients = Self { lines: Vec::new() };
        lines.into_iter().for_each(|line| recipients.add(line));
        recipients
    }

    /// As age takes them.
    pub(super) fn keys(&self) -> Result<Vec<Box<dyn age::Recipient>>> {
        let parsed = self.lines.iter().map(|line| parse(line).map(|(_, key)| key));
        parsed.collect::<Result<_, _>>().map_err(|why| Error::usage("a recipient does not parse").why(why))
    }

    fn add(&mut self, line: String) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }
}

/// A recipient's fingerprint; see [`Recipients::fingerprints`].
pub fn fingerprint(recipient: &str) -> String {
    let mut digest = hex(&Sha256::digest(recipient));
    digest.truncate(16);
    digest
}

/// One recipient: its text without a comment, and as age takes it.
fn parse(line: &str) -> Result<(String, Box<dyn age::Recipient>), String> {
    use age::ssh::ParseRecipientKeyError as Ssh;
    if line.starts_with("AGE-SECRET-KEY-") || line.starts_with("AGE-PLUGIN-") {
        return Err(
            "it is an identity, which is secret and opens bundles; a recipient is its public half".into()
        );
    }
    if let Some(why) = of_another_kind(line) {
        return Err(why.into());
    }
    if line.starts_with("ssh-") {
        let key: age::ssh::Recipient = line.parse().map_err(|error| match error {
            Ssh::RsaModulusTooSmall => "its RSA key has fewer than 2048 bits".into(),
            Ssh::RsaModulusTooLarge => "its RSA key has too many bits".into(),
            Ssh::Unsupported(kind) => format!("age does not seal to keys of type {kind}"),
            Ssh::Invalid(why) => why.into(),
            _ => "unknown type of SSH key".to_string(),
        })?;
        return Ok((key.to_string(), Box::new(key)));
    }
    let key: age::x25519::Recipient = line.parse().map_err(str::to_string)?;
    Ok((key.to_string(), Box::new(key)))
}

/// Why not, for what other versions and plugins of age seal to.
fn of_another_kind(line: &str) -> Option<&'static str> {
    // bech32: what stands before its last `1` names the kind.
    let kind = line.rsplit_once('1').map_or("", |(kind, _)| kind);
    if kind == "age1pq" {
        return Some(
            "it is a post-quantum recipient, and those cannot be mixed with age1… and ssh-… of today",
        );
    }
    if kind.starts_with("age1") {
        return Some("it is a plugin's recipient (hardware keys and the like), and netdr runs no plugins");
    }
    let hardware = ["sk-ssh-", "sk-ecdsa-"].iter().any(|start| line.starts_with(start));
    if hardware || line.starts_with("ecdsa-") {
        return Some("age seals to SSH keys of type ed25519 and RSA only");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";

    #[test]
    fn comments_blank_lines_and_duplicates_are_passed_over() {
        let text = format!("# operator\n{AGE}\n\n  {SSH} alice@laptop\n{SSH} again\n{AGE}\n");
        let recipients = Recipients::parse(text.lines(), "recipients.txt").unwrap();
        assert_eq!(recipients.lines(), [AGE, SSH]);
        assert_eq!(recipients.and(&recipients), recipients);
    }

    #[test]
    fn fingerprints_are_what_stock_tools_compute_in_an_order_of_their_own() {
        let recipients = Recipients::parse([SSH, AGE], "x").unwrap();
        assert_eq!(recipients.fingerprints(), Recipients::parse([AGE, SSH], "x").unwrap().fingerprints());
        let script = format!("printf %s '{AGE}' | sha256sum | cut -c1-16");
        let shown = std::process::Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
        assert_eq!(String::from_utf8(shown).unwrap().trim(), fingerprint(AGE));
    }

    #[test]
    fn a_line_that_is_no_recipient_is_named_and_never_quoted() {
        let identity = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        for wrong in [identity, "age1nonsense", "ssh-dss AAAA", "ssh-ed25519 !", "SECRETWORD"] {
            let error = Recipients::parse([AGE, wrong], "recipients.txt").unwrap_err();
            assert!(error.to_string().starts_with("recipients.txt: line 2 is no recipient: "), "{error}");
            assert!(!format!("{error:?}").contains(wrong), "{error:?}");
            assert_eq!(error.kind(), crate::Kind::Usage);
        }
        for (kind, why) in [
            ("age1pq1qqqqqqqq", "post-quantum"),
            ("age1yubikey1qqqqqqqq", "plugin"),
            ("sk-ssh-ed25519@openssh.com AAAA", "type ed25519 and RSA only"),
            ("ecdsa-sha2-nistp256 AAAA", "type ed25519 and RSA only"),
        ] {
            let error = Recipients::parse([kind], "recipients.txt").unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        let error = Recipients::parse(["# nobody"], "recipients.txt").unwrap_err();
        assert_eq!(error.to_string(), "recipients.txt names no recipient");
    }
}
