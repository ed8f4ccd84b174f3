use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::{
    model::Severity,
    task::{Ended, Problem},
};

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::hours(hours)
}

fn ended(events: &[Event]) -> Vec<Ended> {
    let problem = |event: &Event| Problem::new(*event, vec!["because".into()], vec!["netdr backup".into()]);
    vec![Ended { task: "backup network".into(), problems: events.iter().map(problem).collect() }]
}

fn webhook(address: Address) -> Way {
    Way::Webhook(Webhook { address, token_file: None, ca_file: None })
}

/// What is said, and what is remembered when all of it was taken.
fn night(events: &[Event], told: &mut Vec<Told>, now: DateTime<Utc>) -> Vec<(Kind, Event)> {
    after(&ended(events), told, now)
}

fn after(ended: &[Ended], told: &mut Vec<Told>, now: DateTime<Utc>) -> Vec<(Kind, Event)> {
    let decision = decide("proj-k8s", ended, told, now);
    let mut said = Vec::new();
    for changed in decision.changed {
        told.retain(|told| told.subject() != changed.subject());
        told.push(changed);
    }
    for (message, all) in decision.messages {
        for of in all {
            told.retain(|told| told.subject() != of.subject());
            if !matches!(message.kind, Kind::Recovered | Kind::TakenOver) {
                told.push(Told { at: Some(now), ..of });
            }
        }
        said.push((message.kind, message.event));
    }
    told.retain(|told| !decision.over.contains(told));
    said
}

#[test]
fn a_problem_is_told_when_it_comes_once_a_day_while_it_lasts_and_when_it_is_over() {
    let mut told = Vec::new();
    assert_eq!(night(&[], &mut told, at(0)), []);
    assert_eq!(night(&[Event::Partial], &mut told, at(1)), [(Kind::New, Event::Partial)]);
    assert_eq!(night(&[Event::Partial], &mut told, at(2)), [], "twice in an hour is once too often");
    assert_eq!(night(&[Event::Partial], &mut told, at(25)), [(Kind::Lasting, Event::Partial)]);
    assert_eq!(night(&[], &mut told, at(26)), [(Kind::Recovered, Event::Partial)]);
    assert_eq!(night(&[], &mut told, at(27)), []);
    assert_eq!(told, []);
}

/// Drift of these objects.
fn drift(of: &[(&str, Severity)]) -> Vec<Ended> {
    let of = of.iter().map(|(name, severity)| ((*name).to_owned(), *severity));
    let problem = Problem::new(Event::Drift, vec![], vec![]).graded(of);
    vec![Ended { task: "drift".into(), problems: vec![problem] }]
}

