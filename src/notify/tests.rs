use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::task::{Ended, Problem};

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::hours(hours)
}

fn ended(events: &[Event]) -> Vec<Ended> {
    let problem = |event: &Event| Problem {
        event: *event,
        why: vec!["because".into()],
        next: vec!["netdr backup".into()],
    };
    vec![Ended { task: "backup network".into(), problems: events.iter().map(problem).collect() }]
}

/// What is said, and what is remembered when all of it was taken.
fn night(events: &[Event], told: &mut Vec<Told>, now: DateTime<Utc>) -> Vec<(Kind, Event)> {
    let decision = decide("proj-k8s", &ended(events), told, now);
    let mut said = Vec::new();
    for (message, of) in decision.messages {
        told.retain(|told| told.event != of.event);
        if message.kind != Kind::Recovered {
            told.push(Told { at: Some(now), ..of });
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

#[test]
fn who_failed_knows_nothing_of_what_it_would_have_found() {
    let mut told = Vec::new();
    night(&[Event::Shrunk], &mut told, at(0));
    assert_eq!(night(&[Event::Failed], &mut told, at(1)), [(Kind::New, Event::Failed)]);
    assert_eq!(told.len(), 2, "the snapshot may be shrunk still");
    assert_eq!(night(&[Event::Shrunk], &mut told, at(2)), [(Kind::Recovered, Event::Failed)]);
    assert_eq!(night(&[], &mut told, at(3)), [(Kind::Recovered, Event::Shrunk)]);
}

#[test]
fn of_a_problem_that_nobody_could_be_told_no_end_is_told() {
    let untold = decide("c", &ended(&[Event::Failed]), &[], at(0)).messages.remove(0).1;
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
    let mut message = decide("c", &ended(&[Event::Drift]), &[], at(0)).messages.remove(0).0;
    let text = message.text("n1");
    assert!(
        text.starts_with("backup network differences found on c at 2027-01-15T08:00:00Z.\n\n  because\n"),
        "{text}"
    );
    assert!(text.contains("\nWhat to do:\n  netdr backup\n") && text.contains("-- \nnetdr "), "{text}");
    message.why = vec!["line".into(); 25];
    assert!(message.text("n1").contains("  and 5 more, in the log\n"));
    let json = message.json("n1");
    assert_eq!((&json["status"], &json["event"]), (&"problem".into(), &"drift".into()));
    assert!(json["text"].as_str().unwrap().starts_with("[netdr] c: backup network differences found\n"));
}

#[test]
fn who_wants_recoveries_gets_those_of_what_they_wanted_to_know() {
    let channel = |on: &[Event]| Channel {
        on: on.iter().copied().collect(),
        way: Way::Webhook(Webhook {
            address: Address::Given("https://hooks.lab/MARKER".parse().unwrap()),
            token_file: None,
            ca_file: None,
        }),
    };
    let mut message = Message::test("c", at(0));
    (message.kind, message.event) = (Kind::Recovered, Event::Drift);
    assert!(channel(&[Event::Drift, Event::Recovered]).wants(&message));
    assert!(!channel(&[Event::Failed, Event::Recovered]).wants(&message));
    assert!(!channel(&[Event::Drift]).wants(&message));
    let shown = format!("{:?} {}", channel(&[Event::Drift]), channel(&[Event::Drift]).name());
    assert!(shown.contains("hooks.lab") && !shown.contains("MARKER"), "{shown}");
}
