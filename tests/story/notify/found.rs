//! What a task finds reaches somebody as a failure does, and so does that it is over.

use chrono::{Days, Utc};

use super::header;
use crate::support::{
    Home, MARKER, Mail, Objects, Operator, Outcome, POLICIES, everything, fresh, kubeconfig_of, tls_secret,
};

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: edge}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: one, namespace: edge}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: portal, namespace: edge}
spec: {defaultBackend: {service: {name: portal, port: {number: 80}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: hardly-anything}
rules: [{apiGroups: [''], resources: [namespaces], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: hardly-anything}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: hardly-anything}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]
";

const BACKUP: &str = "backup --set network";

/// Runs them, and takes the mails that came of it: of each subject and text.
async fn told(home: &Home, mail: &Mail, words: &str, code: i32) -> Vec<(String, String)> {
    let before = mail.taken().len();
    let done: Outcome = home.netdr(&words.split_whitespace().collect::<Vec<_>>()).await;
    assert_eq!(done.code, Some(code), "{words}: {}", done.stderr);
    let new = mail.taken().split_off(before);
    new.into_iter().map(|text| (header(&text, "Subject").to_owned(), text)).collect()
}

/// That the former began a thread, and the latter ends it.
#[track_caller]
fn are_one_thread(subject: &str, began: &[(String, String)], over: &[(String, String)]) {
    let ([(first, problem)], [(last, end)]) = (began, over) else {
        panic!("{subject}: {began:#?} {over:#?}")
    };
    assert_eq!([first, last], [subject; 2]);
    assert!(end.contains("is well again") && !problem.contains("is well again"), "{problem}\n{end}");
    assert_eq!(header(end, "References"), header(problem, "Message-ID"));
    assert!(!problem.contains(MARKER) && !end.contains(MARKER));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_and_its_end_are_mails_of_one_thread_each() {
    let plane = fresh(everything()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let (home, mail) = (&operator.home, Mail::start(None, &[]).await);
    objects.create(OBJECTS).await;
    operator.configure("cluster: {name: proj-k8s}");
    let pager = Mail::start(None, &[]).await;
    operator.configure(&format!(
        "notify: [{}, {{smtp: {{server: '127.0.0.1:{}', tls: none, from: netdr@lab.test, to: [pager@lab.test]}}, on: [drift, recovered], min_severity: critical}}]",
        mail.channel(),
        pager.port
    ));
    assert_eq!(told(home, &mail, BACKUP, 0).await, []);

    let drift = "drift --set network";
    home.run("kubectl", &["label", "-n", "edge", "ingress", "portal", "by=hand"]).await.ok();
    let began = told(home, &mail, drift, 4).await;
    home.run("kubectl", &["label", "-n", "edge", "ingress", "portal", "by-"]).await.ok();
    let over = told(home, &mail, drift, 0).await;
    are_one_thread("[netdr] proj-k8s: drift network differences found", &began, &over);
    assert_eq!(pager.taken(), Vec::<String>::new(), "nobody is woken for a label");
    let policy = objects.get(POLICIES, "edge/one").await;
    objects.delete(POLICIES, "edge/one").await;
    told(home, &mail, drift, 4).await;
    objects.put_back(POLICIES, "edge/one", policy).await;
    told(home, &mail, drift, 0).await;
    let taken = pager.taken();
    let [gone, back] = &taken[..] else { panic!("{taken:#?}") };
    assert!(
        gone.contains("policies.networking.k8s.io edge/one") && back.contains("is well again"),
        "{gone}\n{back}"
    );

    let nobody = plane.kubeconfig_for("jane", None).unwrap();
    let partial = format!("{BACKUP} --kubeconfig {}", nobody.display());
    let began = told(home, &mail, &partial, 3).await;
    let over = told(home, &mail, BACKUP, 0).await;
    are_one_thread("[netdr] proj-k8s: backup network partial", &began, &over);

    objects.delete("ingresses.networking.k8s.io", "edge/portal").await;
    let began = told(home, &mail, BACKUP, 3).await;
    let over = told(home, &mail, &format!("{BACKUP} --accept-shrunk"), 0).await;
    are_one_thread("[netdr] proj-k8s: backup network shrunk", &began, &over);

    let plan = |rpo: &str| {
        let text = format!(
            "{{apiVersion: netdr/v1, kind: RestorePlan, name: late, title: Late, rto: 1h, rpo: {rpo}, role: Anybody,
            runbook: none.md, steps: [
            {{id: p, title: Policies, apply: {{component: policies, kinds: [networkpolicies.networking.k8s.io]}}}}]}}"
        );
        std::fs::write(home.path().join("plan.yaml"), text).unwrap();
    };
    let restore = "restore --plan plan.yaml --identity keys/operator.txt --yes";
    for (rpo, code) in [("0s", 6), ("24h", 0)] {
        objects.delete("networkpolicies.networking.k8s.io", "edge/one").await;
        plan(rpo);
        let mails = told(home, &mail, restore, code).await;
        let [(subject, text)] = &mails[..] else { panic!("{mails:#?}") };
        assert_eq!(subject, "[netdr] proj-k8s: restore late objective missed");
        assert_eq!(text.contains("is well again"), code == 0, "{text}");
    }

    // One cause is one message, and names the server.
    std::fs::write(home.path().join("away.yaml"), kubeconfig_of("https://127.0.0.1:1")).unwrap();
    let began = told(home, &mail, "backup --kubeconfig away.yaml", 1).await;
    let over = told(home, &mail, "backup --accept-shrunk", 0).await;
    are_one_thread("[netdr] proj-k8s: backup network failed", &began, &over);
    for (_, text) in [&began[0], &over[0]] {
        assert!(text.contains("The same of: backup certificates."), "{text}");
    }
    let names_server = |text: &str| text.replace("=\r\n", "").contains("of https://127.0.0.1:1: "); // quoted-printable
    assert!(names_server(&began[0].1), "{began:#?}");
    let mut unchecked = told(home, &mail, "check --kubeconfig away.yaml", 8).await;
    unchecked.retain(|(subject, _)| !subject.contains("recoverability"));
    let over = told(home, &mail, "check certificates", 0).await;
    are_one_thread("[netdr] proj-k8s: could not check the cluster", &unchecked, &over);
    assert!(names_server(&unchecked[0].1), "{unchecked:#?}");

    // As its job does: it sees the status alone.
    std::fs::create_dir(home.path().join("job")).unwrap();
    home.shell("ln -s ../repo/status job/status").await.ok();
    let check = "check certificates --repo job";
    objects.create(&tls_secret("edge", "old-tls", Utc::now() - Days::new(86))).await;
    let began = told(home, &mail, check, 8).await;
    assert_eq!(told(home, &mail, check, 8).await, [], "of what lasts nobody is told twice a day");
    objects.delete("secrets", "edge/old-tls").await;
    let over = told(home, &mail, check, 0).await;
    are_one_thread("[netdr] proj-k8s: check certificates threshold crossed", &began, &over);
    let kept = home.shell("ls repo/status").await.ok();
    let told: Vec<&str> = kept.lines().filter(|line| line.starts_with("told-")).collect();
    assert!(
        told.iter().all(|line| line.starts_with("told-check-recoverability-")),
        "no drill was made: {told:?}"
    );
}
