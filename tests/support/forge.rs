//! A Git repository of what somebody authors, made by stock git and signed by stock ssh-keygen.

use serde_json::Value;

use super::{Home, Objects, Operator, Plane, everything, fresh};

/// What a restore of the shop's policies from Git would do.
pub(crate) const PLAN: &str = "netdr restore --scenario network-policies --from git --dry-run --json";
const SHOP: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}";
const POLICY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}}
";

/// A cluster with a shop in it, which has no policy yet.
pub(crate) async fn shop() -> (Plane, Operator) {
    let plane = fresh(everything()).await;
    Objects::of(&plane).await.create(SHOP).await;
    let operator = Operator::of(&plane).await;
    (plane, operator)
}

/// That [`PLAN`] read the shop's policy at this commit.
#[track_caller]
pub(crate) fn plans_shop(plan: &Value, commit: &str) {
    let read = plan["source"].to_string().contains(commit);
    assert_eq!((&plan["create"], read), (&1.into(), true), "{plan:#}");
}

/// The repository `k8s` in a home, a folder of it, and the key `keys/ada` of who commits there.
pub(crate) struct Forge<'a> {
    home: &'a Home,
    folder: &'a str,
}

impl<'a> Forge<'a> {
    /// With a folder `policies` of such.
    pub(crate) async fn in_home(home: &'a Home) -> Self {
        Self::of(home, "policies", "path: policies, component: policies").await
    }

    /// Names it in the configuration, and Ada among the trusted signers.
    pub(crate) async fn of(home: &'a Home, folder: &'a str, source: &str) -> Self {
        home.shell(&format!(
            "ssh-keygen -q -t ed25519 -C ada -N '' -f keys/ada; git init -q -b main k8s; mkdir k8s/{folder}\n\
             echo \"ada@lab namespaces=\\\"git\\\" $(cat keys/ada.pub)\" >> keys/trusted_signers\n\
             echo 'git: {{sources: [{{url: k8s, {source}}}]}}' >> netdr.yaml\n\
             for setting in user.name=Ada user.email=ada@lab gpg.format=ssh user.signingkey=$PWD/keys/ada.pub; do\n\
             git -C k8s config ${{setting%%=*}} ${{setting#*=}}; done"
        ))
        .await
        .ok();
        Self { home, folder }
    }

    /// With the one policy of the shop, at a commit that Ada signed; and that commit's id.
    pub(crate) async fn of_shop(home: &'a Home) -> (Self, String) {
        let forge = Self::in_home(home).await;
        forge.write("shop.yaml", POLICY);
        let commit = forge.commit("-S").await;
        (forge, commit)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.home.path().join("k8s").join(self.folder).join(file), text).unwrap();
    }

    /// Names another URL of it in the configuration.
    pub(crate) fn at(&self, url: &str) {
        let file = self.home.path().join("netdr.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let (before, rest) = text.split_once("sources: [{url: ").unwrap();
        let (_, after) = rest.split_once(", path:").unwrap();
        std::fs::write(file, format!("{before}sources: [{{url: {url}, path:{after}")).unwrap();
    }

    /// Commits everything; the commit's id.
    pub(crate) async fn commit(&self, sign: &str) -> String {
        let script =
            format!("cd k8s; git add .; git commit -q --allow-empty -m policies {sign}; git rev-parse HEAD");
        self.home.shell(&script).await.ok().trim().to_owned()
    }
}
