//! One line of an allowed_signers file.
//!
//! In: the line. Out: who it is, and whether they may sign under a namespace at a time.
//! Invariant: what we do not understand is an error; an option passed over could be the one that revokes.

use chrono::{DateTime, NaiveDateTime, Utc};
use ssh_key::PublicKey;

/// A key, whose it is, and what it is trusted with.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    /// As the file has them: names or patterns, with commas.
    pub(super) principals: String,
    key: PublicKey,
    /// Patterns; none allows every namespace.
    namespaces: Option<String>,
    valid_after: Option<DateTime<Utc>>,
    valid_before: Option<DateTime<Utc>>,
}

impl Signer {
    /// Parses `principals [options] type base64 [comment]`, neither blank nor a comment.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let (principals, rest) = word(line)?;
        let principals = match principals.strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"').ok_or("a quote is open")?,
            None => principals,
        };
        let mut signer = match key(rest) {
            Ok(key) => return Ok(Self::new(principals, key)),
            // No key: then options come first.
            Err(_) => {
                let (_, rest) = word(rest)?;
                Self::new(principals, key(rest)?)
            }
        };
        let (mut options, _) = word(rest)?;
        while !options.is_empty() {
            options = signer.option(options)?;
        }
        Ok(signer)
    }

    fn new(principals: &str, key: PublicKey) -> Self {
        Self { principals: principals.into(), key, namespaces: None, valid_after: None, valid_before: None }
    }

    /// Takes the first of the options and returns the others.
    fn option<'a>(&mut self, options: &'a str) -> Result<&'a str, String> {
        let end = options.find(['=', ',']).unwrap_or(options.len());
        let name = &options[..end];
        let Some(value) = options[end..].strip_prefix('=') else {
            return Err(match name.to_ascii_lowercase().as_str() {
                "cert-authority" => {
                    "netdr does not trust certificate authorities; name the keys themselves".into()
                }
                _ => format!("unknown option `{name}`"),
            });
        };
        let value = value.strip_prefix('"').ok_or_else(|| format!("the value of `{name}` is not quoted"))?;
        let (value, rest) = value.split_once('"').ok_or_else(|| format!("the quote of `{name}` is open"))?;
        let twice = match name.to_ascii_lowercase().as_str() {
            "namespaces" => self.namespaces.replace(value.into()).is_some(),
            "valid-after" => self.valid_after.replace(time(value)?).is_some(),
            "valid-before" => self.valid_before.replace(time(value)?).is_some(),
            _ => return Err(format!("unknown option `{name}`")),
        };
        if twice {
            return Err(format!("option `{name}` is there twice"));
        }
        if rest.is_empty() {
            return Ok(rest);
        }
        rest.strip_prefix(',').ok_or_else(|| format!("a comma is missing after `{name}`"))
    }

    /// Whether this is the signer's key.
    pub(super) fn is(&self, key: &PublicKey) -> bool {
        self.key.key_data() == key.key_data()
    }

    /// Whether it may sign under a namespace now; else why not, in words that fit after "which ".
    pub(super) fn may_sign(&self, namespace: &str, now: DateTime<Utc>) -> Result<(), String> {
        if self.namespaces.as_ref().is_some_and(|patterns| !listed(patterns, namespace)) {
            return Err(format!("is not trusted with `{namespace}`"));
        }
        self.is_of(now)
    }

    /// Whether this is the time of its trust; else why not, as [`Signer::may_sign`].
    pub(super) fn is_of(&self, now: DateTime<Utc>) -> Result<(), String> {
        if let Some(after) = self.valid_after.filter(|after| now < *after) {
            return Err(format!("is trusted only from {after}"));
        }
        if let Some(before) = self.valid_before.filter(|before| now > *before) {
            return Err(format!("was trusted only until {before}"));
        }
        Ok(())
    }
}

fn key(text: &str) -> Result<PublicKey, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().take(2).collect();
    PublicKey::from_openssh(&words.join(" ")).map_err(|error| format!("its key does not parse: {error}"))
}

/// The first word, in which quotes protect white space, and what follows it.
fn word(text: &str) -> Result<(&str, &str), String> {
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        c.is_ascii_whitespace() && !quoted
    });
    if quoted {
        return Err("a quote is open".into());
    }
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    Ok((word, rest.trim_ascii_start()))
}

