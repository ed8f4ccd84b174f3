//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// Long enough for two busy cores; a condition that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks until the answer is there.
///
/// # Panics
/// When it does not come, with what was waited for.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited {} s in vain: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
