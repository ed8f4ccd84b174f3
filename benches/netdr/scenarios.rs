//! Subject `scenarios`: every built-in plan on a believable cluster with many objects, and the rate of the largest.
//!
//! In: how many objects. Out: lines of the table. Invariant: after every restore nothing differs, and nobody else restored
//! anything.

mod mix;
mod played;

use std::{collections::BTreeSet, time::Duration};

use netdr::{
    drill::{self, ControlPlane, Options, failures},
    model::Component,
    plan::RestorePlan,
};
use tokio::task::block_in_place;

use crate::{
    bare::{Bare, Item},
    built, peers, plane,
    shop::{Run, Shop},
    table::{mib, row},
};

/// What netdr itself has to take at most of each recovery, in seconds on two cores.
const OBJECTIVE: f64 = 10.0;

/// Every scenario: loses all that it is about, is restored, and says where the time went.
pub(crate) async fn measure(total: usize) {
    let lab = Lab::new(total).await;
    println!("{}", played::WHAT);
    println!(
        "  {:<17} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9} {:>8}",
        "scenario", "lost", "done", "open", "plan", "apply", "probe", "waited", "own share", "peak"
    );
    for (name, text) in RestorePlan::builtin() {
        let components = RestorePlan::parse(text, name).unwrap().components();
        let before = played::Before::of(&lab.bare).await;
        let lost = lab.lose(&components).await;
        let run = lab.restore(name, before).await;
        let own = own_share(&run);
        println!(
            "  {name:<17} {lost:>6} {:>6} {:>6.2}s {:>6.2}s {:>6.2}s {:>6.2}s {:>6.2}s {:>8.2}s {:>8} {}",
            run.steps("applied", None) + run.steps("deleted", None),
            run.phase("open"),
            run.phase("plan"),
            run.phase("apply"),
            run.phase("probe") - run.steps("waiting_s", Some("probe")),
            run.phase("wait") + run.steps("waiting_s", Some("probe")),
            own,
            mib(run.peak),
            if own <= OBJECTIVE { "" } else { "over 10 s" },
        );
    }
}

/// Scenario full-stack against the bare POST loop with the same objects, and the peers' patterns on a tenth of them.
pub(crate) async fn ceiling(total: usize) {
    let lab = Lab::new(total).await;
    let (mut post, mut apply, mut peak) = (Duration::MAX, f64::MAX, 0);
    let (mut whole, mut own, mut done) = (f64::MAX, f64::MAX, 0.0);
    // Alternating, so that a machine that grows slower or faster meets both.
    for _ in 0..2 {
        let before = played::Before::of(&lab.bare).await;
        lab.bare.delete(&lab.items).await;
        lab.read().await;
        post = post.min(lab.bare.create(&lab.items).await);
        lab.bare.delete(&lab.items).await;
        let run = lab.restore("full-stack", before).await;
        done = run.steps("applied", None);
        (apply, own) = (apply.min(run.phase("apply")), own.min(own_share(&run)));
        let waited = run.phase("wait") + run.steps("waiting_s", Some("probe"));
        (whole, peak) = (whole.min(run.took.as_secs_f64() - waited), run.peak.max(peak));
    }
    let post = post.as_secs_f64();
    let ceiling = lab.items.len() as f64 / post;
    let against = |seconds: f64| format!("{:.0}/s, {:.2} of bare", done / seconds, done / seconds / ceiling);
    row("bare parallel POST loop", post, &format!("{ceiling:.0}/s"), 0);
    row("full-stack, its apply phase", apply, &against(apply), 0);
    row("full-stack, netdr's own share", own, &against(own), 0);
    row("full-stack, whole command without waiting", whole, &against(whole), peak);

    let tenth: Vec<Item> = lab.items.chunks(mix::EACH).step_by(10).flatten().cloned().collect();
    peers::get_and_put(&lab.bare, &tenth).await;
    lab.bare.delete(&lab.items).await;
    peers::create_and_patch(&lab.bare, &tenth).await;
    lab.bare.delete(&lab.items).await;
    peers::kubectl(&tenth, lab.plane.kubeconfig());
}

/// All phases but waiting, for readiness or for a person.
fn own_share(run: &Run) -> f64 {
    let phases = ["open", "plan", "apply", "probe"].map(|name| run.phase(name));
    phases.iter().sum::<f64>() - run.steps("waiting_s", Some("probe"))
}

/// A believable cluster with many objects besides, backed up.
struct Lab {
    plane: ControlPlane,
    bare: Bare,
    shop: Shop,
    items: Vec<Item>,
}

impl Lab {
    async fn new(total: usize) -> Self {
        let namespaces = total / mix::EACH;
        let items = mix::items(namespaces);
        println!(
            "\n{} objects of all components in {namespaces} namespaces, on a believable cluster",
            items.len()
        );
        let crds = Some(built().join("crds"));
        let options = Options { controllers: true, nodes: true, crds, ..Options::default() };
        let plane = plane(&options).await;
        let bare = Bare { cluster: plane.cluster().await.unwrap() };
        drill::cluster::load(&bare.cluster, "bench", chrono::Utc::now()).await.unwrap();
        bare.namespaces(namespaces).await;
        bare.create(&items).await; // warms the API server up; not counted
        played::controllers(bare.clone(), played::Before::of(&bare).await).await;
        let shop = Shop::new(plane.kubeconfig());
        drill::cluster::host_root(&shop.folder().join("host"), drill::cluster::NODES[0], "bench").unwrap();
        for set in ["network", "certificates", "host"] {
            shop.run(&["backup", "--set", set, "--host-root", "host"]);
        }
        Self { plane, bare, shop, items }
    }

    /// Deletes all that the bench made of these components, and what a failure of theirs takes with it; how much of the
    /// former.
    async fn lose(&self, components: &BTreeSet<Component>) -> usize {
        let cluster = &self.bare.cluster;
        if components.contains(&Component::Cni) {
            played::forget_installation(&self.bare).await;
            self.bare.send("DELETE", played::CONFIG, String::new()).await;
        }
        if components.contains(&Component::Certificates) {
            self.bare.send("DELETE", played::ISSUER, String::new()).await;
        }
        if components.contains(&Component::Ingress) {
            failures::break_traefik(cluster).await.unwrap();
        }
        if components.contains(&Component::Policies) {
            failures::break_policies(cluster).await.unwrap();
        }
        let lost: Vec<&Item> =
            self.items.iter().filter(|item| components.contains(&item.component)).collect();
        self.bare.delete(lost.iter().copied()).await;
        lost.len()
    }

    /// Lists every collection, as netdr does before it changes anything: controllers that still work off what was deleted
    /// slow the bare loop down no more than netdr.
    async fn read(&self) {
        let collections: BTreeSet<&str> = self.items.iter().map(|item| item.collection.as_str()).collect();
        for collection in collections {
            self.bare.list(collection).await;
        }
    }

    /// netdr restores while the controllers are played.
    async fn restore(&self, scenario: &str, before: played::Before) -> Run {
        let played = tokio::spawn(played::controllers(self.bare.clone(), before));
        let run = block_in_place(|| self.shop.restore(scenario));
        played.abort();
        run
    }
}
