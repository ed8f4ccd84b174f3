//! The asynchronous part of a verb, and what stops it.
//!
//! Invariant: the first Ctrl-C or SIGTERM drops the work of [`run`] at its next pause, so that what is half-written goes away;
//! a second one ends it at once, and so does one at a prompt or outside of [`run`]. However it ends, it says so.

use std::{
    future::Future,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
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

/// What is to be done when a signal ends the process at once, and what then holds.
static LAST_WORDS: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();
static OUTSIDE: Mutex<Option<&str>> = Mutex::new(None);

/// Whether [`run`] is at work, which winds it down, or has done so.
static WINDS_DOWN: AtomicBool = AtomicBool::new(false);

/// Runs `work`; `advice` says how to go on after an interruption.
pub(super) fn run<T>(advice: &dyn Fn() -> String, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::failed("no threads for talking to the cluster").because(e))?;
    *OUTSIDE.lock().unwrap_or_else(PoisonError::into_inner) = None;
    let result = runtime.block_on(async {
        let (stop, stopped) = oneshot::channel();
        let caught = |kind| signal(kind).map_err(|e| Error::failed("Ctrl-C cannot be caught").because(e));
        // Before the work begins: an uncaught signal ends the process at once, and nobody tidies up.
        tokio::spawn(watch(caught(SignalKind::interrupt())?, caught(SignalKind::terminate())?, stop));
        WINDS_DOWN.store(true, Ordering::SeqCst);
        tokio::select! {
            result = work => result,
            Ok(()) = stopped => Err(Error::new(Kind::Interrupted, "interrupted").hint(advice())),
        }
    });
    match &result {
        Err(e) if e.kind() == Kind::Interrupted => runtime.shutdown_timeout(GRACE),
        _ => {
            WINDS_DOWN.store(false, Ordering::SeqCst);
            runtime.shutdown_background();
        }
    }
    result
}

/// Says what holds where a signal ends the verb before it comes to [`run`].
pub(super) fn outside(advice: &'static str) {
    *OUTSIDE.lock().unwrap_or_else(PoisonError::into_inner) = Some(advice);
}

/// Catches signals from here on also outside of [`run`], where they end the process at once: a prompt has to give the terminal
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
                either(&mut interrupt, &mut terminate).await;
                if prompt::OPEN.load(Ordering::SeqCst) || !WINDS_DOWN.load(Ordering::SeqCst) {
                    end();
                }
            }
        });
    });
    let _ = is_caught.recv(); // an error where they cannot be caught: then it is as it was
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
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
    let advice = OUTSIDE.lock().unwrap_or_else(PoisonError::into_inner).map(ToOwned::to_owned);
    log::say(Level::Error, "interrupted", advice.as_slice());
    if let Some(say) = LAST_WORDS.get() {
        say();
    }
    prompt::give_back();
    std::process::exit(Exit::Interrupted.code().into())
}

async fn watch(mut interrupt: Signal, mut terminate: Signal, stop: oneshot::Sender<()>) {
    either(&mut interrupt, &mut terminate).await;
    if prompt::OPEN.load(Ordering::SeqCst) {
        end();
    }
    let _ = stop.send(()); // the work may have ended by itself
    either(&mut interrupt, &mut terminate).await;
    end()
}
