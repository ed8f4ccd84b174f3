//! docs/drills.md, followed word by word.

use std::{fs, path::Path};

use netdr::{drill, signature::TrustedSigners};

use super::custody;
use crate::support::{Home, says};

/// The fenced commands of a section.
fn commands(section: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/drills.md")).unwrap();
    let text = page.split_once(&format!("\n## {section}")).unwrap().1.split("\n## ").next().unwrap();
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.map(|block| block.split_once('\n').unwrap().1).collect::<Vec<_>>().join("\n")
}

/// The page's own places, where this home has them.
fn here(home: &Home, commands: &str) -> String {
    let places = [
        ("/etc/netdr/drill", "drill-key"),
        ("/etc/netdr/trusted_signers", "keys/trusted_signers"),
        ("/backup/netdr", "repo"),
    ];
    let path = |place: &str| home.path().join(place).display().to_string();
    places.iter().fold(commands.to_owned(), |text, (there, place)| text.replace(there, &path(place)))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_followed_word_by_word() {
    let home = custody().await;
    fs::copy(home.path().join("keys/operator.txt"), home.path().join("operator.txt")).unwrap();
    // Who forgets the line of the key learns it before the hour that the drill takes.
    home.shell("ssh-keygen -q -t ed25519 -N '' -C drill -f forgotten").await.ok();
    let alone = here(&home, &commands("A drill of one plan")).replace("drill-key", "forgotten");
    let refused = home.shell(&alone).await.failed(2);
    says(
        &refused,
        &[
            "no report that this signing key signs would count",
            "echo \"drill namespaces=\\\"netdr-report\\\" ssh-ed25519 ",
            "keys/trusted_signers",
        ],
    );
    home.shell(&here(&home, &commands("Once"))).await.ok();
    // So does he whose repository takes no report.
    let reports = home.path().join("repo/reports");
    fs::write(&reports, "").unwrap();
    let refused = home.shell(&here(&home, &commands("A drill of one plan"))).await.failed(1);
    says(&refused, &["cannot write a report into", "repo/reports", "--report DIR"]);
    fs::remove_file(reports).unwrap();
    let schedules = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/drill");
    let signers = fs::read_to_string(home.path().join("keys/trusted_signers")).unwrap();
    says(&signers, &["drill namespaces=\"netdr-report\" ssh-ed25519 "]);
    let said = home.shell(&here(&home, &commands("A drill of one plan"))).await.ok();
    says(&said, &["network-policies", "recovered", "open", "report"]);
    let rendered = home.run("kubectl", &["kustomize", schedules.to_str().unwrap()]).await.ok();
    says(&rendered, &["kind: CronJob", "suspend: true", "image: netdr-drill:0.1.0"]);
    let said = home.shell(&here(&home, &commands("Whose report it is"))).await.ok();
    says(&said, &["Good \"netdr-report\" signature for drill"]);

    // The repository of the cluster has no report yet, and the folder of them neither.
    fs::create_dir(home.path().join("cluster")).unwrap();
    let line = commands("In a copy of the repository").replace("-C /backup/netdr", "-C cluster-repo");
    let line = here(&home, &line)
        .replace("-C cluster-repo", &format!("-C {}", home.path().join("cluster").display()));
    home.shell(&format!("ssh() {{ shift; \"$@\"; }}\n{line}")).await.ok();
    let trusted = TrustedSigners::read(&home.path().join("keys/trusted_signers")).unwrap();
    let back = drill::drills(&home.path().join("cluster/reports"), &trusted, chrono::Utc::now()).unwrap();
    assert_eq!((back.signed.len(), &back.untrusted), (1, &Vec::new()));
}
