//! An S3 server in this process that has what only AWS has: archive classes that are thawed in hours. The hours are
//! virtual, and things go wrong when a story says so.
//!
//! In: requests of the real client over real HTTP, signed. Out: answers as AWS documents them; `bucket` and `front` name
//! the page of each rule. One bucket, always versioned.

mod bucket;
mod front;
mod service;

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta, Utc};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tokio::{net::TcpListener, process::Command, sync::Notify};

use super::{Home, Store, credentials};
use bucket::{Bucket, Version};
use front::{Front, Rule};
pub(crate) use front::{Moment, Trouble};

const BUCKET: &str = "disaster";
const REGION: &str = "eu-central-1";
/// The account that has the bucket.
const OWNER: &str = "111122223333";
const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "secret-of-the-story";

/// A server that answers until the test ends.
pub(crate) struct Glacier {
    state: Arc<Mutex<State>>,
    held: Arc<Notify>,
    address: SocketAddr,
}

/// A bucket as it was.
pub(crate) struct Saved(Bucket);

/// What a story sees and changes.
struct State {
    bucket: Bucket,
    now: DateTime<Utc>,
    /// How many entries a page of LIST has at most.
    page: usize,
    /// None: everything is allowed.
    allowed: Option<Vec<&'static str>>,
    rules: Vec<Rule>,
    calls: Vec<String>,
    /// Which write is never answered, counted from here.
    stop: Option<(usize, Moment)>,
}

impl State {
    fn allows(&self, action: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&action))
    }

    fn meets(&mut self, operation: &str, key: &str) -> Option<Trouble> {
        let meant = |rule: &&mut Rule| {
            rule.left > 0 && (rule.operation == "*" || rule.operation == operation) && key.contains(&rule.key)
        };
        let rule = self.rules.iter_mut().find(meant)?;
        rule.left -= 1;
        rule.met = true;
        Some(rule.trouble)
    }

    fn stops(&mut self) -> Option<Moment> {
        let (left, moment) = self.stop.as_mut()?;
        *left = left.checked_sub(1)?;
        (*left == 0).then_some(*moment)
    }
}

