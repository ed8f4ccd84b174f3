//! `--from git` over HTTPS: an authority of one's own, a login, a repository that is not there.

use crate::support::{Forge, Home, MARKER, PLAN, Pair, git_server, plans_shop, says, shop};

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_behind_https_is_read_by_whom_its_server_and_we_trust() {
    let (_plane, operator) = shop().await;
    let home = &operator.home;
    let (forge, commit) = Forge::of_shop(home).await;
    let (pair, authority) = Pair::with_authority("127.0.0.1");
    std::fs::write(home.path().join("authority.pem"), authority).unwrap();
    std::fs::write(home.path().join("other.pem"), Pair::with_authority("127.0.0.1").1).unwrap();
    let with = |authority: &str| format!("SSL_CERT_FILE={authority}.pem {PLAN}");

    let server = git_server(home.path(), &pair, None);
    let url = format!("https://{}/k8s/.git", server.address);
    forge.at(&url);
    let plan = home.shell(&with("authority")).await.json(0);
    plans_shop(&plan, &commit);

    for unknown in [PLAN.to_owned(), with("other")] {
        let said = home.shell(&unknown).await.failed(1);
        says(
            &said,
            &["TLS with 127.0.0.1 failed: the SSL certificate is invalid", "SSL_CERT_FILE=AUTHORITY.pem"],
        );
    }
    let (elsewhere, authority) = Pair::with_authority("forge.lab");
    std::fs::write(home.path().join("elsewhere.pem"), authority).unwrap();
    let another = git_server(home.path(), &elsewhere, None);
    forge.at(&format!("https://localhost:{}/k8s/.git", another.address.port()));
    let said = home.shell(&with("elsewhere")).await.failed(1);
    says(&said, &["TLS with localhost failed: hostname does not match certificate"]);

    forge.at(&format!("https://{}/no-such", server.address));
    says(
        &home.shell(&with("authority")).await.failed(1),
        &["there is no such repository (404)", "git ls-remote https://"],
    );

    logs_in(home, &forge, &pair, &with("authority")).await;
}

/// 401 with the right login, a wrong one, and none.
async fn logs_in(home: &Home, forge: &Forge<'_>, pair: &Pair, plan: &str) {
    let server = git_server(home.path(), pair, Some(&format!("ada:{MARKER}")));
    forge.at(&format!("https://{}/k8s/.git", server.address));
    let none = home.shell(plan).await.failed(1);
    says(
        &none,
        &[
            "wants a user and a password, and git's credential helper has none",
            "git config --global credential.helper store",
            "git ls-remote",
        ],
    );
    let keep = async |password: &str| {
        let kept = format!("https://ada:{password}@{}", server.address);
        std::fs::write(home.path().join(".git-credentials"), format!("{kept}\n")).unwrap();
        home.shell("git config --global credential.helper store").await.ok();
    };
    keep(&format!("{MARKER}-of-old")).await;
    let wrong = home.shell(plan).await.failed(1);
    says(&wrong, &["refuses the user and password that git's credential helper has"]);
    keep(MARKER).await;
    let right = home.shell(plan).await;
    let all = format!("{none}{wrong}{}{}", right.stdout, right.stderr);
    assert_eq!(right.json(0)["create"], 1);
    assert!(!all.contains(MARKER), "the password is shown: {all}");
}
