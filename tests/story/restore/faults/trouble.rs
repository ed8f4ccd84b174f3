//! What goes wrong: some of it in front of the API server, some of it there.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::{GROUP, PROBE, World};
use crate::support::{DENIAL, Fault, eventually};

const WEBHOOKS: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";
const WEBHOOK: &str = "trouble";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Trouble {
    Storm,
    InternalError,
    Unavailable,
    BrokenAnswer,
    Conflict,
    Slow,
    ExpiredToken,
    NoEndpoints,
    Denial,
    GroupGone,
    EtcdRestarted,
    ApiServerRestarted,
}

/// How it goes.
pub(super) enum Course {
    /// The client meets it this many times at most, with each request twice at most.
    Injected(usize, Fault),
    /// The client meets it from the first time until somebody mends it.
    Lasting(Fault),
    /// It is on the cluster until it was met.
    Passing,
    /// It is on the cluster until somebody mends it.
    Staying,
}

impl Trouble {
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Storm => "429 storm with Retry-After",
            Self::InternalError => "500",
            Self::Unavailable => "503",
            Self::BrokenAnswer => "connection reset mid-body",
            Self::Conflict => "409 conflicts",
            Self::Slow => "slow responses",
            Self::ExpiredToken => "expired token (401)",
            Self::NoEndpoints => "webhook without endpoints",
            Self::Denial => "webhook denying",
            Self::GroupGone => "API group gone",
            Self::EtcdRestarted => "etcd restarted",
            Self::ApiServerRestarted => "API server restarted",
        }
    }

    pub(super) const fn course(self) -> Course {
        match self {
            Self::Storm => Course::Injected(12, Fault::RetryAfter(1)),
            Self::InternalError => Course::Injected(usize::MAX, Fault::Status(500, "InternalError")),
            Self::Unavailable => Course::Injected(usize::MAX, Fault::Status(503, "ServiceUnavailable")),
            Self::BrokenAnswer => Course::Injected(usize::MAX, Fault::ResetMidBody),
            Self::Conflict => Course::Injected(usize::MAX, Fault::Status(409, "Conflict")),
            Self::Slow => Course::Injected(usize::MAX, Fault::Slow(Duration::from_millis(100))),
            Self::ExpiredToken => Course::Lasting(Fault::Status(401, "Unauthorized")),
            Self::NoEndpoints | Self::EtcdRestarted | Self::ApiServerRestarted => Course::Passing,
            Self::Denial | Self::GroupGone => Course::Staying,
        }
    }

    /// Whether a request can meet it: nothing conflicts with a read, and nobody else's is a Lease that is given back.
    pub(super) fn meets(self, method: &str, path: &str) -> bool {
        self != Self::Conflict || (method != "GET" && !(method == "DELETE" && path.contains("/leases")))
    }

    /// What must be named where not all is done.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::ExpiredToken => "(401)",
            Self::Denial => DENIAL,
            Self::GroupGone => "policy.networking.k8s.io",
            _ => "",
        }
    }

    /// Makes it happen on the cluster.
    pub(super) async fn strike(self, world: &World) {
        match self {
            Self::NoEndpoints => {
                let service = json!({"apiVersion": "v1", "kind": "Service",
                    "metadata": {"name": WEBHOOK, "namespace": "default"}, "spec": {"ports": [{"port": 443}]}});
                world.objects.create(&service.to_string()).await;
                asked(world, json!({"service": {"name": WEBHOOK, "namespace": "default", "path": "/"}}))
                    .await;
            }
            Self::Denial => asked(world, world.denying.client_config()).await,
            Self::GroupGone => world.lose_group().await,
            Self::EtcdRestarted => world.plane.lock().await.stop("etcd").unwrap(),
            Self::ApiServerRestarted => world.plane.lock().await.stop("kube-apiserver").unwrap(),
            _ => {}
        }
    }

    /// Whether it has been met, so that it may pass.
    pub(super) fn met(self, server_failed: bool) -> bool {
        // Without its store an API server fails no request: it lets them wait.
        self == Self::EtcdRestarted || server_failed
    }

    /// Mends it.
    pub(super) async fn mend(self, world: &World) {
        match self {
            Self::NoEndpoints | Self::Denial => {
                world.objects.delete(WEBHOOKS, WEBHOOK).await;
                if self == Self::NoEndpoints {
                    world.objects.delete("services", "default/trouble").await;
                }
                eventually("the webhook to be asked no more", async || may(world).await.then_some(())).await;
            }
            Self::GroupGone => world.bring_group_back().await,
            Self::EtcdRestarted => world.plane.lock().await.start_again("etcd").await.unwrap(),
            Self::ApiServerRestarted => {
                world.plane.lock().await.start_again("kube-apiserver").await.unwrap();
            }
            _ => {}
        }
    }

    /// Whether the trouble itself, not netdr, writes this object.
    pub(super) fn touches(self, key: &str) -> bool {
        self == Self::GroupGone && key.contains(GROUP)
    }
}

/// Has the API server ask about every network policy, and waits until it does.
async fn asked(world: &World, client_config: Value) {
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": WEBHOOK},
        "webhooks": [{
            "name": "trouble.lab.example",
            "clientConfig": client_config,
            "rules": [{"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "operations": ["*"],
                "resources": ["networkpolicies"]}],
            "failurePolicy": "Fail",
            "timeoutSeconds": 5,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }],
    });
    world.denying.forget();
    world.objects.create(&webhook.to_string()).await;
    eventually("the webhook to be asked", async || (!may(world).await).then_some(())).await;
    world.denying.forget(); // it was asked about this one only to see whether it is asked
}

async fn may(world: &World) -> bool {
    let (namespace, name) = PROBE.split_once('/').unwrap();
    world.operator.may_create_policy(namespace, name).await
}
