//! A scenario on a cluster that is there to be broken.
//!
//! In: the cluster, its Lease, a folder for the runs. Out: a [`Scenario`]. Invariant: nothing is changed there before it was seen
//! that all which the plan waits for can come about, nor while another holds the Lease.

use std::{collections::BTreeMap, path::Path};

use super::{Rehearsal, Stage, failed, nothing_to_break, untested, within::restricted};
use crate::{
    Error, Result,
    cluster::Cluster,
    drill::{Drilled, damage},
    plan::RestorePlan,
    report::drill::Scenario,
    restore::{Lease, lacking, prepare},
};

impl Rehearsal<'_> {
    /// Drills one scenario on a cluster that is marked for it: the plan first makes it equal to the snapshot, then it is
    /// broken and the plan is replayed. What goes wrong is in its outcome.
    pub async fn on_cluster(
        &self,
        drilled: &Drilled,
        cluster: &Cluster,
        lease: &Lease,
        folder: &Path,
    ) -> Scenario {
        self.breakage.begin();
        let (runs, nowhere, roots) = (folder.join("runs"), folder.join("nowhere"), BTreeMap::new());
        let (spared, lease) = (Default::default(), Some(lease));
        let stage = Stage { cluster, lease, runs: &runs, roots: &roots, nowhere: &nowhere, spared };
        let scenario = self.in_cluster(drilled, &stage).await;
        scenario.unwrap_or_else(|error| failed(drilled, &error))
    }

    async fn in_cluster(&self, drilled: &Drilled, stage: &Stage<'_>) -> Result<Scenario> {
        let (plan, not_tested) = restricted(&drilled.plan, false);
        let chosen = damage::choose(&plan, &self.subject.items);
        if chosen.damage.is_empty() {
            return Ok(untested(drilled, nothing_to_break(&plan)));
        }
        let name = &plan.name;
        (self.tell)(&format!("{name}: looking whether the cluster has what its plan waits for"));
        let lacking = self.lacking(drilled, &plan, stage).await?;
        if !lacking.is_empty() {
            let why = format!("the cluster lacks what its plan waits for: {}", lacking.join("; "));
            return Ok(untested(drilled, why));
        }
        (self.tell)(&format!("{name}: making the cluster equal to the snapshots"));
        let loaded = self.restore(drilled, &plan, stage, None, (self.clock)()).await?;
        if loaded.differences_left > 0 {
            let left = loaded.differences_left;
            return Err(Error::failed(format!(
                "the cluster could not be made equal to the snapshots of {name}"
            ))
            .why(format!("{left} differences are left after its plan: {}", loaded.remarks.join("; "))));
        }
        let scenario = self.drill(drilled, &plan, stage, chosen).await;
        Ok(Scenario { not_tested: [not_tested, scenario.not_tested].concat(), ..scenario })
    }

    /// What the plan would wait for in vain.
    async fn lacking(&self, drilled: &Drilled, plan: &RestorePlan, stage: &Stage<'_>) -> Result<Vec<String>> {
        let prepared = prepare(self.request(drilled, plan, stage, None, (self.clock)())).await?;
        lacking(stage.cluster, &prepared.plan).await
    }
}
