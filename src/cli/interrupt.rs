//! The asynchronous part of a verb, and what stops it.
//!
//! Invariant: the first Ctrl-C or SIGTERM drops the work of [`run`] at its next pause, so that what is half-written goes away;
//! a second one ends it at once, and so does one at a prompt or outside of [`run`]. However it ends, it says so.

use std::{
    future::Future,
    mem,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use super::{
    exit::Exit,
    log::{self, Level},
    prompt,
};
use crate::{Error, Kind, Result};

/// How long what seals and writes may take to notice that nobody wants it any more, and to remove it.
const GRACE: Duration = Duration::from_secs(1);

/// What is to be done when a signal ends the process at once.
static LAST_WORDS: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();
static MOMENT: Mutex<Moment> = Mutex::new(Moment::Outside(None));

/// What a signal does now.
enum Moment {
    /// It ends the process at once, with what then holds.
    Outside(Option<&'static str>),
    /// It drops the work of [`run`] at its next pause.
    AtWork(oneshot::Sender<()>),
    /// The first one came while there was work: the next ends the process at once.
    WindsDown,
    /// Nothing: of work that was dropped it is said what it did, whoever asks once more.
    WoundDown,
}

fn moment() -> MutexGuard<'static, Moment> {
    MOMENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work`; `advice` says how to go on after an interruption.
pub(super) fn run<T>(advice: &dyn Fn() -> String, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::failed("no threads for talking to the cluster").because(e))?;
    let (stop, stopped) = oneshot::channel();
    *moment() = Moment::AtWork(stop);
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            Ok(()) = stopped => Err(Error::new(Kind::Interrupted, "interrupted").hint(advice())),
        }
    });
    match &result {
        Err(e) if e.kind() == Kind::Interrupted => {
            runtime.shutdown_timeout(GRACE);
            *moment() = Moment::WoundDown;
        }
        _ => {
            *moment() = Moment::Outside(None);
            runtime.shutdown_background();
        }
    }
    result
}

/// Says what holds where a signal ends the verb before it comes to [`run`].
pub(super) fn outside(advice: &'static str) {
    *moment() = Moment::Outside(Some(advice));
}

/// Catches signals from here on, also outside of [`run`], where they end the process at once: a prompt has to give the terminal
/// back, and a log learns of every end. `last_words` are said then.
pub(super) fn catch(last_words: impl Fn() + Send + Sync + 'static) {
    let _ = LAST_WORDS.set(Box::new(last_words));
    let (caught, is_caught) = mpsc::channel();
    thread::spawn(move || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let Ok(mut interrupt) = signal(SignalKind::interrupt()) else { return };
            let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
            let _ = caught.send(());
            loop {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                taken();
            }
        });
    });
    let _ = is_caught.recv(); // an error where they cannot be caught: then it is as it was
}

/// A signal came.
fn taken() {
    let ends = prompt::OPEN.load(Ordering::SeqCst) || {
        let mut moment = moment();
        match mem::replace(&mut *moment, Moment::WindsDown) {
            Moment::AtWork(stop) => {
                let _ = stop.send(()); // the work may have ended by itself
                false
            }
            Moment::WoundDown => {
                *moment = Moment::WoundDown;
                false
            }
            other => {
                *moment = other;
                true
            }
        }
    };
    if ends {
        end();
    }
}

/// Ends the process, once: whoever comes second waits for that.
pub(super) fn end() -> ! {
    static ENDS: AtomicBool = AtomicBool::new(false);
    while ENDS.swap(true, Ordering::SeqCst) {
        thread::park();
    }
    if log::is_text() {
        log::say(Level::Info, "", &[]); // below what was typed
    }
    let advice = match *moment() {
        Moment::Outside(advice) => advice.map(ToOwned::to_owned),
        _ => None,
    };
    log::say(Level::Error, "interrupted", advice.as_slice());
    if let Some(say) = LAST_WORDS.get() {
        say();
    }
    prompt::give_back();
    std::process::exit(Exit::Interrupted.code().into())
}
