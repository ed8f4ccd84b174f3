//! Lines of the table, and the best of several times. Invariant: seconds are wall time.

use std::time::Duration;

/// A line; `peak_kib` is 0 where no process was measured.
pub(crate) fn row(what: &str, seconds: f64, ratio: &str, peak_kib: u64) {
    let peak = if peak_kib == 0 { String::new() } else { format!("peak {}", mib(peak_kib)) };
    println!("  {what:<56} {seconds:>7.3} s   {ratio:<24} {peak}");
}

pub(crate) fn mib(kib: u64) -> String {
    format!("{} MiB", kib.div_ceil(1024))
}

pub(crate) fn times(one: Duration, other: Duration, name: &str) -> String {
    format!("{:.2} × {name}", one.as_secs_f64() / other.as_secs_f64())
}

pub(crate) async fn best(times: usize, mut once: impl AsyncFnMut() -> Duration) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..times {
        best = best.min(once().await);
    }
    best
}
