//! What a probe pod finds out about the pods of other nodes and the cluster's DNS.
//!
//! In: targets. Out: an [`Answer`], small enough for a container's termination message, in which it comes back: whoever may
//! read pods needs no other right, and no connection from the API server to the node. Invariant: numbers stand in the order
//! of the targets.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{addresses, reach};

/// How long one connection, or one question, may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two tries: what fails for a moment is not to fail all of them.
const PAUSE: Duration = Duration::from_millis(200);
/// Targets that are tried at the same time.
const AT_ONCE: usize = 32;
/// The kubelet cuts a termination message off at 4096 bytes (Kubernetes docs, "Determine the Reason for Pod Failure").
const FAILURES: usize = 8;

/// What is to be found out.
#[derive(Clone, Debug)]
pub struct Questions {
    /// Who is to be reached.
    pub targets: Vec<SocketAddr>,
    /// How often each is tried, and DNS is asked.
    pub tries: u32,
    /// A DNS server and a name that it must know.
    pub dns: Option<(SocketAddr, String)>,
}

/// What was found out; times are medians in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// How often each target was tried.
    pub tries: u32,
    /// How often each target was reached.
    pub reached: Vec<u32>,
    /// Of the TLS handshake, per target; none of one that was never reached.
    pub handshake_ms: Vec<Option<f64>>,
    /// Why a target was not reached the last time that it was not, by its position: the first eight.
    pub failures: Vec<(usize, String)>,
    /// Until DNS answered.
    pub dns_ms: Option<f64>,
    /// How often it did not.
    pub dns_failed: u32,
    /// Why not, the last time.
    pub dns_failure: Option<String>,
}

/// What came of one target, or of DNS.
#[derive(Default)]
struct Tally {
    times: Vec<Duration>,
    failed: u32,
    failure: Option<String>,
}

/// Tries every target and asks DNS. It blocks, for a few seconds as a rule.
pub fn dial(questions: &Questions) -> Answer {
    let mut tallies = Vec::new();
    for group in questions.targets.chunks(AT_ONCE) {
        let of_group: Vec<Tally> = thread::scope(|scope| {
            let one = |target: &SocketAddr| {
                let target = *target;
                scope.spawn(move || {
                    tally(questions.tries, || reach(target, PATIENCE).map(|times| times.handshake))
                })
            };
            let threads: Vec<_> = group.iter().map(one).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
        });
        tallies.extend(of_group);
    }
    let dns = questions.dns.as_ref().map(|(server, name)| {
        tally(questions.tries, || {
            let began = Instant::now();
            addresses(*server, name, PATIENCE).map(|_| began.elapsed())
        })
    });
    Answer::of(questions.tries, tallies, dns)
}

fn tally(tries: u32, mut once: impl FnMut() -> Result<Duration, String>) -> Tally {
    let mut tally = Tally::default();
    for number in 0..tries {
        if number > 0 {
            thread::sleep(PAUSE);
        }
        match once() {
            Ok(time) => tally.times.push(time),
            Err(why) => {
                tally.failed += 1;
                tally.failure = Some(why);
            }
        }
    }
    tally
}

impl Answer {
    fn of(tries: u32, tallies: Vec<Tally>, dns: Option<Tally>) -> Self {
        let mut answer = Self { tries, ..Self::default() };
        for (number, tally) in tallies.into_iter().enumerate() {
            answer.reached.push(u32::try_from(tally.times.len()).unwrap_or(tries));
            answer.handshake_ms.push(median(tally.times));
            let why = tally.failure.filter(|_| answer.failures.len() < FAILURES);
            answer.failures.extend(why.map(|why| (number, why)));
        }
        if let Some(dns) = dns {
            answer.dns_ms = median(dns.times);
            (answer.dns_failed, answer.dns_failure) = (dns.failed, dns.failure);
        }
        answer
    }
}

/// In milliseconds, to a tenth.
fn median(mut times: Vec<Duration>) -> Option<f64> {
    times.sort_unstable();
    let middle = times.get(times.len() / 2)?;
    Some((middle.as_secs_f64() * 10_000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::probe::serve;

    #[test]
    fn each_target_is_tried_and_counted_in_its_place() {
        let [open, shut] = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let targets = [&shut, &open].map(|listener| listener.local_addr().unwrap()).to_vec();
        drop(shut);
        thread::spawn(move || serve(&open));
        let answer = dial(&Questions { targets, tries: 2, dns: None });
        assert_eq!(answer.reached, [0, 2]);
        assert_eq!(answer.failures, [(0, "it is refused".to_owned())]);
        assert!(answer.handshake_ms[0].is_none() && answer.handshake_ms[1].is_some(), "{answer:?}");
        assert_eq!((answer.dns_ms, answer.dns_failed), (None, 0));
    }

    #[test]
    fn the_median_is_of_the_times_in_order() {
        let of = |times: &[u64]| median(times.iter().map(|ms| Duration::from_millis(*ms)).collect());
        assert_eq!(of(&[900, 1, 3]), Some(3.0));
        assert_eq!(of(&[]), None);
        assert_eq!(median(vec![Duration::from_micros(1_449)]), Some(1.4));
    }

    /// 250 nodes of which none is reached: the answer must not be cut off.
    #[test]
    fn the_answer_of_a_large_cluster_is_a_termination_message() {
        let why = "silent while sending more than one packet".to_owned();
        let slow = |failure: Option<String>| Tally {
            times: vec![Duration::from_micros(12_345)],
            failed: 4,
            failure,
        };
        let tallies = (0..250).map(|_| slow(Some(why.clone()))).collect();
        let answer = Answer::of(5, tallies, Some(slow(Some(why.clone()))));
        let text = serde_json::to_string(&answer).unwrap();
        assert!(text.len() < 4096, "{}", text.len());
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
    }
}
