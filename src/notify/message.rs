//! What is said. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Told;
use crate::{
    model::{Severity, hex},
    task::{CHECK_CLUSTER, Event, Problem},
};

/// Lines of why that are said, and of what to do; the log has them all.
const WHY: usize = 20;
const NEXT: usize = 5;

/// Characters of a line that are said: chat systems refuse what is too long, and a phone shows no more.
const WIDTH: usize = 400;

/// What is wrong where no check could be made: nothing crossed a threshold.
const COULD_NOT: &str = "could not check";

/// Which of a problem's messages it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first.
    New,
    /// Its severity rose.
    Escalated,
    /// The problem lasts.
    Lasting,
    /// The problem is over.
    Recovered,
    /// Nothing differs any more, for a newer snapshot holds what was told of: it was not put back.
    TakenOver,
    /// Somebody tries whether messages arrive.
    Test,
}

/// One message, whichever way it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which of the problem's.
    pub kind: Kind,
    /// Of which kind the problem is.
    pub event: Event,
    /// Whose.
    pub cluster: String,
    /// As `backup network`.
    pub task: String,
    /// Other tasks of the same run of which it says the same.
    pub also: Vec<String>,
    /// When the problem began.
    pub since: DateTime<Utc>,
    /// When this is said.
    pub now: DateTime<Utc>,
    /// Why, a line each.
    pub why: Vec<String>,
    /// What to do.
    pub next: Vec<String>,
    /// How severe what was found is; none of a task that failed or was done in part.
    pub severity: Option<Severity>,
    /// By which degree channels are chosen: how severe it is, and of its end how severe it was at most when somebody was told.
    pub reach: Option<Severity>,
}

impl Message {
    /// Of a problem; none where it is over.
    pub(super) fn of(told: &Told, kind: Kind, problem: Option<&Problem>, now: DateTime<Utc>) -> Self {
        let graded = matches!(told.event, Event::Drift | Event::Check);
        Self {
            kind,
            event: told.event,
            cluster: told.cluster.clone(),
            task: told.task.clone(),
            also: Vec::new(),
            since: told.since,
            now,
            why: problem.map(|p| shortened(&p.why, WHY)).unwrap_or_default(),
            next: problem.map(|p| shortened(&p.next, NEXT)).unwrap_or_default(),
            severity: graded.then_some(told.severity),
            reach: graded.then_some(match kind {
                Kind::New | Kind::Escalated | Kind::Lasting | Kind::Test => told.severity,
                Kind::Recovered | Kind::TakenOver => told.reached(),
            }),
        }
    }

    /// What `netdr notify --test` sends.
    pub fn test(cluster: &str, now: DateTime<Utc>) -> Self {
        Self {
            kind: Kind::Test,
            event: Event::Failed,
            cluster: cluster.into(),
            task: "notify --test".into(),
            also: Vec::new(),
            since: now,
            now,
            why: vec!["somebody tries whether messages arrive: nothing is wrong".into()],
            next: Vec::new(),
            severity: None,
            reach: None,
        }
    }

    /// Whether it says all that another does, of whose problem the message of task `with` told: failures for one cause, and
    /// their ends.
    pub(super) fn says(&self, other: &Self, with: Option<&str>) -> bool {
        let is_over = |message: &Self| message.kind == Kind::Recovered;
        let is_same = self.event == other.event && is_over(self) == is_over(other);
        let is_known = if is_over(self) { with == Some(&self.task) } else { !self.why.is_empty() };
        is_same && is_known && self.severity.is_none() && self.why == other.why
    }

    /// The same for every message of a problem, the last one too: ticket systems thread by it.
    pub fn subject(&self) -> String {
        let cluster = &self.cluster;
        match self.kind {
            Kind::Test => format!("[netdr] {cluster}: test"),
            _ => format!("[netdr] {cluster}: {}", self.what()),
        }
    }

    /// Which task, and what is wrong with it.
    fn what(&self) -> String {
        match (self.task.as_str(), self.words()) {
            (CHECK_CLUSTER, words @ COULD_NOT) => format!("{words} the cluster"),
            (task, words) => format!("{task} {words}"),
        }
    }

