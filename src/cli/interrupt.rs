//! The asynchronous part of a verb, and what stops it.
//!
//! Invariant: the runtime is made only by verbs that talk to a cluster. The first Ctrl-C or SIGTERM drops the
//! work at its next pause, so that what is half-written goes away; a second one, or one at a prompt, ends at once.

use std::{
    future::Future,
    sync::{
        Once,
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

/// Whether [`run`] is at work, which winds it down, or has done so.
static WINDS_DOWN: AtomicBool = AtomicBool::new(false);

/// Runs `work`; `advice` says how to go on after an interruption.
pub(super) fn run<T>(advice: &dyn Fn() -> String, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::failed("no threads for talking to the cluster").because(e))?;
    WINDS_DOWN.store(true, Ordering::SeqCst);
    let result = runtime.block_on(async {
        let (stop, stopped) = oneshot::channel();
        let caught = |kind| signal(kind).map_err(|e| Error::failed("Ctrl-C cannot be caught").because(e));
        // Before the work begins: an uncaught signal ends the process at once, and nobody tidies up.
        tokio::spawn(watch(caught(SignalKind::interrupt())?, caught(SignalKind::terminate())?, stop));
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

/// Catches Ctrl-C from here on also outside of [`run`], for a prompt that has to give the terminal back: nothing else is
/// under way there, and at any other moment it ends the process as if it were not caught.
pub(super) fn catch() {
    static CAUGHT: Once = Once::new();
    CAUGHT.call_once(|| {
        let (caught, is_caught) = mpsc::channel();
        thread::spawn(move || {
            let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                let Ok(mut interrupt) = signal(SignalKind::interrupt()) else { return };
                let _ = caught.send(());
                while interrupt.recv().await.is_some() {
                    if prompt::OPEN.load(Ordering::SeqCst) || !WINDS_DOWN.load(Ordering::SeqCst) {
                        end();
                    }
                }
            });
        });
        let _ = is_caught.recv(); // an error where it cannot be caught: then it is as it was
    });
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
    log::say(Level::Error, "interrupted", &[]);
    prompt::give_back();
    std::process::exit(Exit::Interrupted.code().into())
}

async fn watch(mut interrupt: Signal, mut terminate: Signal, stop: oneshot::Sender<()>) {
    let mut stop = Some(stop);
    loop {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        match stop.take() {
            Some(stop) if !prompt::OPEN.load(Ordering::SeqCst) => drop(stop.send(())),
            _ => end(),
        }
    }
}
