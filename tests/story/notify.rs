//! Failures reach somebody: by webhook and by mail, from real servers' point of view, and never at the backup's cost.

mod found;

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{MARKER, Mail, Pair, Server, Store};

const TOKEN: &str = "s3cr3t-t0k3n";

/// A webhook's server: every request's head, and its body.
type Heard = Arc<Mutex<Vec<(String, Value)>>>;

fn hooks(pair: &Pair) -> (Server, Heard) {
    let heard = Heard::default();
    let hear = heard.clone();
    let server = Server::serve("127.0.0.1", pair, move |head, body| {
        hear.lock().unwrap().push((head.to_owned(), serde_json::from_slice(body).unwrap()));
        b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
    });
    (server, heard)
}

/// A store whose signing key is away: no backup can be made.
async fn broken(store: &Store) {
    store.shell("mv keys/signing away").await.ok();
}

async fn mended(store: &Store) {
    store.shell("mv away keys/signing").await.ok();
}

const BACKUP: &str = "backup --set host --host-root host";
const SUBJECT: &str = "[netdr] proj-k8s: backup host proj-k8s01 failed";

#[track_caller]
fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let line = mail.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in\n{mail}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_and_its_end_are_mails_of_one_thread() {
    let store = Store::new().await;
    let mail = Mail::start(None, &[]).await;
    let port = mail.port;
    store.configure(&format!(
        "notify: [{{smtp: {{server: '127.0.0.1:{port}', tls: none, from: netdr@lab.test, to: [alerts@lab.test, ops@lab.test]}}}}]"
    ));
    store.backup().await;
    assert_eq!(mail.taken(), Vec::<String>::new(), "nothing is wrong");
    broken(&store).await;
    store.netdr(BACKUP).await.failed(2);
    store.netdr(BACKUP).await.failed(2); // of what lasts nobody is told twice a day
    mended(&store).await;
    store.backup().await;
    store.backup().await;
    let taken = mail.taken();
    let [failed, over] = &taken[..] else { panic!("{taken:#?}") };
    assert!(failed.starts_with("netdr@lab.test > alerts@lab.test,ops@lab.test\n"), "{failed}");
    for mail in [failed, over] {
        assert_eq!(header(mail, "Subject"), SUBJECT);
        assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
        assert!(!mail.contains(MARKER));
    }
    assert!(failed.contains("signing") && failed.contains("What to do:"), "{failed}");
    assert!(over.contains("is well again"), "{over}");
    assert_eq!(header(over, "References"), header(failed, "Message-ID"));
    assert_ne!(header(over, "Message-ID"), header(failed, "Message-ID"));
    // What is remembered is no secret, and is gone with the problem.
    let kept = store.shell("ls repo/status; ! grep -r -e alerts@lab -e keys/ repo/status").await.ok();
    assert!(!kept.contains("told-"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_json_over_https_with_its_token() {
    let store = Store::new().await;
    let (pair, authority) = Pair::with_authority("localhost");
    let (server, heard) = hooks(&pair);
    std::fs::write(store.path("ca.pem"), authority).unwrap();
    std::fs::write(store.path("token"), TOKEN).unwrap();
    let port = server.address.port();
    std::fs::write(store.path("hook"), format!("https://localhost:{port}/services/{TOKEN}\n")).unwrap();
    store.configure("notify: [{webhook_file: hook, token_file: token, ca_file: ca.pem, on: [failed]}]");
    broken(&store).await;
    let failed = store.netdr(BACKUP).await.failed(2);
    assert!(!failed.contains(TOKEN), "{failed}");
    mended(&store).await;
    store.backup().await;
    let heard = heard.lock().unwrap();
    let [(head, body)] = &heard[..] else { panic!("{heard:?}, though it wants no recovery") };
    assert!(head.to_ascii_lowercase().contains(&format!("authorization: bearer {TOKEN}")), "{head}");
    assert_eq!(
        (&body["subject"], &body["status"], &body["event"]),
        (&SUBJECT.into(), &"problem".into(), &"failed".into())
    );
    assert!(
        body["text"].as_str().unwrap().contains("signing") && !body.to_string().contains(MARKER),
        "{body}"
    );
}

/// STARTTLS and TLS from the first byte, a password, and the wrong authority.
#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_tls_to_whom_the_authority_answers_for() {
    let (pair, authority) = Pair::with_authority("localhost");
    for (flags, tls) in
        [(&["-password", TOKEN][..], "starttls"), (&["-password", TOKEN, "-implicit"], "implicit")]
    {
        let store = Store::new().await;
        let mail = Mail::start(Some(&pair), flags).await;
        std::fs::write(store.path("ca.pem"), &authority).unwrap();
        std::fs::write(store.path("other.pem"), Pair::with_authority("localhost").1).unwrap();
        std::fs::write(store.path("password"), TOKEN).unwrap();
        std::fs::write(store.path("wrong"), "another-s3cr3t").unwrap();
        let configured = std::fs::read_to_string(store.path("netdr.yaml")).unwrap();
        for (ca, password, sent) in
            [("ca.pem", "password", true), ("other.pem", "password", false), ("ca.pem", "wrong", false)]
        {
            std::fs::write(store.path("netdr.yaml"), &configured).unwrap();
            store.configure(&format!(
                "notify: [{{smtp: {{server: 'localhost:{}', tls: {tls}, from: netdr@lab.test, to: [alerts@lab.test], user: netdr, password_file: {password}, ca_file: {ca}}}}}]",
                mail.port
            ));
            let tested = store.netdr("notify --test").await;
            assert_eq!(
                tested.code,
                Some(if sent { 0 } else { 1 }),
                "{tls} {ca} {password}: {}",
                tested.stderr
            );
            assert!(
                !tested.stderr.contains(TOKEN) && !tested.stderr.contains("another-s3cr3t"),
                "{}",
                tested.stderr
            );
        }
        let taken = mail.taken();
        assert_eq!(taken.len(), 1, "{taken:?}");
        assert_eq!(header(&taken[0], "Subject"), "[netdr] proj-k8s: test");
    }
}

/// Somebody who is not there, somebody who says nothing, a certificate of nobody's: each a warning, and the backup is done.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_be_told_costs_no_backup() {
    let store = Store::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap(); // takes connections and never answers
    let silent = silent.local_addr().unwrap();
    let (server, heard) = hooks(&Pair::of("localhost"));
    store.configure(&format!(
        "notify: [{{webhook: 'http://127.0.0.1:1/{TOKEN}'}}, {{webhook: 'http://{silent}/'}}, {{webhook: 'https://localhost:{}/'}}, \
         {{smtp: {{server: '{silent}', tls: none, from: netdr@lab.test, to: [alerts@lab.test]}}}}]",
        server.address.port()
    ));
    store.backup().await;
    // Shrunk is a problem, and the snapshot is there.
    store.shell("find host -type f ! -name config.yaml -delete").await.ok();
    let began = Instant::now();
    let taken = store.netdr(BACKUP).await;
    assert!(began.elapsed() < Duration::from_secs(60), "all of them are waited for at once");
    assert_eq!(taken.code, Some(3), "{}", taken.stderr);
    for said in [
        "webhook http://127.0.0.1:1: ".to_owned(),
        format!("{silent} did not answer within 15 s"),
        format!("webhook https://localhost:{}: ", server.address.port()),
        format!("smtp {silent}: "),
    ] {
        assert!(taken.stderr.contains(&said), "{said}: {}", taken.stderr);
    }
    assert!(!taken.stderr.contains(TOKEN) && heard.lock().unwrap().is_empty());
    let refused = "netdr_notification_last_failure_timestamp_seconds{cluster=\"proj-k8s\",channel=\"webhook http://127.0.0.1:1\"} 1";
    assert!(store.netdr("metrics").await.ok().contains(refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_repository_somebody_is_told_all_the_same() {
    let store = Store::new().await;
    let mail = Mail::start(None, &[]).await;
    store.configure(&mail.configuration());
    store.shell("mv repo unmounted").await.ok();
    store.netdr(BACKUP).await.failed(1);
    let taken = mail.taken();
    assert!(taken.len() == 1 && taken[0].contains("does not exist"), "{taken:?}");
    assert!(!store.path("repo").exists(), "nothing is made where nothing is mounted");
}

/// A job has nobody at a terminal: whoever its configuration still names is told that it is refused, and that it is not any
/// more. Who mistyped something at a terminal sees it, and nobody else is woken.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_reaches_somebody_and_a_slip_at_a_terminal_nobody() {
    let store = Store::new().await;
    let mail = Mail::start(None, &[]).await;
    store.configure(&mail.configuration());
    let right = std::fs::read_to_string(store.path("netdr.yaml")).unwrap();
    store.configure("retension: {daily: 7}");
    let at_a_terminal = |verb: &str| format!("script -qec 'netdr {verb}' /dev/null || true");
    store.shell(&at_a_terminal(BACKUP)).await.ok();
    assert_eq!(mail.taken(), Vec::<String>::new(), "somebody saw it");
    store.netdr(BACKUP).await.failed(2);
    store.netdr("backup --sett host").await.failed(2);
    std::fs::write(store.path("netdr.yaml"), right).unwrap();
    store.backup().await;
    let taken = mail.taken();
    let [refused, over] = &taken[..] else { panic!("{taken:#?}") };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for mail in [refused, over] {
        // Another machine's is another one.
        assert_eq!(header(mail, "Subject"), format!("[netdr] proj-k8s: configuration {host} failed"));
    }
    assert!(refused.contains("unknown key `retension`") && refused.contains("did you mean"), "{refused}");
    assert!(over.contains("is well again"), "{over}");

    broken(&store).await;
    let shown = store.shell(&at_a_terminal(BACKUP)).await.ok();
    assert!(shown.contains("signing"), "{shown}");
    assert_eq!(mail.taken().len(), 2, "nobody else is told of what somebody saw");
}