    /// What is wrong.
    fn words(&self) -> &'static str {
        match (self.task.as_str(), self.event) {
            (CHECK_CLUSTER, Event::Check) => COULD_NOT,
            (_, event) => event.words(),
        }
    }

    /// What is wrong, the same every time; a webhook's receiver tells problems apart by it.
    pub fn problem(&self) -> String {
        let Self { cluster, task, event, .. } = self;
        let hash = Sha256::digest(format!("{cluster}\0{task}\0{}", event.name()));
        hex(&hash)[..16].into()
    }

    /// The id of the first message of the thread (RFC 5322, 3.6.4), which all others refer to.
    pub fn thread(&self) -> String {
        format!("<{}.{}@netdr>", self.problem(), self.since.timestamp())
    }

    /// The id of this very message.
    pub fn id(&self) -> String {
        match self.kind {
            Kind::New => self.thread(),
            _ => format!(
                "<{}.{}.{}@netdr>",
                self.problem(),
                self.since.timestamp(),
                self.now.timestamp_millis()
            ),
        }
    }

    /// What a person reads; `host` is this machine's name.
    pub fn text(&self, host: &str) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let Self { cluster, task, since, now, .. } = self;
        let what = self.what();
        let (since, now) = (time(*since), time(*now));
        let mut text = match self.kind {
            Kind::New => format!("{what} on {cluster} at {now}.\n"),
            Kind::Escalated => format!("{what} on {cluster}, escalated at {now}, since {since}.\n"),
            Kind::Lasting => format!("{what} on {cluster}, still at {now}, since {since}.\n"),
            Kind::Recovered => format!(
                "Over: {task} on {cluster} is well again at {now}. It was `{}` since {since}.\n",
                self.words()
            ),
            Kind::TakenOver if self.event == Event::Shrunk => format!(
                "Taken over, not put back: {task} on {cluster} tells of it no more at {now}, for the newest backup lacks it, \
                 too, and tells of it. It was `{}` since {since}.\n",
                self.words()
            ),
            Kind::TakenOver => format!(
                "Taken over, not put back: {task} on {cluster} finds nothing any more at {now}, for a newer snapshot holds what was \
                 `{}` since {since}.\n",
                self.words()
            ),
            Kind::Test => format!("This is a test from {cluster} at {now}.\n"),
        };
        if !self.also.is_empty() {
            text += &format!("The same of: {}.\n", self.also.join(", "));
        }
        if !self.why.is_empty() {
            text += "\n";
            text += &self.why.iter().map(|why| format!("  {why}\n")).collect::<String>();
        }
        if !self.next.is_empty() {
            text += "\nWhat to do:\n";
            text += &self.next.iter().map(|next| format!("  {next}\n")).collect::<String>();
        }
        text + &format!("\n-- \nnetdr {} on {host}\n", env!("CARGO_PKG_VERSION"))
    }

    /// What a webhook gets. `text` is what chat systems show.
    pub fn json(&self, host: &str) -> Value {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let event = match self.kind {
            // Nobody who opens tickets for failures is to open one for it.
            Kind::Test => "test",
            _ => self.event.name(),
        };
        let status = match self.kind {
            Kind::New | Kind::Escalated | Kind::Lasting => "problem",
            Kind::Recovered => "recovered",
            Kind::TakenOver => "taken-over",
            Kind::Test => "test",
        };
        json!({
            "subject": self.subject(),
            "text": format!("{}\n{}", self.subject(), self.text(host)),
            "status": status,
            "event": if self.kind == Kind::Recovered { Event::Recovered.name() } else { event },
            "problem": self.problem(),
            "problem_event": event,
            "severity": self.severity,
            "cluster": self.cluster,
            "task": self.task,
            "also": self.also,
            "since": time(self.since),
            "time": time(self.now),
            "why": self.why,
            "next": self.next,
            "host": host,
            "tool": concat!("netdr ", env!("CARGO_PKG_VERSION")),
        })
    }
}

/// At most so many lines, none longer than [`WIDTH`], and how many more there are.
fn shortened(lines: &[String], most: usize) -> Vec<String> {
    let line = |line: &String| match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.clone(),
    };
    let more = lines.len().saturating_sub(most);
    let more = (more > 0).then(|| format!("and {more} more, in the log"));
    lines.iter().take(most).map(line).chain(more).collect()
}
