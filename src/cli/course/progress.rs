//! A run as it happens: a bar per step on a terminal, else one line per step.

use std::sync::{Mutex, PoisonError};

use crate::{
    cli::terminal::{Phase, Terminal},
    restore::{Event, StepOutcome},
};

pub(super) struct Progress<'a> {
    terminal: &'a Terminal,
    current: Mutex<Option<Phase>>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, current: Mutex::new(None) }
    }

    pub(super) fn event(&self, event: &Event<'_>) {
        match event {
            Event::Step { number, title, acts } => {
                let phase = self.terminal.phase(format!("step {}: {title}", number + 1));
                if *acts > 0 {
                    phase.parts(*acts as u64);
                }
                self.set(Some(phase));
            }
            Event::Act => self.with(Phase::part),
            Event::Waiting(what) => self.with(|phase| phase.waiting(what)),
            Event::Ended(step) => {
                self.set(None);
                if step.outcome == "done" {
                    self.terminal.ended(&ended(step));
                } else {
                    self.terminal.note(ended(step));
                }
            }
        }
    }

    /// Takes the bar away, so that something can be asked or said.
    pub(super) fn pause(&self) {
        self.set(None);
    }

    fn set(&self, phase: Option<Phase>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    fn with(&self, act: impl FnOnce(&Phase)) {
        if let Some(phase) = &*self.current.lock().unwrap_or_else(PoisonError::into_inner) {
            act(phase);
        }
    }
}

fn ended(step: &StepOutcome) -> String {
    let mut line = format!("{} {} after {:.2} s", step.id, step.outcome, step.acting_s + step.waiting_s);
    for failure in &step.failures {
        line += &format!("\n  {failure}");
    }
    line
}
