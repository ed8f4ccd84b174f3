//! The values that people author of the releases that a plan brings back.
//!
//! In: `git.sources` that name a release. Out: what is in them, or why that could not be read. Invariant: a restore never
//! fails for it, and waits for it only so long.

use std::time::Duration;

use futures::future::join_all;

use super::{Chosen, Request};
use crate::{
    gitops::{self, GitSource},
    plan::{Action, AuthoredValues},
};

/// What a forge may take that stands behind the very ingress that is gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads them. Git as the source brings no release back, so there is nothing to compare.
pub(super) async fn values(request: &Request<'_>) -> Vec<AuthoredValues> {
    let released = |source: &&GitSource| {
        let mut steps = request.plan.steps.iter();
        let of_it = |action: &Action| matches!(action, Action::HelmRelease { component, .. } if *component == source.component);
        steps.any(|step| of_it(&step.action)) && !matches!(request.from, Chosen::Git(_))
    };
    let reads = request.values.sources.iter().filter(released).map(async |source| {
        let reading = gitops::values(source, &request.values, request.trusted, request.now);
        let read = match tokio::time::timeout(PATIENCE, reading).await {
            Ok(read) => read.map_err(|error| error.to_string()),
            Err(_) => Err(format!("it could not be read within {} s", PATIENCE.as_secs())),
        };
        AuthoredValues { source: source.clone(), read }
    });
    join_all(reads).await
}
