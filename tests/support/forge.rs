//! A Git repository of what somebody authors, made by stock git and signed by stock ssh-keygen.

use super::Home;

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

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.home.path().join("k8s").join(self.folder).join(file), text).unwrap();
    }

    /// Names another URL of it in the configuration.
    pub(crate) fn at(&self, url: &str) {
        let file = self.home.path().join("netdr.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let (before, rest) = text.split_once("url: ").unwrap();
        let (_, after) = rest.split_once(", path:").unwrap();
        std::fs::write(file, format!("{before}url: {url}, path:{after}")).unwrap();
    }

    /// Commits everything; the commit's id.
    pub(crate) async fn commit(&self, sign: &str) -> String {
        let script =
            format!("cd k8s; git add .; git commit -q --allow-empty -m policies {sign}; git rev-parse HEAD");
        self.home.shell(&script).await.ok().trim().to_owned()
    }
}