/// `YYYYMMDD[HHMM[SS]][Z]`. Without Z OpenSSH takes local time; we take UTC, in which netdr's jobs run.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let wrong = || format!("`{text}` is not a time (YYYYMMDD[HHMM[SS]]Z)");
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let time =
        NaiveDateTime::parse_from_str(&format!("{digits:0<14}"), "%Y%m%d%H%M%S").map_err(|_| wrong())?;
    Ok(time.and_utc())
}

/// Whether a pattern list of OpenSSH (ssh_config(5), PATTERNS) has `name`: a negated match wins.
fn listed(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(negated.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= matches(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// `*` is any number of characters, `?` is one.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', pattern_rest)), _) => {
            matches(pattern_rest, name) || name.split_first().is_some_and(|(_, rest)| matches(pattern, rest))
        }
        (Some((p, pattern)), Some((n, name))) if *p == b'?' || p == n => matches(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn principals_options_and_comments_are_read_as_openssh_reads_them() {
        for (line, principals) in [
            (format!("netdr {KEY}"), "netdr"),
            (format!("netdr\t{KEY}   a comment = \"odd"), "netdr"),
            (format!("\"two words,b\" {KEY}"), "two words,b"),
            (format!("a,b namespaces=\"x,y\",valid-before=\"20300101\" {KEY} c"), "a,b"),
            (format!("a NAMESPACES=\"x y\" {KEY}"), "a"),
        ] {
            let signer = Signer::parse(&line).unwrap_or_else(|why| panic!("{line}: {why}"));
            assert_eq!(signer.principals, principals, "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (line, why) in [
            (format!("netdr cert-authority {KEY}"), "certificate authorities"),
            (format!("netdr namespaces=\"x\",cert-authority {KEY}"), "certificate authorities"),
            (format!("netdr valid-until=\"20300101Z\" {KEY}"), "unknown option `valid-until`"),
            (format!("netdr namespaces=x {KEY}"), "not quoted"),
            (format!("netdr namespaces=\"x {KEY}"), "a quote is open"),
            (format!("netdr valid-before=\"soon\" {KEY}"), "`soon` is not a time"),
            (format!("netdr valid-before=\"20301301Z\" {KEY}"), "`20301301Z` is not a time"),
            (format!("netdr namespaces=\"x\",namespaces=\"y\" {KEY}"), "twice"),
            (format!("netdr namespaces=\"x\"valid-after=\"20300101\" {KEY}"), "comma"),
            (KEY.to_string(), "key does not parse"),
            ("netdr ssh-ed25519 AAAA".to_string(), "key does not parse"),
        ] {
            let error = Signer::parse(&line).map(drop).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn namespaces_and_times_bound_the_trust() {
        let options =
            "namespaces=\"netdr-*,!netdr-run\",valid-after=\"20260101Z\",valid-before=\"202612312359Z\"";
        let signer = Signer::parse(&format!("netdr {options} {KEY}")).unwrap();
        let may = |namespace, time| signer.may_sign(namespace, at(time));
        assert_eq!(may("netdr-snapshot", "2026-01-01T00:00:00Z"), Ok(()));
        assert_eq!(may("netdr-snapshot", "2026-12-31T23:59:00Z"), Ok(()));
        assert!(
            may("netdr-snapshot", "2025-12-31T23:59:59Z")
                .unwrap_err()
                .starts_with("is trusted only from 2026")
        );
        assert!(
            may("netdr-snapshot", "2026-12-31T23:59:01Z")
                .unwrap_err()
                .starts_with("was trusted only until 2026")
        );
        assert_eq!(may("netdr-run", "2026-06-01T00:00:00Z"), Err("is not trusted with `netdr-run`".into()));
        assert!(may("git", "2026-06-01T00:00:00Z").is_err());
    }

    #[test]
    fn times_have_the_three_lengths_of_openssh() {
        assert_eq!(time("20260203").unwrap(), at("2026-02-03T00:00:00Z"));
        assert_eq!(time("202602030405Z").unwrap(), at("2026-02-03T04:05:00Z"));
        assert_eq!(time("20260203040506Z").unwrap(), at("2026-02-03T04:05:06Z"));
        assert!(time("2026020304").is_err());
    }
}
