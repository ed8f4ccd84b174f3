//! `netdr probe`: what the pods of `netdr check cni` run. Hidden: nobody types it.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener},
    path::PathBuf,
};

use clap::{Args, Subcommand};

use super::{context::Context, exit::Exit};
use crate::{Error, Result, probe};

/// What the pods of `netdr check cni` run
#[derive(Subcommand)]
pub(super) enum Probe {
    Serve(Serve),
    Dial(Dial),
}

/// Give back over TLS what callers send, until it is ended
#[derive(Args)]
pub(super) struct Serve {
    /// Listen at this address
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    address: IpAddr,
    /// Listen on this port
    #[arg(long, default_value_t = probe::PORT)]
    port: u16,
}

/// Reach each target several times and ask DNS; the answer is one JSON document
#[derive(Args)]
pub(super) struct Dial {
    /// Who is to be reached: listeners of `netdr probe serve`
    #[arg(value_name = "IP:PORT")]
    targets: Vec<SocketAddr>,
    /// How often each is tried
    #[arg(long, value_name = "N", default_value_t = 5)]
    tries: u32,
    /// Ask this DNS server, too
    #[arg(long, value_name = "IP:PORT", requires = "dns_name")]
    dns: Option<SocketAddr>,
    /// For this name
    #[arg(long, value_name = "NAME")]
    dns_name: Option<String>,
    /// Write the answer into this file as well
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
}

impl Probe {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        match self {
            Self::Serve(serve) => serve.run(cx),
            Self::Dial(dial) => dial.run(cx),
        }
    }
}

impl Serve {
    fn run(&self, cx: &Context) -> Result<Exit> {
        let at = SocketAddr::new(self.address, self.port);
        let listener =
            TcpListener::bind(at).map_err(|e| Error::failed(format!("cannot listen at {at}")).because(e))?;
        cx.terminal.note(format!("listening at {at}"));
        probe::serve(&listener).map_err(|why| Error::failed(format!("cannot serve at {at}")).why(why))?;
        Ok(Exit::Done)
    }
}

impl Dial {
    fn run(&self, cx: &Context) -> Result<Exit> {
        let questions = probe::Questions {
            targets: self.targets.clone(),
            tries: self.tries,
            dns: self.dns.zip(self.dns_name.clone()),
        };
        let answer = probe::dial(&questions);
        let text = serde_json::to_string(&answer)
            .map_err(|e| Error::failed("the answer cannot be written as JSON").because(e))?;
        if let Some(file) = &self.answer {
            fs::write(file, &text)
                .map_err(|e| Error::failed(format!("cannot write {}", file.display())).because(e))?;
        }
        cx.terminal.answer(&answer, || format!("{text}\n"))?;
        Ok(Exit::Done)
    }
}
