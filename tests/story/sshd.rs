//! Git over SSH, from a real sshd: `--from git`, and the history. It is no part of what `make test` needs: `make test-tools` installs it, and
//! `make test-all` runs this.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
};

use tokio::process::Child;

use crate::support::{Forge, Home, PLAN, eventually, plans_shop, says, shop};

/// A program that ends with the test.
struct Running {
    _child: Child,
}

/// Lets whoever runs this in, with the keys of `sshd/authorized`; its port.
async fn sshd(home: &Home) -> (Running, u16) {
    let found = home.shell("PATH=$PATH:/usr/sbin:/usr/local/sbin command -v sshd").await;
    assert_eq!(found.code, Some(0), "sshd is not installed; it comes with: make test-tools");
    // Where sshd drops its rights to: its unit makes it, and a container without an init system has none.
    if rustix::process::geteuid().is_root() {
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    home.shell("mkdir -m 700 .ssh sshd; ssh-keygen -q -t ed25519 -N '' -f sshd/host; touch sshd/authorized")
        .await
        .ok();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = home.path().join("sshd");
    let folder = folder.display();
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nPidFile none\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
    );
    std::fs::write(home.path().join("sshd/config"), config).unwrap();
    let (config, log) = (format!("{folder}/config"), format!("{folder}/log"));
    let child = home.command(found.stdout.trim(), &["-D", "-E", &log, "-f", &config]).spawn().unwrap();
    eventually("sshd to listen", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;
    (Running { _child: child }, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_behind_ssh_is_read_with_a_known_host_and_a_key_that_it_lets_in() {
    let (_plane, operator) = shop().await;
    let home = &operator.home;
    let (forge, commit) = Forge::of_shop(home).await;
    let (_sshd, port) = sshd(home).await;
    let me = home.run("id", &["-un"]).await.ok();
    let url = format!("ssh://{}@127.0.0.1:{port}{}", me.trim(), home.path().join("k8s").display());
    forge.at(&url);
    let refused = async || home.shell(PLAN).await.failed(1);
    let read = async |environment: &str| {
        let plan = home.shell(&format!("{environment} {PLAN}")).await.json(0);
        plans_shop(&plan, &commit);
    };

    // An unknown host, by the command that netdr names.
    let shown = home.run("ssh-keygen", &["-lf", "sshd/host.pub"]).await.ok();
    let fingerprint = shown.split(' ').nth(1).unwrap();
    let scan = format!("ssh-keyscan -p {port} 127.0.0.1 >> ~/.ssh/known_hosts");
    says(&refused().await, &["the key of 127.0.0.1 is not in ~/.ssh/known_hosts", fingerprint, &scan]);
    home.shell(&scan).await.ok();

    // Nothing that opens; a key that it does not know; one that it does, and that is tried next.
    says(&refused().await, &["lets nobody in with the SSH agent", "ssh-add KEY"]);
    home.shell("ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519").await.ok();
    let wrong = home.path().join(".ssh/id_ed25519").display().to_string();
    says(&refused().await, &[&format!("lets nobody in with the SSH agent, {wrong}")]);
    home.shell("ssh-keygen -q -t ecdsa -N '' -f .ssh/id_ecdsa; cat .ssh/id_ecdsa.pub >> sshd/authorized")
        .await
        .ok();
    read("").await;
    let (there, gone) = (url.as_str(), url.replace("/k8s", "/no-such"));
    forge.at(&gone);
    says(&refused().await, &["does not appear to be a git repository"]);
    forge.at(there);

    // A key with a passphrase is of use only in the agent.
    home.shell("rm .ssh/id_*; ssh-keygen -q -t ed25519 -N secret -f .ssh/id_ed25519; cat .ssh/*.pub > sshd/authorized").await.ok();
    says(&refused().await, &[&wrong, "a key with a passphrase is only used from the agent"]);
    let _agent = agent(home).await;
    home.shell("printf '#!/bin/sh\\necho secret\\n' > ask; chmod +x ask; SSH_ASKPASS=./ask SSH_ASKPASS_REQUIRE=force SSH_AUTH_SOCK=agent ssh-add .ssh/id_ed25519").await.ok();
    read("SSH_AUTH_SOCK=agent").await;

    // Somebody else's machine at the address of a known one.
    home.shell("ssh-keygen -q -t ed25519 -N '' -f other; k=$(cut -d' ' -f1 .ssh/known_hosts | head -1); echo \"$k $(cat other.pub)\" > .ssh/known_hosts").await.ok();
    let known = format!("ssh-keygen -R '[127.0.0.1]:{port}'");
    says(&refused().await, &["or is another one there", fingerprint, &known]);
}

/// Kills the process of sshd that serves whoever runs the hook, in the middle of what it sends: as often as the file
/// `deaths` has lines. Then it says what is in `says`.
const DIES: &str = "#!/bin/sh\ncd \"$GIT_DIR\"; [ -s deaths ] || exit 0; sed -i 1d deaths\n\
    p=$$; while ! grep -q sshd /proc/$p/comm; do p=$(cut -d' ' -f4 /proc/$p/stat); done\n\
    kill -9 $p; exit $(cat says)\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_history_behind_ssh_survives_an_sshd_that_dies_in_mid_push() {
    let (_plane, operator) = shop().await;
    let home = &operator.home;
    let (_sshd, port) = sshd(home).await;
    let me = home.run("id", &["-un"]).await.ok();
    home.shell(&format!(
        "git init -q --bare seen.git; ssh-keyscan -p {port} 127.0.0.1 >> .ssh/known_hosts\n\
         ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519; cat .ssh/id_ed25519.pub >> sshd/authorized"
    ))
    .await
    .ok();
    let url = format!("ssh://{}@127.0.0.1:{port}{}/seen.git", me.trim(), home.path().display());
    operator.configure(&format!("git: {{history: {{url: '{url}'}}}}"));
    let back_up = async |code: i32| {
        let document = home.netdr(&["backup", "--set", "network", "--json"]).await.json(code);
        assert_eq!(document["snapshots"][0]["state"], "complete", "{document:#}");
        document["history"].clone()
    };
    let hook = home.path().join("seen.git/hooks/pre-receive");
    std::fs::write(&hook, DIES).unwrap();
    home.shell("chmod +x seen.git/hooks/pre-receive").await.ok();
    let dies = async |times: &str, says: &str| {
        home.shell(&format!("printf '{times}' > seen.git/deaths; echo {says} > seen.git/says")).await.ok();
    };
    // Each time: the snapshot is good, and Git has nothing of it.
    dies("1\\n2\\n3\\n4\\n", "1").await;
    let broke = back_up(3).await;
    assert!(broke["error"].as_str().unwrap().contains("cannot be written"), "{broke:#}");
    home.shell("git -C seen.git rev-parse -q --verify netdr").await.failed(1);
    // Once: the same backup gets through.
    dies("1\\n", "1").await;
    let through = back_up(0).await;
    assert_eq!(through["commits"].as_array().unwrap().len(), 1, "{through:#}");
    // Once, but the commit had got through before: it is found there, and is not made twice.
    dies("1\\n", "0").await;
    home.shell("kubectl create namespace bazaar").await.ok();
    let found = back_up(0).await;
    assert_eq!(found["commits"].as_array().unwrap().len(), 1, "{found:#}");
    let count =
        home.shell("git -C seen.git fsck --strict; git -C seen.git rev-list --count netdr").await.ok();
    assert_eq!(count.trim(), "2");
}

/// An SSH agent at `agent`.
async fn agent(home: &Home) -> Running {
    let child = home
        .command("ssh-agent", &["-D", "-a", "agent"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let socket = home.path().join("agent");
    eventually("the agent to listen", async || Path::exists(&socket).then_some(())).await;
    Running { _child: child }
}
