//! Waiting for an API server that comes back.
//!
//! In: a cluster, a deadline. Out: nothing, or what was waited for and why in vain. Invariant: ends by its deadline.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Event;
use crate::cluster::Cluster;

/// Waits until `/readyz` is answered with yes.
pub(super) async fn wait(
    cluster: &Cluster,
    timeout: Duration,
    poll: Duration,
    event: &(dyn Fn(Event<'_>) + Sync),
) -> Result<(), String> {
    let (began, server) = (Instant::now(), cluster.server());
    let mut said = String::new();
    loop {
        let Err(why) = cluster.ready().await else { return Ok(()) };
        if began.elapsed() + poll > timeout {
            return Err(format!(
                "the API server at {server} did not answer {server}/readyz within {} s: {why}; see on this node: journalctl \
                 -u rke2-server",
                timeout.as_secs()
            ));
        }
        if why != said {
            event(Event::Waiting(&format!("{server}/readyz: {why}")));
            said = why;
        }
        sleep(poll).await;
    }
}
