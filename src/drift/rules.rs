//! How grave a difference is: one table, from critical down; the first rule that applies decides.
//!
//! In: what is known of an item. Out: a severity, and why. Invariant: pure and total; where a content is not known, for
//! nobody opened it, an item is judged by what is known, and what it may be besides is said: never as if nothing were.

mod look;

use super::Facts;
use crate::model::Severity;

/// A row of the table.
pub struct Rule {
    /// How grave.
    pub severity: Severity,
    /// What happened.
    pub what: &'static str,
    /// Why that is so grave.
    pub why: &'static str,
    applies: fn(&Facts<'_>) -> bool,
    /// Whether it may apply, of an item that is known only as it is now.
    may_apply: fn(&Facts<'_>) -> bool,
}

/// What a rule, or several, make of an item.
pub(super) struct Judged {
    pub(super) severity: Severity,
    /// Graver than that, where it depends on what nobody opened.
    pub(super) may_be: Option<Severity>,
    pub(super) reasons: Vec<String>,
}

impl Rule {
    /// That it depends on what an item was before.
    const fn if_sealed(self, may_apply: fn(&Facts<'_>) -> bool) -> Self {
        Self { may_apply, ..self }
    }

    fn words(&self) -> String {
        format!("{}: {}", self.what, self.why)
    }
}

const fn rule(
    severity: Severity,
    what: &'static str,
    why: &'static str,
    applies: fn(&Facts<'_>) -> bool,
) -> Rule {
    Rule { severity, what, why, applies, may_apply: |_| false }
}

use Severity::{Critical, High, Low, Medium};

/// Of what was changed in labels and annotations alone, whatever it is; it stands before the table.
const UNREAD: Rule = rule(
    Low,
    "only labels or annotations changed that nothing in the network reads",
    "no traffic depends on them",
    |f| f.only_words(),
);

/// The table.
pub const RULES: &[Rule] = &[
    rule(
        Critical,
        "a network policy was removed",
        "what it denied may be open, what it allowed may be cut off",
        |f| f.removed() && f.is_policy(),
    ),
    rule(Critical, "a network policy allows everything now", "whoever it selects is open to all", |f| {
        f.opens()
    }),
    rule(
        Critical,
        "a default-deny denies no longer",
        "its namespace is open wherever no other policy selects",
        |f| f.lost_default_deny(),
    )
    .if_sealed(|f| f.may_have_lost_default_deny()),
    rule(Critical, "a tier of policies was removed", "none of its policies counts any more", |f| {
        f.removed() && f.is("crd.projectcalico.org", &["tiers"])
    }),
    rule(Critical, "what the CNI runs by was removed", "pods lose their network at its next restart", |f| {
        f.removed() && f.is_cni_core()
    }),
    rule(
        Critical,
        "the ingress controller was removed, or scaled to nothing",
        "nothing answers on ports 80 and 443",
        |f| f.lost_controller(),
    ),
    rule(
        Critical,
        "a TLS Secret was removed",
        "its names are served with a certificate that nobody trusts",
        |f| f.removed() && f.is_tls(),
    )
    .if_sealed(|f| f.removed() && f.is("", &["secrets"])),
    rule(
        Critical,
        "a TLS Secret holds no certificate that can be served",
        "its names are served with one that nobody trusts",
        |f| f.useless_tls(),
    ),
    rule(Critical, "the definition of a kind was removed", "every object of the kind goes with it", |f| {
        f.removed() && f.is("apiextensions.k8s.io", &["customresourcedefinitions"])
    }),
    rule(
        Critical,
        "somebody was given all rights",
        "they can change everything here, netdr's own objects included",
        |f| !f.removed() && f.grants_everything(),
    ),
    rule(
        Critical,
        "RKE2's configuration was removed",
        "the server starts with another network, or not at all",
        |f| f.removed() && f.file().is_some_and(|path| path == "/etc/rancher/rke2/config.yaml"),
    ),
    rule(
        Critical,
        "a file with secrets can be read by everybody on the host, or written by others",
        "the cluster's token is in such files",
        |f| f.exposed_file(),
    )
    .if_sealed(|f| f.is_open_file()),
    rule(High, "a network policy was added or changed", "who may reach whom is not what it was", |f| {
        f.is_policy()
    }),
    rule(
        High,
        "what policies refer to differs: tiers, sets, host endpoints",
        "they select or deny something else",
        |f| f.is("crd.projectcalico.org", &["tiers", "globalnetworksets", "networksets", "hostendpoints"]),
    ),
    rule(
        High,
        "labels of a namespace changed, or it was removed",
        "policies select namespaces by their labels",
        |f| f.is("", &["namespaces"]) && !f.added(),
    ),
    rule(High, "the CNI's configuration differs", "the network of every pod depends on it", |f| f.is_cni()),
    rule(
        High,
        "a TLS Secret was changed, and not by cert-manager",
        "its names are served with another key",
        |f| f.is_tls() && f.changed(),
    ),
    rule(
        High,
        "a Secret that the network uses was changed or removed",
        "whoever uses it logs in with something else, or not at all",
        |f| f.is("", &["secrets"]) && !f.added(),
    ),
    rule(
        High,
        "an issuer or a Certificate was changed or removed",
        "certificates will not be renewed, or by somebody else",
        |f| f.is("cert-manager.io", &["issuers", "clusterissuers", "certificates"]) && !f.added(),
    ),
    rule(High, "a route was removed", "what it served cannot be reached", |f| f.removed() && f.is_route()),
    rule(High, "a route lost a middleware", "what that checked is checked no longer", |f| {
        f.lost_middleware()
    })
    .if_sealed(|f| f.changed() && f.is_route()),
    rule(
        High,
        "a middleware was removed, or one that lets people in differs",
        "routes serve strangers, or nobody",
        |f| f.is_middleware() && (f.removed() || f.guards()),
    )
    .if_sealed(|f| f.changed() && f.is_middleware()),
    rule(
        High,
        "how TLS is spoken differs: options, stores, transports",
        "weaker ciphers or another certificate may be served",
        |f| {
            f.is("traefik.io", &["tlsoptions", "tlsstores", "serverstransports", "serverstransporttcps"])
                && !f.added()
        },
    ),
    rule(
        High,
        "pools, peers or advertisements of the load balancer were changed or removed",
        "addresses are announced elsewhere, or not at all",
        |f| f.is("metallb.io", look::METALLB) && !f.added(),
    ),
    rule(
        High,
        "rights of a networking component differ",
        "it can do more than it should, or less than it must",
        |f| {
            f.is(
                "rbac.authorization.k8s.io",
                &["clusterroles", "clusterrolebindings", "roles", "rolebindings"],
            )
        },
    ),
    rule(
        High,
        "what a release runs was changed or removed, and not provably by an upgrade of it",
        "what runs is not what was deployed",
        |f| f.is_workload() && !f.added(),
    ),
    rule(
        High,
        "a webhook configuration differs",
        "the API server asks somebody else, or nobody, before it takes an object",
        |f| {
            f.is(
                "admissionregistration.k8s.io",
                &["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
            )
        },
    ),
    rule(
        High,
        "a file that RKE2 reads differs",
        "it takes effect at the next start; manifests are applied with all rights",
        |f| f.file().is_some_and(|path| path.contains("/rancher/rke2/")),
    ),
    rule(
        High,
        "the host's firewall differs",
        "who reaches the API server and the nodes is not what it was",
        |f| f.is_firewall(),
    ),
    rule(High, "another kind of policy differs", "who may reach whom may not be what it was", |f| {
        f.is_other_policy()
    }),
    rule(Medium, "a route was added or changed", "something else is served", |f| f.is_route()),
    rule(Medium, "a middleware was added or changed", "requests are rewritten otherwise", |f| {
        f.is_middleware()
    }),
    rule(
        Medium,
        "a Helm release was added, changed or removed",
        "another version or other values are deployed",
        |f| f.is_release(),
    ),
    rule(Medium, "a namespace was added", "nothing in it is isolated until a policy selects it", |f| {
        f.is("", &["namespaces"])
    }),
    rule(Medium, "a Service's load-balancer fields differ", "it may get another address", |f| {
        f.is("", &["services"])
    }),
    rule(
        Medium,
        "another file of the host differs",
        "the node may behave otherwise after its next start",
        |f| f.file().is_some(),
    ),
    rule(Low, "a staged policy differs", "it is not enforced", |f| f.is_staged()),
    rule(
        Low,
        "a Secret, an issuer or a Certificate was added",
        "nothing that was there depends on it",
        |f| {
            f.added()
                && (f.is("", &["secrets"])
                    || f.is("cert-manager.io", &["issuers", "clusterissuers", "certificates"]))
        },
    ),
    rule(
        Medium,
        "something else was changed or removed",
        "netdr captures it because the network needs it",
        |f| !f.added(),
    ),
    rule(Low, "something else was added", "nothing that was there depends on it", |f| f.added()),
];

/// How grave, and why.
pub(super) fn judge(facts: &Facts<'_>) -> Judged {
    if (UNREAD.applies)(facts) {
        return Judged { severity: UNREAD.severity, may_be: None, reasons: vec![UNREAD.words()] };
    }
    let mut applying = RULES.iter().filter(|rule| (rule.applies)(facts));
    let Some(first) = applying.next() else {
        return Judged { severity: Low, may_be: None, reasons: Vec::new() }; // the last two have everything
    };
    let besides = applying.filter(|rule| rule.severity == first.severity && first.severity == Critical);
    let mut reasons: Vec<String> = std::iter::once(first).chain(besides).map(Rule::words).collect();
    let mut graver = RULES.iter().filter(|rule| facts.is_sealed() && rule.severity > first.severity);
    let may_be = graver.find(|rule| (rule.may_apply)(facts));
    reasons.extend(
        may_be.map(|rule| format!("may be {}, for what it was is sealed: {}", rule.severity, rule.words())),
    );
    Judged { severity: first.severity, may_be: may_be.map(|rule| rule.severity), reasons }
}

/// The table in Markdown, as docs/drift.md has it.
pub fn markdown() -> String {
    let row = |rule: &Rule| format!("| {} | {} | {} |\n", rule.severity, rule.what, rule.why);
    let rows = std::iter::once(&UNREAD).chain(RULES).map(row);
    format!("| severity | what happened | why |\n|---|---|---|\n{}", rows.collect::<String>())
}
