//! Mail, by SMTP.
//!
//! Invariant: a password is sent over TLS only, and only where the server shows a certificate of a trusted authority.

use std::{fs, path::PathBuf, time::Duration};

use lettre::{
    Message as Mail, SmtpTransport, Transport as _,
    address::AddressError,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls as Client, TlsParameters},
        extension::ClientId,
    },
};
use serde::Deserialize;

use super::{Kind, Message};
use crate::{Error, Result, web};

/// A mail server, and who is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    /// Its name.
    pub host: String,
    /// Its port: 587, or 465 with `implicit`, or 25 with `none`.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// Who writes.
    pub from: String,
    /// Who is written to.
    pub to: Vec<String>,
    /// Who logs in; nobody, where none.
    pub user: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// Authorities (PEM) that are trusted in place of this machine's.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// By STARTTLS, which the server must offer (RFC 3207).
    #[default]
    Starttls,
    /// From the first byte (RFC 8314).
    Implicit,
    /// Not: for a relay on this machine.
    None,
}

impl Smtp {
    /// What is wrong with an address that a configuration names, if anything.
    pub fn wrong_address(&self) -> Option<(&str, AddressError)> {
        let all = self.to.iter().chain([&self.from]);
        all.map(|address| (address, address.parse::<Mailbox>()))
            .find_map(|(address, parsed)| Some((address.as_str(), parsed.err()?)))
    }

    /// The command that shows what answers.
    pub(super) fn asks(&self) -> String {
        let Self { host, port, .. } = self;
        match self.tls {
            Tls::Starttls => format!("openssl s_client -starttls smtp -connect {host}:{port}"),
            Tls::Implicit => format!("openssl s_client -connect {host}:{port}"),
            Tls::None => format!("curl -v smtp://{host}:{port}"),
        }
    }

    pub(super) async fn send(&self, message: &Message, host: &str, patience: Duration) -> Result<()> {
        let server = format!("{}:{}", self.host, self.port);
        let failed = |what: String| Error::failed(what);
        let mail = self.mail(message, host)?;
        let mut transport = SmtpTransport::builder_dangerous(&self.host)
            .port(self.port)
            .hello_name(ClientId::Domain(host.to_owned()))
            .timeout(Some(patience))
            .tls(self.client(&server)?);
        if let (Some(user), Some(file)) = (&self.user, &self.password_file) {
            transport =
                transport.credentials(Credentials::new(user.clone(), web::secret(file, "password_file")?));
        }
        let transport = transport.build();
        let sending = tokio::task::spawn_blocking(move || transport.send(&mail));
        // The thread of a server that answers drop by drop is left behind: the process ends without it.
        let sent = tokio::time::timeout(patience, sending).await;
        let late = || failed(format!("{server} did not take it within {} s", patience.as_secs()));
        let sent =
            sent.map_err(|_| late())?.map_err(|e| failed(format!("{server} cannot be asked")).because(e))?;
        sent.map(drop).map_err(|e| failed(format!("{server} did not take it")).because(e))
    }

    fn mail(&self, message: &Message, host: &str) -> Result<Mail> {
        let wrong = |what: &str| Error::usage(format!("`{what}` is no mail address"));
        let mailbox = |address: &String| address.parse::<Mailbox>().map_err(|e| wrong(address).because(e));
        let mut mail = Mail::builder()
            .from(mailbox(&self.from)?)
            .subject(message.subject())
            .date(message.now.into())
            .message_id(Some(message.id()))
            .header(ContentType::TEXT_PLAIN)
            // Nobody's holiday answers to it (RFC 3834, 5).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".into(),
            ));
        for address in &self.to {
            mail = mail.to(mailbox(address)?);
        }
        if message.kind != Kind::New {
            mail = mail.in_reply_to(message.thread()).references(message.thread());
        }
        mail.body(message.text(host)).map_err(|e| Error::failed("the mail cannot be written").because(e))
    }

    fn client(&self, server: &str) -> Result<Client> {
        if self.tls == Tls::None {
            return Ok(Client::None);
        }
        let mut parameters = TlsParameters::builder(self.host.clone());
        if let Some(file) = &self.ca_file {
            let shown = file.display();
            let wrong = || Error::usage(format!("`ca_file` {shown} holds no certificates"));
            let pem = fs::read(file)
                .map_err(|e| Error::usage(format!("`ca_file` {shown} cannot be read")).because(e))?;
            let authority = Certificate::from_pem(&pem).map_err(|e| wrong().because(e))?;
            parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(authority);
        }
        let parameters = parameters.build();
        let parameters =
            parameters.map_err(|e| Error::failed(format!("TLS to {server} cannot be set up")).because(e))?;
        Ok(if self.tls == Tls::Implicit { Client::Wrapper(parameters) } else { Client::Required(parameters) })
    }
}
