//! `metrics` and `notify`: to whom netdr says how things stand.
//!
//! In: the keys' values. Out: places and channels. Invariant: what cannot work is refused here, before anything went wrong
//! that somebody had to be told of; no secret is in the file, only where it is.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use http::Uri;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Error, Result,
    model::Severity,
    notify::{Address, Channel, Smtp, Tls, Way, Webhook},
    task::Event,
    web,
};

/// Where metrics go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// A file that node_exporter reads.
    pub textfile: Option<PathBuf>,
    /// A Pushgateway's address.
    pub pushgateway: Option<Uri>,
    /// Authorities (PEM) that are trusted for it in place of this machine's.
    pub ca_file: Option<PathBuf>,
    /// A file with a bearer token for it.
    pub token_file: Option<PathBuf>,
}

impl Metrics {
    /// Whether they go anywhere.
    pub fn is_asked_for(&self) -> bool {
        self.textfile.is_some() || self.pushgateway.is_some()
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MetricsSection {
    textfile: Option<PathBuf>,
    pushgateway: Option<String>,
    ca_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ChannelSection {
    webhook: Option<String>,
    webhook_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    smtp: Option<SmtpSection>,
    on: Option<Vec<Event>>,
    min_severity: Severity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SmtpSection {
    server: String,
    #[serde(default)]
    tls: Option<Tls>,
    from: String,
    to: Vec<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

/// Where metrics go; `folder` is the configuration's, `shown` names it.
pub(super) fn metrics(section: MetricsSection, folder: &Path, shown: &str) -> Result<Metrics> {
    let pushgateway = section.pushgateway.filter(|url| !url.is_empty());
    let pushgateway = pushgateway.map(|url| web::address(&url)).transpose();
    Ok(Metrics {
        textfile: file(section.textfile, folder),
        pushgateway: pushgateway.map_err(|why| {
            Error::usage(format!("{shown}: metrics: `pushgateway` is no address of one")).why(why)
        })?,
        ca_file: file(section.ca_file, folder),
        token_file: file(section.token_file, folder),
    })
}

/// Who is told.
pub(super) fn channels(sections: Vec<ChannelSection>, folder: &Path, shown: &str) -> Result<Vec<Channel>> {
    let channel = |section: ChannelSection| section.channel(folder);
    let wrong = |why: String| Error::usage(format!("{shown}: notify: {why}"));
    sections.into_iter().map(|section| channel(section).map_err(wrong)).collect()
}

/// Who can be told, where the rest is wrong: each channel for itself.
pub(super) fn readable(sections: &Value, folder: &Path) -> Vec<Channel> {
    let section = |one: &Value| serde_json::from_value::<ChannelSection>(one.clone()).ok();
    let sections = sections.as_array().into_iter().flatten().filter_map(section);
    sections.filter_map(|section| section.channel(folder).ok()).collect()
}

impl ChannelSection {
    fn channel(self, folder: &Path) -> Result<Channel, String> {
        let on: BTreeSet<Event> = self.on.map_or_else(|| Event::ALL.into(), BTreeSet::from_iter);
        if on.is_empty() {
            return Err("`on` is empty: nothing would be told; leave it out for all".into());
        }
        let address = match (self.webhook, file(self.webhook_file, folder)) {
            (Some(_), Some(_)) => return Err("`webhook` and `webhook_file` exclude each other".into()),
            (Some(url), None) => Some(Address::Given(
                web::address(&url).map_err(|why| format!("`webhook` cannot be sent to: {why}"))?,
            )),
            (None, file) => file.map(Address::File),
        };
        let way = match (address, self.smtp) {
            (Some(address), None) => Way::Webhook(Webhook {
                address,
                token_file: file(self.token_file, folder),
                ca_file: file(self.ca_file, folder),
            }),
            (None, Some(_)) if self.token_file.is_some() || self.ca_file.is_some() => {
                return Err(
                    "`token_file` and `ca_file` beside `smtp` are a webhook's; smtp has a `ca_file` within"
                        .into(),
                );
            }
            (None, Some(smtp)) => Way::Smtp(smtp.server(folder)?),
            _ => return Err("each has one of `webhook`, `webhook_file` and `smtp`".into()),
        };
        let has_degrees = |event: &Event| matches!(event, Event::Drift | Event::Check);
        if self.min_severity > Severity::Low && !on.iter().any(has_degrees) {
            return Err("`min_severity` is of `drift` and `check`, and `on` has neither".into());
        }
        Ok(Channel { on, min_severity: self.min_severity, way })
    }
}

impl SmtpSection {
    fn server(self, folder: &Path) -> Result<Smtp, String> {
        let (host, port) = match self.server.rsplit_once(':') {
            Some((host, port)) => {
                let port = port.parse::<u16>();
                (host.to_owned(), Some(port.map_err(|_| format!("`{}` is no server and port", self.server))?))
            }
            None => (self.server, None),
        };
        let tls = self.tls.unwrap_or(if port == Some(465) { Tls::Implicit } else { Tls::Starttls });
        let usual = match tls {
            Tls::Starttls => 587,
            Tls::Implicit => 465,
            Tls::None => 25,
        };
        if host.is_empty() || host.contains(['/', '@']) {
            return Err(format!("`{host}` is no name of a mail server"));
        }
        let smtp = Smtp {
            host,
            port: port.unwrap_or(usual),
            tls,
            from: self.from,
            to: self.to,
            user: self.user,
            password_file: file(self.password_file, folder),
            ca_file: file(self.ca_file, folder),
        };
        if smtp.user.is_some() != smtp.password_file.is_some() {
            return Err("`user` and `password_file` of smtp go together".into());
        }
        if smtp.user.is_some() && tls == Tls::None {
            return Err(
                "smtp without TLS would send the password in clear: `tls: starttls` or `tls: implicit`"
                    .into(),
            );
        }
        if smtp.to.is_empty() {
            return Err("smtp has nobody in `to`".into());
        }
        if let Some((address, why)) = smtp.wrong_address() {
            return Err(format!("`{address}` is no mail address: {why}"));
        }
        Ok(smtp)
    }
}

/// A path relative to the configuration's folder; empty is unset.
fn file(path: Option<PathBuf>, folder: &Path) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty()).map(|path| folder.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("/etc/netdr/netdr.yaml"))
    }

    fn one(notify: &str) -> Result<Channel> {
        parse(&format!("notify: [{notify}]\n")).map(|mut config| config.notify.remove(0))
    }

    #[test]
    fn metrics_go_where_they_are_asked_for() {
        let config =
            parse("metrics: {textfile: netdr.prom, pushgateway: 'http://lab-mon01:9091'}\n").unwrap();
        assert_eq!(config.metrics.textfile, Some("/etc/netdr/netdr.prom".into()));
        assert_eq!(config.metrics.pushgateway, Some("http://lab-mon01:9091".parse().unwrap()));
        assert!(!parse("metrics: {textfile: '', pushgateway: ''}\n").unwrap().metrics.is_asked_for());
        for wrong in ["lab-mon01:9091", "https://me:MARKER@x", "ftp://x"] {
            let error =
                format!("{:?}", parse(&format!("metrics: {{pushgateway: '{wrong}'}}\n")).unwrap_err());
            assert!(error.contains("pushgateway") && !error.contains("MARKER"), "{error}");
        }
    }

    #[test]
    fn a_channel_is_told_of_everything_or_of_what_it_names() {
        let channel = one("{webhook: 'https://hooks.lab/x', token_file: token}").unwrap();
        assert_eq!(channel.on.len(), Event::ALL.len());
        let Way::Webhook(webhook) = channel.way else { panic!() };
        assert_eq!(webhook.token_file, Some("/etc/netdr/token".into()));
        let channel = one("{webhook_file: hook, on: [failed, objective-missed]}").unwrap();
        assert_eq!(channel.on, [Event::Failed, Event::ObjectiveMissed].into());
        assert_eq!(
            (channel.name().as_str(), channel.min_severity),
            ("webhook /etc/netdr/hook", Severity::Low)
        );
        let channel = one("{webhook_file: hook, on: [failed, drift], min_severity: high}").unwrap();
        assert_eq!(channel.min_severity, Severity::High);
    }

    /// A job whose configuration is wrong has nobody at a terminal.
    #[test]
    fn a_configuration_that_is_wrong_says_who_is_told_as_far_as_it_can_be_read() {
        let refused = |text: &str| Config::of_refused(text, Path::new("/etc/netdr/netdr.yaml"));
        let hook =
            "notify: [{webhook: 'https://hooks.lab/x', on: [failed]}, {webhook: 'https://x', on: [faild]}]";
        let config = refused(&format!(
            "cluster: {{name: proj-k8s}}\nrepository: repo\nretension: {{daily: 7}}\nmetrics: {{textfile: x}}\n{hook}\n"
        ));
        let (config, why) = config.unwrap();
        assert!(why.to_string().contains("unknown key `retension`"), "{why}");
        let names: Vec<String> = config.notify.iter().map(Channel::name).collect();
        assert_eq!(names, ["webhook https://hooks.lab"]);
        assert_eq!(config.cluster_name.as_deref(), Some("proj-k8s"));
        assert_eq!(config.repository, Some("/etc/netdr/repo".into()));
        assert!(!config.metrics.is_asked_for());
        assert!(refused("notify: [{webhook: 'https://hooks.lab/x'}]\n").is_none(), "it is right");
        assert!(refused("repositry: x\n").is_none() && refused("notify: [\n").is_none(), "it names nobody");
    }

    #[test]
    fn a_mail_server_has_the_port_of_its_protection() {
        for (server, name) in [
            ("server: mail.lab", "smtp mail.lab:587"),
            ("server: 'mail.lab:465'", "smtp mail.lab:465"),
            ("server: mail.lab, tls: implicit", "smtp mail.lab:465"),
            ("server: localhost, tls: none", "smtp localhost:25"),
            ("server: 'mail.lab:2525', tls: starttls", "smtp mail.lab:2525"),
        ] {
            let channel = one(&format!("{{smtp: {{{server}, from: netdr@lab, to: [alerts@lab]}}}}")).unwrap();
            assert_eq!(channel.name(), name);
            let Way::Smtp(smtp) = channel.way else { panic!() };
            assert_eq!(smtp.tls == Tls::Implicit, smtp.port == 465, "{server}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_why() {
        let mail = "from: netdr@lab, to: [alerts@lab]";
        for (channel, why) in [
            ("{}".to_owned(), "each has one of"),
            ("{webhook: 'https://x', webhook_file: y}".into(), "exclude each other"),
            ("{webhook: 'https://x', on: []}".into(), "nothing would be told"),
            ("{webhook: 'https://x', on: [faild]}".into(), "did you mean `failed`?"),
            ("{webhook: 'https://x', min_severity: hihg}".into(), "did you mean `high`?"),
            ("{webhook: 'https://x', min_severty: high}".into(), "did you mean `min_severity`?"),
            ("{webhook: 'https://x', on: [failed], min_severity: high}".into(), "`on` has neither"),
            ("{webhook: 'https://me:MARKER@x'}".into(), "token_file"),
            ("{webhook: 'hooks.lab/MARKER'}".into(), "it is no URL"),
            (format!("{{smtp: {{server: mail.lab, {mail}}}, token_file: x}}"), "a webhook's"),
            (format!("{{smtp: {{server: 'mail.lab:x', {mail}}}}}"), "is no server and port"),
            (format!("{{smtp: {{server: mail.lab, {mail}, user: netdr}}}}"), "go together"),
            (
                format!("{{smtp: {{server: mail.lab, {mail}, tls: none, user: n, password_file: p}}}}"),
                "in clear",
            ),
            ("{smtp: {server: mail.lab, from: netdr@lab, to: []}}".into(), "nobody in `to`"),
            (
                "{smtp: {server: mail.lab, from: netdr@lab, to: [nobody]}}".into(),
                "`nobody` is no mail address",
            ),
            (
                format!("{{smtp: {{server: mail.lab, {mail}, pasword_file: x}}}}"),
                "did you mean `password_file`?",
            ),
        ] {
            let error = format!("{:?}", one(&channel).unwrap_err());
            assert!(error.contains(why) && !error.contains("MARKER"), "{channel}: {error}");
        }
    }
}
