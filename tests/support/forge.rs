//! A Git repository of somebody's policies, made by stock git and signed by stock ssh-keygen.

use super::Home;

/// The repository `k8s` in a home, its folder `policies`, and the key `keys/ada` of who commits there.
pub(crate) struct Forge<'a> {
    home: &'a Home,
}

impl<'a> Forge<'a> {
    /// Names it in the configuration, and Ada among the trusted signers.
    pub(crate) async fn in_home(home: &'a Home) -> Self {
        home.shell(
            "ssh-keygen -q -t ed25519 -C ada -N '' -f keys/ada; git init -q -b main k8s; mkdir k8s/policies\n\
             echo \"ada@lab namespaces=\\\"git\\\" $(cat keys/ada.pub)\" >> keys/trusted_signers\n\
             echo 'git: {sources: [{url: k8s, path: policies, component: policies}]}' >> netdr.yaml\n\
             for setting in user.name=Ada user.email=ada@lab gpg.format=ssh user.signingkey=$PWD/keys/ada.pub; do\n\
             git -C k8s config ${setting%%=*} ${setting#*=}; done",
        )
        .await
        .ok();
        Self { home }
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.home.path().join("k8s/policies").join(file), text).unwrap();
    }

    /// Commits everything; the commit's id.
    pub(crate) async fn commit(&self, sign: &str) -> String {
        let script =
            format!("cd k8s; git add .; git commit -q --allow-empty -m policies {sign}; git rev-parse HEAD");
        self.home.shell(&script).await.ok().trim().to_owned()
    }
}
