//! A run as it happens: a bar per step on a terminal, else a line per step, and a line now and then while one lasts.

use std::{
    pin::pin,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::timeout;

use crate::{
    cli::terminal::{Phase, Terminal},
    restore::{Event, StepOutcome},
};

/// How long nothing is said where there is no bar to see that something goes on.
const SILENCE: Duration = Duration::from_secs(30);

pub(in crate::cli) struct Progress<'a> {
    terminal: &'a Terminal,
    /// What stands before each line: where several plans are replayed, whose it is.
    whose: Mutex<String>,
    current: Mutex<Option<Current>>,
}

/// What is under way.
struct Current {
    title: String,
    phase: Option<Phase>,
    since: Instant,
    /// What is not ready.
    waiting: String,
}

impl<'a> Progress<'a> {
    pub(in crate::cli) fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, whose: Mutex::default(), current: Mutex::new(None) }
    }

    /// What comes is this scenario's, and what was under way is over.
    pub(in crate::cli) fn of(&self, scenario: &str) {
        *self.whose.lock().unwrap_or_else(PoisonError::into_inner) = format!("{scenario}: ");
        self.set(None);
    }

    /// A line of it.
    fn line(&self, text: &str) -> String {
        format!("{}{text}", self.whose.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(in crate::cli) fn event(&self, event: &Event<'_>) {
        match event {
            Event::Step { number, title, acts } => {
                let title = self.line(&format!("step {}: {title}", number + 1));
                let phase = self.terminal.phase(&title);
                if *acts > 0 {
                    phase.parts(*acts as u64);
                }
                self.set(Some(Current::new(title, Some(phase))));
            }
            Event::Act => self.with(|current| {
                if let Some(phase) = &current.phase {
                    phase.part();
                }
            }),
            Event::Waiting(what) => self.with(|current| {
                current.waiting = (*what).to_owned();
                if let Some(phase) = &current.phase {
                    phase.waiting(what);
                }
            }),
            Event::Ended(step) => {
                self.set(None);
                let line = self.line(&ended(step));
                if step.outcome == "done" {
                    self.terminal.ended(&line);
                } else {
                    self.terminal.note(line);
                }
            }
            Event::Skipped { because, steps } => {
                let line = format!("skipped because {because}: {}", steps.join(", "));
                self.terminal.note(self.line(&line));
            }
        }
    }

    /// Does the work; while it lasts, what it waits for is said every half minute where there is no bar.
    pub(in crate::cli) async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        telling(work, SILENCE, || {
            if let Some(current) = &*self.current.lock().unwrap_or_else(PoisonError::into_inner) {
                self.terminal.still(&current.still());
            }
        })
        .await
    }

    /// Takes the bar away, so that something can be asked or said.
    pub(in crate::cli) fn pause(&self) {
        self.set(None);
    }

    fn set(&self, current: Option<Current>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = current;
    }

    /// What goes on between two steps has no title.
    fn with(&self, act: impl FnOnce(&mut Current)) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        act(current.get_or_insert_with(|| Current::new(self.line("between steps"), None)));
    }
}

impl Current {
    fn new(title: String, phase: Option<Phase>) -> Self {
        Self { title, phase, since: Instant::now(), waiting: String::new() }
    }

    /// What a person reads who sees nothing move.
    fn still(&self) -> String {
        let (title, seconds) = (&self.title, self.since.elapsed().as_secs());
        match self.waiting.as_str() {
            "" => format!("{title}: at work since {seconds} s"),
            waiting => format!("{title}: waiting since {seconds} s: {waiting}"),
        }
    }
}

/// Does the work, and tells after every such pause that it is not done.
async fn telling<T>(work: impl Future<Output = T>, pause: Duration, tell: impl Fn()) -> T {
    let mut work = pin!(work);
    loop {
        match timeout(pause, &mut work).await {
            Ok(done) => return done,
            Err(_) => tell(),
        }
    }
}

fn ended(step: &StepOutcome) -> String {
    let mut line = format!("{} {} after {:.2} s", step.id, step.word(), step.acting_s + step.waiting_s);
    for failure in &step.failures {
        line += &format!("\n  {failure}");
    }
    line
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_told_again_and_again_until_the_work_is_done() {
        let (told, times) = (Notify::new(), Cell::new(0));
        let work = async {
            told.notified().await;
            told.notified().await;
            "done"
        };
        let tell = || {
            times.set(times.get() + 1);
            told.notify_one();
        };
        assert_eq!(telling(work, Duration::from_millis(1), tell).await, "done");
        assert!(times.get() >= 2);
    }

    #[test]
    fn where_several_plans_are_replayed_each_line_says_whose_it_is() {
        let terminal = Terminal::new(false, true, false, true);
        let progress = Progress::new(&terminal);
        let still = || {
            let mut said = String::new();
            progress.with(|current| said = current.still());
            said
        };
        progress.of("traefik");
        progress.event(&Event::Step { number: 4, title: "The webhook answers", acts: 0 });
        assert_eq!(still(), "traefik: step 5: The webhook answers: at work since 0 s");
        progress.pause();
        progress.event(&Event::Waiting("reading the cluster again"));
        assert_eq!(still(), "traefik: between steps: waiting since 0 s: reading the cluster again");
        progress.of("cni"); // for which nobody has waited yet
        assert_eq!(still(), "cni: between steps: at work since 0 s");
        assert_eq!(progress.line("x done"), "cni: x done");
    }

    #[test]
    fn a_long_wait_names_the_step_and_what_is_not_ready() {
        let terminal = Terminal::new(false, true, false, true);
        let progress = Progress::new(&terminal);
        progress.event(&Event::Step { number: 4, title: "The webhook answers", acts: 0 });
        progress.event(&Event::Waiting("deployments.apps x/y: 0 of 1"));
        progress.with(|current| {
            let said = current.still();
            assert_eq!(said, "step 5: The webhook answers: waiting since 0 s: deployments.apps x/y: 0 of 1");
        });
    }
}