impl Glacier {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            bucket: Bucket::default(),
            now: Utc::now(),
            page: 1000,
            allowed: None,
            rules: Vec::new(),
            calls: Vec::new(),
            stop: None,
        }));
        let mut builder = S3ServiceBuilder::new(service::Service(state.clone()));
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let held = Arc::<Notify>::default();
        let front = Arc::new(Front { service: builder.build(), state: state.clone(), held: held.clone() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let front = front.clone();
                let answer = service_fn(move |request| {
                    let front = front.clone();
                    async move { front.answer(request).await }
                });
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new());
                tokio::spawn(http.serve_connection(TokioIo::new(socket), answer));
            }
        });
        Self { state, held, address }
    }

    /// Makes it a place of the store, with its credentials beside netdr.yaml.
    pub(crate) fn replicates(&self, store: &Store, more: &str) {
        store.configure(&self.place(store.home(), more));
    }

    /// The same as a line of a configuration.
    pub(crate) fn place(&self, home: &Home, more: &str) -> String {
        credentials(&home.path().join("s3-credentials"), ACCESS_KEY, SECRET_KEY);
        format!(
            "replicas: [{{s3: {{bucket: {BUCKET}, prefix: proj-k8s, region: {REGION}, endpoint: \"http://{}\", path_style: true, credentials_file: s3-credentials{more}}}}}]",
            self.address
        )
    }

    /// Lets so much time pass for the server.
    pub(crate) fn pass(&self, time: TimeDelta) {
        self.state.lock().unwrap().now += time;
    }

    /// As if everything had been put so much earlier: who compares with a clock of its own sees the time pass.
    pub(crate) fn age(&self, time: TimeDelta) {
        self.state.lock().unwrap().bucket.age(time);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.state.lock().unwrap().now
    }

    /// Whoever asks may do only this from now on.
    pub(crate) fn allow(&self, actions: &[&'static str]) {
        self.state.lock().unwrap().allowed = Some(actions.to_vec());
    }

    /// Pages of LIST have so many entries.
    pub(crate) fn page(&self, entries: usize) {
        self.state.lock().unwrap().page = entries;
    }

    /// The next `times` calls of this operation ("*" for any) with `key` in their key meet trouble.
    pub(crate) fn strike(&self, operation: &'static str, key: &str, times: usize, trouble: Trouble) {
        self.state.lock().unwrap().rules.push(Rule {
            operation,
            key: key.into(),
            left: times,
            trouble,
            met: false,
        });
    }

    /// Nothing goes wrong any more, and everything is allowed.
    pub(crate) fn mend(&self) {
        let mut state = self.state.lock().unwrap();
        state.rules.clear();
        state.allowed = None;
        state.stop = None;
    }

    /// What was called since the last time somebody asked: "PutObject proj-k8s/…".
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    /// Every key that can be read, or could be after a thaw, with its storage class and its bytes.
    pub(crate) fn objects(&self) -> Vec<(String, String, bytes::Bytes)> {
        let state = self.state.lock().unwrap();
        let current = state.bucket.versions("").filter(|(_, current, _)| *current);
        let entry = |(key, _, version): (&String, bool, &Version)| {
            let class = version.class.clone().unwrap_or_else(|| "STANDARD".into());
            Some((key.clone(), class, version.body.clone()?))
        };
        current.filter_map(entry).collect()
    }

    /// The bytes of the one object whose key contains this.
    pub(crate) fn body(&self, part: &str) -> bytes::Bytes {
        let key = self.key(part);
        self.state.lock().unwrap().bucket.current(&key).unwrap().body.clone().unwrap()
    }

    /// Everything that is in the bucket, to be put back.
    pub(crate) fn saved(&self) -> Saved {
        Saved(self.state.lock().unwrap().bucket.clone())
    }

    /// The bucket is again what it was.
    pub(crate) fn put_back(&self, saved: Saved) {
        self.state.lock().unwrap().bucket = saved.0;
    }

    /// Whether there was trouble, and somebody met it.
    pub(crate) fn struck(&self) -> bool {
        self.state.lock().unwrap().rules.iter().any(|rule| rule.met)
    }

    /// The one key that contains this.
    pub(crate) fn key(&self, part: &str) -> String {
        let keys: Vec<String> = self.objects().into_iter().map(|(key, ..)| key).collect();
        let mut meant =
            keys.iter().filter(|key| key.ends_with(part) || key.contains(part) && !part.contains('/'));
        let (Some(key), None) = (meant.next(), meant.next()) else { panic!("{part}: {keys:?}") };
        key.clone()
    }

    /// Changes an object's bytes behind everybody's back: what HEAD says of its sha256 is that of the new ones.
    pub(crate) fn rewrite(&self, part: &str, change: impl FnOnce(&[u8]) -> Vec<u8>) {
        let key = self.key(part);
        self.state.lock().unwrap().bucket.tamper(&key, |version| {
            let body = change(version.body.as_ref().unwrap());
            version.sha256 = Some(service::checksum(&body));
            version.body = Some(body.into());
        });
    }

    /// As if an object had been put without a sha256.
    pub(crate) fn forget_checksum(&self, part: &str) {
        let key = self.key(part);
        self.state.lock().unwrap().bucket.tamper(&key, |version| version.sha256 = None);
    }

    /// Moves an object to another storage class, as a lifecycle rule does.
    pub(crate) fn reclass(&self, part: &str, class: &str) {
        let key = self.key(part);
        let class = Some(class.to_owned()).filter(|class| class != "STANDARD");
        self.state.lock().unwrap().bucket.tamper(&key, |version| version.class = class);
    }

    /// Lets a lifecycle rule expire an object.
    pub(crate) fn expire(&self, part: &str) {
        let (key, now) = (self.key(part), self.now());
        self.state.lock().unwrap().bucket.expire(&key, now);
    }

    /// Kills the program with SIGKILL when its n-th write from now on is at this moment. False where it ended by itself
    /// before.
    pub(crate) async fn kill_at(&self, write: usize, moment: Moment, mut command: Command) -> bool {
        self.state.lock().unwrap().stop = Some((write, moment));
        let mut program = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let killed = tokio::select! {
            () = self.held.notified() => true,
            _ = program.wait() => false,
        };
        let _ = program.kill().await; // one that has ended is not killed
        self.state.lock().unwrap().stop = None;
        killed
    }
}