/// What somebody was told of at noon as a trifle is not what opens the cluster at one.
#[test]
fn what_escalated_is_told_at_once_in_the_same_thread_and_what_is_less_severe_is_not() {
    use Severity::{Critical, High, Low};
    let mut told = Vec::new();
    let mut hour = |of: &[(&str, Severity)], hours| {
        after(&drift(of), &mut told, at(hours)).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    assert_eq!(hour(&[("a", Low)], 0), [Kind::New]);
    assert_eq!(hour(&[("a", Low), ("b", Low)], 1), [], "as severe as before");
    assert_eq!(hour(&[("a", Low), ("b", High)], 2), [Kind::Escalated]);
    assert_eq!(hour(&[("b", High), ("c", Critical)], 3), [Kind::Escalated]);
    assert_eq!(hour(&[("c", Critical)], 4), []);
    assert_eq!(hour(&[("c", Critical), ("d", Critical)], 5), [Kind::Escalated], "another one is critical");
    assert_eq!(hour(&[("d", Critical)], 6), []);
    assert_eq!(hour(&[("a", Low)], 7), [], "less severe");
    assert_eq!(hour(&[("d", Critical)], 8), [Kind::Escalated], "again: who mended it believes it mended");
    assert_eq!(hour(&[("d", Critical)], 28), [Kind::Lasting]);

    let first = decide("c", &drift(&[("a", Low)]), &[], at(0)).messages.remove(0);
    let known = Told { at: Some(at(0)), ..first.1[0].clone() };
    let escalated = decide("c", &drift(&[("netpol-b", Critical)]), &[known], at(1)).messages.remove(0);
    assert_eq!((escalated.0.subject(), escalated.0.thread()), (first.0.subject(), first.0.id()));
    assert_ne!(escalated.0.id(), first.0.id());
    assert!(
        escalated.0.text("n1").contains(", escalated at 2027-01-15T09:00:00Z, since 2027-01-15T08:00:00Z.")
    );
    assert_eq!(
        ["status", "severity"].map(|field| escalated.0.json("n1")[field].clone()),
        ["problem", "critical"]
    );
    let failed = decide("c", &ended(&[Event::Failed]), &[], at(0)).messages.remove(0).0;
    assert!(failed.json("n1")["severity"].is_null(), "a failure has no degrees");
    assert_eq!(
        escalated.1[0].critical,
        ["netpol-b".to_owned()].into(),
        "by name, as records of checks have them"
    );
}

/// Of what is told at each severity, by hour: whom, where each channel wants at least one of these.
#[test]
fn an_end_reaches_exactly_the_channels_that_were_told() {
    use Severity::{Critical, High, Low, Medium};
    let channel = |min_severity| Channel {
        on: Event::ALL.into(),
        min_severity,
        way: webhook(Address::Given("https://hooks.lab/".parse().unwrap())),
    };
    let mut told: Vec<Told> = Vec::new();
    let mut hour = |of: &[(&str, Severity)], hours| -> Vec<Severity> {
        let mut ended = drift(of);
        ended[0].problems.retain(|_| !of.is_empty());
        let messages = decide("c", &ended, &told, at(hours)).messages;
        let reached = Severity::ALL.into_iter().filter(|min| {
            let channel = channel(*min);
            messages.iter().any(|(message, _)| channel.wants(message))
        });
        let reached = reached.collect();
        after(&ended, &mut told, at(hours));
        reached
    };
    assert_eq!(hour(&[("a", Medium)], 0), [Low, Medium]);
    assert_eq!(hour(&[], 1), [Low, Medium]);
    assert_eq!(hour(&[("a", Low)], 2), [Low]);
    assert_eq!(hour(&[("a", High)], 3), [Low, Medium, High], "it rose");
    assert_eq!(hour(&[("a", Medium)], 24), [Low, Medium], "it lasts, and is less severe");
    assert_eq!(hour(&[("a", Low)], 25), []);
    assert_eq!(hour(&[], 26), [Low, Medium, High], "who was told of it at its worst, too");
    assert_eq!(hour(&[("a", Critical)], 27), Severity::ALL);
    assert_eq!(hour(&[], 28), Severity::ALL);

    let failed = decide("c", &ended(&[Event::Failed]), &[], at(0)).messages.remove(0).0;
    assert!(channel(Critical).wants(&failed), "a failure has no degrees");
    // An earlier netdr remembered how severe it was last.
    let text = r#"{"cluster":"c","task":"drift","event":"drift","since":"2026-11-24T01:00:00Z","at":null,"severity":"high"}"#;
    assert_eq!(serde_json::from_str::<Told>(text).unwrap().reached(), High);
}

/// What an earlier netdr remembered has no degrees yet.
#[test]
fn a_record_without_degrees_is_read() {
    let text = r#"{"cluster":"c","task":"drift","event":"drift","since":"2026-11-24T01:00:00Z","at":null}"#;
    let told: Told = serde_json::from_str(text).unwrap();
    assert_eq!((told.severity, told.critical.len()), (Severity::Low, 0));
}

#[test]
fn who_failed_knows_nothing_of_what_it_would_have_found() {
    let mut told = Vec::new();
    night(&[Event::Shrunk], &mut told, at(0));
    assert_eq!(night(&[Event::Failed], &mut told, at(1)), [(Kind::New, Event::Failed)]);
    assert_eq!(told.len(), 2, "the snapshot may be shrunk still");
    assert_eq!(night(&[Event::Shrunk], &mut told, at(2)), [(Kind::Recovered, Event::Failed)]);
    assert_eq!(night(&[], &mut told, at(3)), [(Kind::Recovered, Event::Shrunk)]);
}

/// Who may not list policies any more finds none that are gone.
#[test]
fn who_could_read_a_part_knows_nothing_of_what_it_would_have_found_in_the_rest() {
    let mut told = Vec::new();
    night(&[Event::Drift], &mut told, at(0));
    assert_eq!(night(&[Event::Partial], &mut told, at(1)), [(Kind::New, Event::Partial)]);
    assert_eq!(told.len(), 2, "what differed may differ still");
    assert_eq!(night(&[Event::Drift], &mut told, at(2)), [(Kind::Recovered, Event::Partial)]);
    assert_eq!(night(&[], &mut told, at(3)), [(Kind::Recovered, Event::Drift)]);
}

/// The nightly backup holds the gap, so that nothing differs from it: nobody is told that all is well.
#[test]
fn what_a_newer_snapshot_took_over_is_told_once_and_not_as_well_again() {
    let mut told = Vec::new();
    night(&[Event::Drift], &mut told, at(0));
    let mut over = ended(&[Event::Drift]);
    over[0].problems[0].is_taken_over = true;
    let message = decide("c", &over, &told, at(1)).messages.remove(0).0;
    assert!(message.text("n1").starts_with("Taken over, not put back: backup network on proj-k8s"));
    assert!(message.text("n1").contains("\n  because\n"), "what was not put back is named");
    let json = message.json("n1");
    assert_eq!((&json["status"], &json["event"]), (&"taken-over".into(), &"drift".into()));
    assert_eq!(after(&over, &mut told, at(1)), [(Kind::TakenOver, Event::Drift)]);
    assert_eq!(told, []);
    assert_eq!(after(&over, &mut told, at(2)), [], "nobody was told of anything");
}

/// The newer snapshot lacks what is gone: nobody is told that it holds it.
#[test]
fn a_loss_that_the_schedule_tells_of_is_said_to_be_lacking_there_too() {
    let mut told = Vec::new();
    night(&[Event::Shrunk], &mut told, at(0));
    let mut over = ended(&[Event::Shrunk]);
    over[0].problems[0].is_taken_over = true;
    let text = decide("c", &over, &told, at(1)).messages.remove(0).0.text("n1");
    assert!(
        text.contains("the newest backup lacks it, too, and tells of it") && !text.contains("holds"),
        "{text}"
    );
}

#[test]
fn of_a_problem_that_nobody_could_be_told_no_end_is_told() {
    let untold = decide("c", &ended(&[Event::Failed]), &[], at(0)).messages.remove(0).1.remove(0);
    assert_eq!((untold.at, untold.since), (None, at(0)));
    let again =
        decide("c", &ended(&[Event::Failed]), std::slice::from_ref(&untold), at(1)).messages.remove(0);
    assert_eq!((again.0.kind, again.0.since), (Kind::New, at(0)), "it began when it began");
    let over = decide("c", &ended(&[]), std::slice::from_ref(&untold), at(1));
    assert_eq!((over.messages.len(), over.over), (0, vec![untold]));
}

#[test]
fn another_task_is_not_meant() {
    let mut told = Vec::new();
    night(&[Event::Failed], &mut told, at(0));
    let other = [Ended { task: "backup certificates".into(), problems: vec![] }];
    assert_eq!(decide("proj-k8s", &other, &told, at(1)), Decision::default());
}

/// An API server that is down is one cause, whatever was to be asked of it.
#[test]
fn tasks_that_failed_for_one_cause_are_one_message_and_so_is_their_end() {
    let run = |causes: &[(&str, Option<&str>)]| -> Vec<Ended> {
        let failed = |why: &str| Problem::new(Event::Failed, vec![why.into()], vec![]);
        let of = |(task, why): &(&str, Option<&str>)| Ended {
            task: format!("backup {task}"),
            problems: why.map(failed).into_iter().collect(),
        };
        causes.iter().map(of).collect()
    };
    let mut told = Vec::new();
    let mut said = |causes: &[(&str, Option<&str>)], hours| -> Vec<String> {
        let messages = decide("proj-k8s", &run(causes), &told, at(hours)).messages;
        after(&run(causes), &mut told, at(hours));
        let of = |(message, all): &(Message, Vec<Told>)| {
            assert_eq!(all.len(), 1 + message.also.len());
            let same = message
                .text("n1")
                .lines()
                .find_map(|line| line.strip_prefix("The same of: "))
                .unwrap_or("-")
                .to_owned();
            format!("{}: {same}", message.subject().strip_prefix("[netdr] proj-k8s: backup ").unwrap())
        };
        messages.iter().map(of).collect()
    };
    let (down, full) = (Some("no API server"), Some("no space left"));
    let all = [("network", down), ("certificates", down), ("host n1", full)];
    let failed = ["network failed: backup certificates.", "host n1 failed: -"];
    assert_eq!(said(&all, 0), failed);
    assert_eq!(said(&all, 1), [""; 0]);
    assert_eq!(said(&all, 24), failed, "they last");
    let over = [("certificates", None), ("network", None), ("host n1", full)];
    assert_eq!(said(&over, 25), failed[..1], "one message told of both");
    assert_eq!(said(&[("network", down), ("certificates", down)], 30), failed[..1]);
    assert_eq!(said(&[("network", None), ("certificates", full)], 31), ["network failed: -"]);
    assert_eq!(said(&[("certificates", None)], 32), ["certificates failed: -"], "it has an end of its own");
}

#[test]
fn where_nothing_could_be_checked_nothing_crossed_a_threshold() {
    let check = |task: &str| {
        let problem = Problem::new(Event::Check, vec!["cluster: unknown".into()], vec![]);
        let ended = [Ended { task: task.into(), problems: vec![problem] }];
        decide("c", &ended, &[], at(0)).messages.remove(0).0
    };
    let message = check(crate::task::CHECK_CLUSTER);
    assert_eq!(message.subject(), "[netdr] c: could not check the cluster");
    assert!(message.text("n1").starts_with("could not check the cluster on c at "), "{}", message.text("n1"));
    assert_eq!(check("check cni").subject(), "[netdr] c: check cni threshold crossed");
}

/// Every message of a problem has one subject and refers to the first.
#[test]
fn the_messages_of_a_problem_are_one_thread() {
    let mut told = Vec::new();
    let mut messages = Vec::new();
    for (hours, events) in [(0, &[Event::Failed][..]), (24, &[Event::Failed]), (48, &[])] {
        messages.extend(
            decide("proj-k8s", &ended(events), &told, at(hours)).messages.into_iter().map(|(m, _)| m),
        );
        night(events, &mut told, at(hours));
    }
    assert_eq!(messages.len(), 3);
    let first = &messages[0];
    assert_eq!(first.subject(), "[netdr] proj-k8s: backup network failed");
    assert_eq!(first.id(), first.thread());
    for later in &messages[1..] {
        assert_eq!(
            (later.subject(), later.thread(), later.problem()),
            (first.subject(), first.id(), first.problem())
        );
        assert_ne!(later.id(), first.id());
    }
    // Months later it is another thread under the same subject.
    let anew = decide("proj-k8s", &ended(&[Event::Failed]), &told, at(2_000)).messages.remove(0).0;
    assert_eq!((anew.subject(), anew.problem()), (first.subject(), first.problem()));
    assert_ne!(anew.thread(), first.thread());
}

#[test]
fn a_message_says_what_why_and_what_to_do_and_a_long_list_is_cut() {
    let message = decide("c", &ended(&[Event::Drift]), &[], at(0)).messages.remove(0).0;
    let text = message.text("n1");
    assert!(
        text.starts_with("backup network differences found on c at 2027-01-15T08:00:00Z.\n\n  because\n"),
        "{text}"
    );
    assert!(text.contains("\nWhat to do:\n  netdr backup\n") && text.contains("-- \nnetdr "), "{text}");
    let json = message.json("n1");
    assert_eq!((&json["status"], &json["event"]), (&"problem".into(), &"drift".into()));
    assert!(json["text"].as_str().unwrap().starts_with("[netdr] c: backup network differences found\n"));
}

/// A snapshot may be partial in 500 items.
#[test]
fn a_message_is_bounded_whichever_way_it_goes() {
    let lines = |letter: &str| (0..500).map(|n| format!("{n} {}", letter.repeat(5_000))).collect();
    let problem = Problem::new(Event::Partial, lines("ä"), lines("x"));
    let ended = [Ended { task: "backup network".into(), problems: vec![problem] }];
    let message = decide("c", &ended, &[], at(0)).messages.remove(0).0;
    for said in [
        message.text("n1"),
        message.json("n1")["why"].to_string() + "\n" + &message.json("n1")["next"].to_string(),
    ] {
        assert!(
            said.contains("and 480 more, in the log") && said.contains("and 495 more, in the log"),
            "{said}"
        );
        assert!(said.chars().count() < 12_000, "{}", said.chars().count());
    }
    assert!(message.text("n1").lines().all(|line| line.chars().count() < 410));
}

/// What is said of a failure has the command that shows why, and no secret of the address.
#[tokio::test]
async fn who_cannot_be_reached_is_named_with_the_command_to_go_on_with() {
    let smtp = |tls| {
        let (from, to) = ("netdr@lab.test".into(), vec!["ops@lab.test".into()]);
        Way::Smtp(Smtp {
            host: "127.0.0.1".into(),
            port: 1,
            tls,
            from,
            to,
            user: None,
            password_file: None,
            ca_file: None,
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hook");
    std::fs::write(&file, "http://127.0.0.1:1/MARKER").unwrap();
    for (way, hints) in [
        (webhook(Address::Given("http://127.0.0.1:1/MARKER".parse().unwrap())), vec![]),
        (webhook(Address::File(file.clone())), vec![]),
        (smtp(Tls::None), vec!["what answers here: curl -v smtp://127.0.0.1:1"]),
        (
            smtp(Tls::Starttls),
            vec!["what answers here: openssl s_client -starttls smtp -connect 127.0.0.1:1"],
        ),
    ] {
        let channel = Channel { on: Event::ALL.into(), min_severity: Severity::Low, way };
        let error = channel.send(&Message::test("c", at(0)), "n1", PATIENCE).await.unwrap_err();
        assert_eq!(error.hints(), hints);
        assert!(!format!("{error:?}").contains("MARKER"), "{error:?}");
    }
}

#[test]
fn who_wants_recoveries_gets_those_of_what_they_wanted_to_know() {
    let channel = |on: &[Event]| Channel {
        on: on.iter().copied().collect(),
        min_severity: Severity::Low,
        way: webhook(Address::Given("https://hooks.lab/MARKER".parse().unwrap())),
    };
    let mut message = Message::test("c", at(0));
    (message.kind, message.event) = (Kind::Recovered, Event::Drift);
    assert!(channel(&[Event::Drift, Event::Recovered]).wants(&message));
    assert!(!channel(&[Event::Failed, Event::Recovered]).wants(&message));
    assert!(!channel(&[Event::Drift]).wants(&message));
    let shown = format!("{:?} {}", channel(&[Event::Drift]), channel(&[Event::Drift]).name());
    assert!(shown.contains("hooks.lab") && !shown.contains("MARKER"), "{shown}");
}

/// A night may have a dozen problems, and a job has a deadline.
#[tokio::test]
async fn who_hangs_is_waited_for_once_in_a_run_and_who_refuses_is_asked_again() {
    let hangs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = |port: u16| {
        let address = Address::Given(format!("http://127.0.0.1:{port}/").parse().unwrap());
        Channel { on: Event::ALL.into(), min_severity: Severity::Low, way: webhook(address) }
    };
    let message = Message::test("c", at(0));
    let hanging = channel(hangs.local_addr().unwrap().port());
    let mut hanging = Patience::with(&hanging, Duration::from_millis(200));
    assert!(hanging.send(&message, "n1").await.unwrap().is_err());
    assert!(hanging.send(&message, "n1").await.is_none());
    let refusing = channel(1);
    let mut refusing = Patience::with(&refusing, PATIENCE);
    for _ in 0..2 {
        assert!(refusing.send(&message, "n1").await.unwrap().is_err());
    }
}

#[test]
fn a_test_is_no_failure_to_a_router_of_events() {
    let json = Message::test("c", at(0)).json("n1");
    assert_eq!(["status", "event", "problem_event"].map(|field| json[field].clone()), ["test"; 3]);
}
