//! `make bench`: netdr against bare loops on the same API server, as ratios in one run.
//!
//! In: the programs of the control plane and the release build of netdr. Out: a table on stdout; nothing is
//! asserted of a time, because time on a shared machine proves nothing alone. Each ratio has both its sides in this run.
//!
//! `cargo bench --bench netdr -- [start] [policies] [scenarios] [replicate] [watch] [--quick]`: all subjects where none is named; `--quick`
//! takes a tenth of every size, which shows that the bench works and nothing of netdr's speed.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at what goes wrong, and prints")]

mod bare;
mod peers;
mod policies;
mod replicate;
mod scenarios;
mod shop;
mod start;
mod table;
mod watch;

use std::path::{Path, PathBuf};

use netdr::drill::{ControlPlane, Options, Programs};

const SUBJECTS: [&str; 5] = ["start", "policies", "scenarios", "replicate", "watch"];

fn main() {
    let mut named: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect(); // cargo's own
    let all = named.len();
    named.retain(|arg| arg != "--quick");
    let part = if named.len() < all { 10 } else { 1 };
    assert!(named.iter().all(|name| SUBJECTS.contains(&name.as_str())), "{named:?}: not of {SUBJECTS:?}");
    let wanted = |subject: &str| named.is_empty() || named.iter().any(|name| name == subject);
    if part > 1 {
        println!("a tenth of every size: these are no figures");
    }

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if wanted("start") {
            start::measure();
        }
        if wanted("policies") {
            for each in [50, 200] {
                policies::measure(100, each / part).await;
            }
        }
        if wanted("scenarios") {
            scenarios::measure(2_000 / part).await;
            scenarios::ceiling(10_000 / part).await;
        }
        if wanted("replicate") {
            replicate::measure(30 / part, 500 / part).await;
        }
        if wanted("watch") {
            watch::measure(100, 50 / part).await;
        }
    });
}

/// What `make control-plane` built.
fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/control-plane")
}

async fn plane(options: &Options) -> ControlPlane {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let folders: Vec<PathBuf> = assets.into_iter().chain([built().join("bin")]).collect();
    ControlPlane::start(&Programs::find(&folders).unwrap(), options, &|_| ()).await.unwrap()
}
