//! A webhook: JSON by POST.

use std::{fmt, path::PathBuf, time::Duration};

use http::{Method, Uri};

use super::Message;
use crate::{Error, Result, web};

/// One of them. `Debug` shows no more of it than messages do.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where it is.
    pub address: Address,
    /// A file whose content is sent as bearer token.
    pub token_file: Option<PathBuf>,
    /// Authorities (PEM) that are trusted in place of this machine's.
    pub ca_file: Option<PathBuf>,
}

/// Where a webhook is. Chat systems put a secret into its path.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// In the configuration.
    Given(Uri),
    /// In a file of its own.
    File(PathBuf),
}

impl Webhook {
    /// What may be said of its address.
    pub(super) fn shown(&self) -> String {
        match &self.address {
            Address::Given(url) => web::server(url),
            Address::File(file) => file.display().to_string(),
        }
    }

    pub(super) async fn send(&self, message: &Message, host: &str, patience: Duration) -> Result<()> {
        let url = match &self.address {
            Address::Given(url) => url.clone(),
            Address::File(file) => web::address(&web::secret(file, "webhook_file")?).map_err(|why| {
                Error::usage(format!("`webhook_file` {} holds no address of a webhook", file.display()))
                    .why(why)
            })?,
        };
        let body = message.json(host).to_string();
        let request = web::Request {
            method: &Method::POST,
            url: &url,
            content_type: "application/json",
            body: &body,
            ca_file: self.ca_file.as_deref(),
            token_file: self.token_file.as_deref(),
        };
        web::send(&request, patience).await
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.shown())
    }
}
