//! Credentials by their form, in whatever text they stand.
//!
//! In: a text. Out: whether it holds one. Invariant: pure; nothing that comes before or after a credential hides it: of a
//! URL its user is looked at by itself, and a text counts as a whole.

use crate::model::ItemKey;

/// Beginnings by which forges, clouds and age mark their tokens.
const TOKENS: [&str; 14] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "hvs.",
    "sk_live_",
    "AGE-SECRET-KEY-",
];
/// Addresses whose path is the credential: whoever knows it may post.
const HOOKS: [&str; 5] = [
    "hooks.slack.com/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    ".webhook.office.com/",
    "api.telegram.org/bot",
];
/// Ends of names whose value is a credential: `password=…`, `?access_token=…`, `"client_secret": …`.
const NAMES: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "psk",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "access-key",
    "accesskey",
    "signature",
];

/// Whether a text holds a credential, a header that presents one (`Bearer …`) or a private key.
fn holds_credential(text: &str) -> bool {
    ["Bearer ", "Basic "].iter().any(|scheme| text.contains(scheme)) || looks_secret(text)
}

/// The same of a text in an object; of a definition, which is its vendor's, the descriptions show what one looks like.
pub fn shows_credential(key: &ItemKey, text: &str) -> bool {
    !key.is_kind("apiextensions.k8s.io", "customresourcedefinitions") && holds_credential(text)
}

/// The same without headers: "Basic " begins many a comment of a file.
pub fn looks_secret(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let hook = |address: &&str| text.split_once(*address).is_some_and(|(_, rest)| rest.starts_with(word));
    text.split(|c| !word(c)).any(is_token)
        || HOOKS.iter().any(hook)
        || text.match_indices("//").any(|(at, _)| has_login(&text[..at], &text[at + 2..]))
        || text.match_indices(['=', ':']).any(|(at, sign)| is_named(&text[..at], sign, &text[at + 1..]))
        || text.contains("PRIVATE KEY-----")
}

/// A known beginning, or a JSON Web Token.
fn is_token(word: &str) -> bool {
    let known = TOKENS.iter().any(|start| word.strip_prefix(start).is_some_and(|rest| rest.len() >= 8));
    known || word.starts_with("eyJ") && word.matches('.').count() == 2
}

/// Whether a URL has a password, or a user that is as good as one (RFC 3986, 3.2.1): of SSH alone a user is none.
fn has_login(before: &str, after: &str) -> bool {
    let url = after.split(|c: char| c.is_whitespace() || "\"`<>\\".contains(c)).next().unwrap_or_default();
    let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user).filter(|user| !user.is_empty());
    // Who does not escape a `/`, `?` or `#` of a password ends the authority in it; what precedes is then no port.
    let port = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let cut = user.is_none()
        && url.contains('@')
        && authority.rsplit_once(':').is_some_and(|(_, rest)| !port(rest) && !rest.ends_with(']'));
    user.is_some_and(|user| user.contains(':') || !before.ends_with("ssh:")) || cut
}

/// Whether a value follows a name that says credential. A colon is one in YAML and JSON, and none in `image:tag`; two
/// signs compare.
fn is_named(before: &str, sign: &str, after: &str) -> bool {
    let quoted = before.ends_with(['"', '\'']);
    if sign == ":" && !quoted && !after.starts_with(char::is_whitespace) {
        return false;
    }
    let name = before.trim_end_matches(|c: char| c.is_whitespace() || "\"'".contains(c)).to_ascii_lowercase();
    let value = after.trim_start_matches(|c: char| c.is_whitespace() || "\"'".contains(c));
    NAMES.iter().any(|end| name.ends_with(end)) && value.chars().next().is_some_and(|c| !"=&,;}".contains(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_credential_is_known_by_its_form() {
        for text in [
            "ghp_0123456789abcdef",
            "token=glpat-0123456789",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.sig",
            "https://me:secret@forge.lab/x",
            "https://auth.lab, https://me:sec,ret@auth.lab/verify?x=1",
            "https://me:a#b@auth.lab/verify",
            "https://user:PW@x/${1}?token=${2}",
            "//me:secret@auth.lab?x=1",
            "http://TOKEN@auth.lab/a",
            "redis://:secret@cache:6379",
            "ssh://git:secret@forge/x",
            "https://auth.lab/verify?token=abc",
            "https://auth.lab/verify?x=1&access_token=abc",
            "https://hooks.slack.com/services/T0/B0/x",
            "password=abc",
            "{\"password\":\"abc\"}",
            "client_secret: abc",
            "Authorization: Bearer abcdef",
            "-----BEGIN EC PRIVATE KEY-----\nx",
        ] {
            assert!(holds_credential(text), "{text}");
        }
        for text in [
            "Host(`shop.lab`) && PathPrefix(`/api`)",
            "https://acme.lab:14000/dir",
            "https://acme.lab:14000/dir?next=abc@d",
            "https://[fd00::1]:443/x@y",
            "ssh://git@forge/x",
            "git@forge.lab:ops/k8s.git",
            "mailto:ops@shop.lab",
            "registry.lab/vault-token:1.2",
            "object.spec.token == 'x'",
            "https://auth.lab/verify?x=1&page=2",
            "https://auth.lab/login?token=",
            "https://slack.com/help",
        ] {
            assert!(!holds_credential(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_follows_or_precedes_the_user_of_a_url_does_not_hide_it(
            before in "[ -~]{0,12}",
            user in "[A-Za-z0-9._~!$&'()*+,;=%-]{1,8}",
            password in "[A-Za-z0-9._~!$&'()*+,;=:%-]{1,12}",
            after in "([/?#][ -~]{0,24})?",
        ) {
            let (with, token) =
                (format!("{before}https://{user}:{password}@auth.lab{after}"), format!("{before}http://{user}@auth.lab{after}"));
            prop_assert!(holds_credential(&with), "{}", with);
            prop_assert!(holds_credential(&token), "{}", token);
        }

        #[test]
        fn whatever_stands_around_a_named_value_does_not_hide_it(
            before in "([ -~]{0,12}[?& ;,])?",
            name in prop::sample::select(&NAMES[..]),
            value in "[A-Za-z0-9]{1,12}",
            after in "[ -~]{0,24}",
        ) {
            let text = format!("{before}{name}={value}{after}");
            prop_assert!(holds_credential(&text), "{}", text);
        }
    }
}
