//! What is left in a repository by runs that begin on a server whose API server is down, by a night on which somebody is
//! told, a place outside has copies and `netdr watch` runs, and by a process that died.

use std::fs;

use rustix::process::Signal;

use crate::{
    formats::IDENTITY,
    support::{Glacier, Home, NODE, Operator, Plane, Server, content, eventually, send},
};

const API_SERVER: &str = "kube-apiserver";

/// Everything that a journal has a line for, but for a resumed run.
const PLAN: &str = "
apiVersion: netdr/v1
kind: RestorePlan
name: from-below
title: The node's files, policies, a program
rto: 30m
rpo: 24h
role: Infrastructure Admin
runbook: runbooks/cni.md
steps:
  - {id: files, title: The node's files, hostFiles: {}}
  - {id: policies, title: Policies, apply: {component: policies, kinds: [networkpolicies.networking.k8s.io], extras: delete}}
  - {id: program, title: A program, run: {command: [/bin/echo, done]}}
";

/// A run that begins with the node's files, for its API server is down until they are whole.
pub(super) async fn from_below(plane: &mut Plane, operator: &Operator) -> String {
    let home = &operator.home;
    let config = home.path().join("host/etc/rancher/rke2/config.yaml");
    fs::write(home.path().join("plan.yaml"), PLAN).unwrap();
    fs::write(&config, format!("node-name: {NODE}\ncni: [broken\n")).unwrap();
    home.shell(super::BREAK).await.ok();
    plane.stop(API_SERVER).unwrap();
    let restore = "restore --plan plan.yaml --host-root host --allow-run --yes --identity";
    let words: Vec<&str> = restore.split_whitespace().chain([IDENTITY]).collect();
    let whole = async || fs::read_to_string(&config).unwrap().contains("cni: canal").then_some(());
    let (outcome, ()) = tokio::join!(home.netdr(&words), async {
        eventually("the configuration to be whole", whole).await;
        plane.start_again(API_SERVER).await.unwrap();
    });
    outcome.ok();
    operator.last_run().await
}

/// A night with a configuration of its own: the repository is opened without those servers later.
pub(super) async fn told_copied_and_watched(operator: &Operator, network: &str) {
    let home = &operator.home;
    let hook = Server::plain("127.0.0.1", |_, _| b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    let place = Glacier::start().await.place(home, "");
    let mut text = fs::read_to_string(home.path().join("netdr.yaml")).unwrap();
    text += &format!("notify: [{{webhook: 'http://{}/'}}]\n{place}\n", hook.address);
    fs::write(home.path().join("told.yaml"), text).unwrap();
    for (words, code) in [
        (format!("replicate {network}"), 0),
        (format!("thaw {network}"), 7),
        ("check recoverability".into(), 8),
        ("drift --set network".into(), 4),
    ] {
        let words: Vec<&str> = ["--config", "told.yaml"].into_iter().chain(words.split(' ')).collect();
        let outcome = home.netdr(&words).await;
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
    }
    home.shell("kubectl label namespace shop tier=back --overwrite").await.ok();
    let mut watch = home.command("netdr", &["watch", "--quiet"]).spawn().unwrap();
    eventually("the watch to have looked, and taken a snapshot", async || {
        let status = content(&home.path().join("repo/status")).into_iter();
        let mut watched = status.filter(|(path, _)| path.display().to_string().contains("watched-"));
        watched.any(|(_, text)| !String::from_utf8(text.unwrap()).unwrap().contains("null")).then_some(())
    })
    .await;
    send(&watch, Signal::TERM);
    watch.wait().await.unwrap();
}

/// A backup that is killed leaves its lock, and what it had written.
pub(super) async fn left_by_a_dead_one(home: &Home) {
    let dies = "prlimit --core=0 --fsize=500 netdr backup --set host --host-root host > /dev/null 2>&1 && exit 1\n\
        test $? -gt 128; ls repo/locks/* repo/snapshots/.staging-*/*";
    home.shell(dies).await.ok();
}
