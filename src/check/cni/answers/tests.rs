use super::*;
use crate::check::Status::{self, NotApplicable, Ok};

/// So many nodes, of which each tried all others 100 times and reached one of them so often.
fn answers(nodes: usize, reached: u32) -> Answers {
    let names: Vec<String> = (1..=nodes).map(|number| format!("n{number}")).collect();
    let told = names.iter().map(|node| {
        let targets: Vec<String> = names.iter().filter(|other| *other != node).cloned().collect();
        let count = targets.len();
        let mut counts = vec![100; count];
        counts.iter_mut().take(1).for_each(|first| *first = reached);
        let answer = probe::Answer {
            tries: 100,
            reached: counts,
            handshake_ms: vec![Some(2.5); count],
            failures: if reached < 100 { vec![(0, "nobody answers".into())] } else { vec![] },
            dns_ms: Some(1.5),
            ..probe::Answer::default()
        };
        (node.clone(), Told { targets, answer })
    });
    Answers { nodes, told: told.collect(), silent: vec![] }
}

fn of(answers: &Answers) -> [(Status, String); 3] {
    let checks = answers.judge();
    [0, 1, 2].map(|number| (checks[number].status, checks[number].value.to_string()))
}

/// As it was, but that one of 100 nodes and more did not answer.
fn without(mut answers: Answers, node: &str) -> Answers {
    answers.told.retain(|(name, _)| name != node);
    answers.silent.push(format!("the pod on {node} did not start in time"));
    answers
}

#[test]
fn the_threshold_is_95_percent_exactly() {
    for (reached, status, value) in
        [(100, Ok, "100.0"), (99, Warn, "99.0"), (95, Warn, "95.0"), (94, Alert, "94.0")]
    {
        let [(found, words), dns, tls] = of(&answers(2, reached));
        assert_eq!(found, status, "{reached}");
        assert_eq!(words, value);
        assert_eq!((dns.0, tls.0), (Ok, Ok));
    }
    // 94.9 %: 949 of 1000 connections.
    let mut thousand = answers(2, 100);
    for ((_, told), reached) in thousand.told.iter_mut().zip([474, 475]) {
        (told.answer.tries, told.answer.reached) = (500, vec![reached]);
    }
    assert_eq!(of(&thousand)[0], (Alert, "94.9".into()));
    thousand.told[0].1.answer.reached = vec![475];
    assert_eq!(of(&thousand)[0].0, Warn, "95.0 %");
    let why = answers(2, 94).judge().remove(0).why;
    assert_eq!(
        why,
        ["n1 reached n2 94 of 100 times: nobody answers", "n2 reached n1 94 of 100 times: nobody answers"]
    );
}

#[test]
fn what_nobody_told_of_is_unknown_where_it_could_decide() {
    // Of three nodes one is silent: 2 of 6 pairs are missing.
    let mut three = without(answers(3, 100), "n3");
    let [connectivity, ..] = of(&three);
    assert_eq!(connectivity.0, Unknown);
    let check = three.judge().remove(0);
    assert_eq!(
        check.why,
        ["of 600 connections 200 were not tried: too few to tell", "the pod on n3 did not start in time"]
    );
    // What was tried fails so often that the rest cannot make up for it.
    for (_, told) in &mut three.told {
        told.answer.reached = vec![50, 50];
    }
    assert_eq!(of(&three)[0].0, Alert);
    // Of many nodes one cannot change the verdict; but it is said.
    let many = without(answers(30, 100), "n7");
    let check = many.judge().remove(0);
    assert_eq!((check.status, check.why.len()), (Warn, 2), "{:?}", check.why);
}

#[test]
fn without_any_answer_nothing_is_known() {
    let nothing = Answers { nodes: 3, told: vec![], silent: vec!["namespace x was refused: no".into()] };
    for check in nothing.judge() {
        assert_eq!(check.status, Unknown, "{check:?}");
        assert!(check.why.iter().any(|why| why.contains("refused")) && check.next.is_some(), "{check:?}");
    }
    let empty = Answers::default();
    assert!(empty.judge().iter().all(|check| check.status == Unknown), "a cluster without nodes");
}

#[test]
fn one_node_has_no_other_to_reach_but_asks_dns() {
    let [connectivity, dns, tls] = of(&answers(1, 100));
    assert_eq!((connectivity.0, dns.0, tls.0), (NotApplicable, Ok, NotApplicable));
    let silent = without(answers(1, 100), "n1");
    assert!(of(&silent).iter().all(|(status, _)| *status == Unknown), "it might have been reached");
}

#[test]
fn dns_and_handshakes_are_judged_by_the_slowest() {
    let mut slow = answers(3, 100);
    slow.told[1].1.answer.handshake_ms[1] = Some(501.0);
    slow.told[2].1.answer.dns_failed = 1;
    slow.told[2].1.answer.dns_failure = Some("10.43.0.10:53 does not answer".into());
    let checks = slow.judge();
    assert_eq!((checks[2].status, &checks[2].value), (Warn, &501.0.into()));
    assert_eq!(checks[2].why, ["n2 to n3 took 501 ms"]);
    assert_eq!(checks[1].status, Warn);
    let answer = &mut slow.told[2].1.answer;
    (answer.dns_failed, answer.dns_ms) = (100, None);
    let dns = slow.judge().remove(1);
    assert_eq!((dns.status, dns.why.len()), (Alert, 1), "{dns:?}");
    // Nobody was asked: no address of DNS is known.
    slow.told.iter_mut().for_each(|(_, told)| (told.answer.dns_ms, told.answer.dns_failed) = (None, 0));
    assert_eq!(slow.judge()[1].status, Unknown);
}

#[test]
fn what_one_node_of_ten_told_is_not_all_of_it() {
    let mut one = answers(10, 100);
    one.told.truncate(1);
    one.silent.push("the pod on n2 did not start in time".into());
    for check in one.judge().split_off(1) {
        assert_eq!(check.status, Unknown, "{check:?}");
        assert_eq!(check.why, ["1 of 10 nodes told of it", "the pod on n2 did not start in time"]);
    }
    // One that told, but knows of no name server.
    let mut two = answers(2, 100);
    two.told[1].1.answer.dns_ms = None;
    let [_, dns, tls] = of(&two);
    assert_eq!((dns.0, tls.0), (Unknown, Ok));
}

#[test]
fn a_hundred_failures_are_counted_and_not_all_named() {
    let why = answers(40, 10).judge().remove(0).why;
    assert_eq!((why.len(), why.last().map(String::as_str)), (9, Some("and 32 more")));
}
