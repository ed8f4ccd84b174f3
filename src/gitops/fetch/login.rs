//! Who netdr says it is to a Git server: what git itself would try.
//!
//! In: the SSH keys and the token at hand. Out: one credential after the other, until none is left. Invariant: each is tried once, and
//! what was tried is known by name, never by content.

use std::{cell::RefCell, path::PathBuf, slice::Iter};

use git2::{Config, Cred, CredentialType, Error, ErrorClass, ErrorCode};

use super::Place;

/// A user, and the token that a server takes for a password. Its `Debug` shows neither.
#[derive(Clone)]
pub struct Token {
    user: String,
    token: String,
}

impl Token {
    /// Of the text of a file: a token, or `USER:TOKEN`.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        // Forges take any name beside a token.
        let (user, token) = text.split_once(':').unwrap_or(("git", text));
        Self { user: user.into(), token: token.into() }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

pub(in crate::gitops) struct Login<'a> {
    agent: bool,
    keys: Iter<'a, PathBuf>,
    token: Option<&'a Token>,
    helper: bool,
    tried: &'a RefCell<Vec<String>>,
}

impl<'a> Login<'a> {
    pub(in crate::gitops) fn new(place: &'a Place, tried: &'a RefCell<Vec<String>>) -> Self {
        Self { agent: true, keys: place.ssh_keys.iter(), token: place.token.as_ref(), helper: true, tried }
    }

    /// The SSH agent, the usual keys; of HTTPS the token, git's credential helper.
    ///
    /// # Errors
    /// When nothing is left to try.
    pub(super) fn next(
        &mut self,
        url: &str,
        user: Option<&str>,
        allowed: CredentialType,
    ) -> Result<Cred, Error> {
        let name = user.unwrap_or("git");
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(name);
        }
        if allowed.contains(CredentialType::SSH_KEY) {
            if std::mem::take(&mut self.agent) {
                self.try_now("the SSH agent");
                return Cred::ssh_key_from_agent(name);
            }
            if let Some(key) = self.keys.next() {
                self.try_now(&key.display().to_string());
                return Cred::ssh_key(name, None, key, None);
            }
        }
        if allowed.contains(CredentialType::USER_PASS_PLAINTEXT)
            && let Some(Token { user, token }) = self.token.take()
        {
            self.try_now("token_file");
            return Cred::userpass_plaintext(user, token);
        }
        if allowed.contains(CredentialType::USER_PASS_PLAINTEXT)
            && std::mem::take(&mut self.helper)
            && let Ok(found) = Cred::credential_helper(&Config::open_default()?, url, user)
        {
            self.try_now("git's credential helper");
            return Ok(found);
        }
        Err(Error::new(ErrorCode::Auth, ErrorClass::Callback, "nothing is left to try"))
    }

    fn try_now(&self, what: &str) {
        self.tried.borrow_mut().push(what.to_owned());
    }
}
