//! Drift that somebody was told of ends where it was put back, and not where a backup took it over.

use super::Watched;
use crate::support::{Mail, POLICIES};

const POLICY: &str = "archive/default-deny-all";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backup_took_over_is_told_by_name_and_not_as_well_again() {
    let world = Watched::new().await;
    let home = &world.operator.home;
    let mail = Mail::start(None, &[]).await;
    world.operator.configure(&mail.configuration());
    let critical = async || {
        let metrics = home.netdr(&["metrics"]).await.ok();
        let sample = "netdr_drift_items{cluster=\"";
        let of = |set: &str| format!("set=\"{set}\",node=\"\",severity=\"critical\"}} ");
        assert!(!metrics.contains(&of("certificates")), "nobody looked at them: {metrics}");
        let mut lines = metrics.lines().filter(|line| line.starts_with(sample));
        lines.find_map(|line| line.split_once(&of("network")).map(|(_, n)| n.to_owned()))
    };
    assert_eq!(critical().await, None);
    let drift = ["drift", "--set", "network"];
    let policy = world.objects.get(POLICIES, POLICY).await;
    world.objects.delete(POLICIES, POLICY).await;
    home.netdr(&drift).await.failed(4);
    assert_eq!(critical().await.as_deref(), Some("1"));
    world.objects.put_back(POLICIES, POLICY, policy).await;
    home.netdr(&drift).await.ok();
    assert_eq!(critical().await.as_deref(), Some("0"));
    let taken = mail.taken();
    let [found, over] = &taken[..] else { panic!("{taken:#?}") };
    assert!(found.contains("see what differs: netdr drift --set network"), "{found}");
    assert!(found.contains("netdr restore --scenario network-policies --snapshot 2"), "{found}");
    assert!(over.contains("is well again"), "{over}");

    world.objects.delete(POLICIES, POLICY).await;
    home.netdr(&drift).await.failed(4);
    assert_eq!(critical().await.as_deref(), Some("1"));
    home.netdr(&["backup", "--set", "network", "--accept-shrunk"]).await.ok();
    home.netdr(&drift).await.ok();
    assert_eq!(critical().await.as_deref(), Some("0"), "a backup took it over");
    home.netdr(&drift).await.ok();
    let taken = mail.taken();
    let [_, _, _, over] = &taken[..] else { panic!("{taken:#?}") };
    assert!(over.contains("Taken over, not put back") && !over.contains("is well again"), "{over}");
    assert!(over.contains(POLICY) && over.contains("--snapshot 2"), "{over}");
}
