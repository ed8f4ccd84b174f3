//! How to reach the cluster and where the identities are, as kubectl and SOPS would look for them.
//!
//! In: flags, environment variables, which files exist. Out: what to use, or every place that was looked at.
//! Invariant: pure; nothing is opened here.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::settings::there;
use crate::{Error, Result, cluster::Access};

/// The world as far as looking is concerned.
pub(super) struct Surroundings<'a> {
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    pub(super) exists: &'a dyn Fn(&Path) -> bool,
}

/// The process's own.
pub(super) fn surroundings() -> Surroundings<'static> {
    Surroundings {
        variable: &|name| env::var(name).ok().filter(|v| !v.is_empty()),
        exists: &|path| path.is_file(),
    }
}

/// What this machine calls itself; of a pod, its name.
pub(super) fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// SSH private keys that ssh would try, where they are.
pub(super) fn ssh_keys() -> Vec<PathBuf> {
    let folder = surroundings().home().map(|home| home.join(".ssh"));
    let keys = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| Some(folder.as_ref()?.join(name)));
    keys.into_iter().flatten().filter(|key| key.is_file()).collect()
}

/// Files of age identities, and of an SSH private key (getsops.io, "Encrypting using age").
const SOPS_FILES: [&str; 2] = ["SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"];
/// Age identities themselves.
pub(super) const SOPS_KEY: &str = "SOPS_AGE_KEY";
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const RKE2: &str = "/etc/rancher/rke2/rke2.yaml";

impl Surroundings<'_> {
    /// Who named a file: the variable, if it has just this value, for clap reads it where there is no flag.
    pub(super) fn by(&self, file: &Path, flag: &'static str, variable: &'static str) -> &'static str {
        if self.names(variable, &[file.to_owned()]) { variable } else { flag }
    }

    /// Whether a variable names just these files: then no flag did.
    pub(super) fn names(&self, variable: &str, files: &[PathBuf]) -> bool {
        (self.variable)(variable).is_some_and(|named| *files == [PathBuf::from(named)])
    }

    /// The cluster: `--kubeconfig`, KUBECONFIG, the pod's service account, `~/.kube/config`, RKE2's own file.
    pub(super) fn access(&self, flag: Option<&Path>, context: Option<&str>) -> Result<Access> {
        let kubeconfig = |path: PathBuf| Access::Kubeconfig { path, context: context.map(ToOwned::to_owned) };
        if let Some(path) = flag {
            return Ok(kubeconfig(path.into()));
        }
        let mut looked = Vec::new();
        if let Some(list) = (self.variable)("KUBECONFIG") {
            let mut paths: Vec<PathBuf> = env::split_paths(&list).filter(|p| (self.exists)(p)).collect();
            return match paths.len() {
                // Somebody chose a cluster; any other that is at hand must not be restored in its stead.
                0 => Err(Error::usage(format!("KUBECONFIG names no file that is there: {list}"))
                    .hint("correct it, unset it, or pass --kubeconfig FILE")),
                1 => Ok(kubeconfig(paths.swap_remove(0))),
                _ => Ok(Access::Kubeconfigs { paths, context: context.map(ToOwned::to_owned) }),
            };
        }
        looked.push("KUBECONFIG (not set)".to_owned());
        if (self.variable)("KUBERNETES_SERVICE_HOST").is_some() && (self.exists)(Path::new(TOKEN)) {
            return Ok(Access::InCluster);
        }
        looked.push("a pod's service account".into());
        for path in self.home().map(|h| h.join(".kube/config")).into_iter().chain([RKE2.into()]) {
            if (self.exists)(&path) {
                return Ok(kubeconfig(path));
            }
            looked.push(path.display().to_string());
        }
        Err(Error::usage("no cluster to talk to: no kubeconfig was found")
            .hint(format!("looked at: {}", looked.join(", ")))
            .hint("pass --kubeconfig FILE, or on an RKE2 server node run as root"))
    }

    /// The identities: those named, else what SOPS' variables say, else SOPS' default places.
    pub(super) fn identities(&self, named: &[PathBuf]) -> Found {
        if !named.is_empty() {
            let by = if self.names("NETDR_IDENTITY", named) { "NETDR_IDENTITY" } else { "--identity" };
            return Found { files: named.to_vec(), by, ..Found::default() };
        }
        let files = SOPS_FILES.map(|name| (self.variable)(name).map(PathBuf::from));
        let said = Found {
            files: files.into_iter().flatten().collect(),
            by: "a variable of SOPS",
            key: (self.variable)(SOPS_KEY),
            looked: vec![],
        };
        if said.is_any() {
            return said;
        }
        let configuration = (self.variable)("XDG_CONFIG_HOME").map(PathBuf::from);
        let configuration = configuration.or_else(|| Some(self.home()?.join(".config")));
        let ssh = |name: &str| self.home().map(|h| h.join(".ssh").join(name));
        let places = [configuration.map(|c| c.join("sops/age/keys.txt")), ssh("id_ed25519"), ssh("id_rsa")];
        let looked = ["--identity", "NETDR_IDENTITY", SOPS_FILES[0], SOPS_FILES[1], SOPS_KEY];
        let mut found = Found { looked: looked.map(ToOwned::to_owned).to_vec(), ..Found::default() };
        for place in places.into_iter().flatten() {
            if (self.exists)(&place) {
                found.files = vec![place];
                return found;
            }
            found.looked.push(place.display().to_string());
        }
        found
    }

    fn home(&self) -> Option<PathBuf> {
        (self.variable)("HOME").map(PathBuf::from)
    }
}

/// Identities, and where they were looked for in vain. It has no `Debug`: one may be the key itself.
#[derive(Default)]
pub(super) struct Found {
    pub(super) files: Vec<PathBuf>,
    /// Who named them.
    pub(super) by: &'static str,
    /// What SOPS_AGE_KEY holds.
    pub(super) key: Option<String>,
    pub(super) looked: Vec<String>,
}

/// What to do without one.
const BRING: &str = "bring operator.txt or break-glass.txt to this machine and pass --identity FILE";

impl Found {
    fn is_any(&self) -> bool {
        !self.files.is_empty() || self.key.is_some()
    }

    /// Refuses files that are not there.
    pub(super) fn there(&self) -> Result<()> {
        self.files.iter().try_for_each(|file| there(file, "identity file", self.by, BRING))
    }

    /// What was found, or an error that says where it could be.
    pub(super) fn needed(self) -> Result<Self> {
        if self.is_any() {
            return Ok(self);
        }
        Err(Error::usage("no identity that could open a bundle was found")
            .hint(format!("looked at: {}", self.looked.join(", ")))
            .hint(BRING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look<T>(variables: &[(&str, &str)], files: &[&str], ask: impl FnOnce(&Surroundings<'_>) -> T) -> T {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let exists = |path: &Path| files.iter().any(|f| path == Path::new(f));
        ask(&Surroundings { variable: &variable, exists: &exists })
    }

    fn access(flag: Option<&str>, variables: &[(&str, &str)], files: &[&str]) -> Option<String> {
        match look(variables, files, |s| s.access(flag.map(Path::new), None)).ok()? {
            Access::Kubeconfig { path, .. } => Some(path.display().to_string()),
            Access::Kubeconfigs { paths, .. } => {
                Some(env::join_paths(paths).unwrap().to_string_lossy().into_owned())
            }
            Access::InCluster => Some("pod".into()),
        }
    }

    const POD: (&str, &str) = ("KUBERNETES_SERVICE_HOST", "10.43.0.1");
    const HOME: (&str, &str) = ("HOME", "/home/op");

    #[test]
    fn the_cluster_is_found_by_kubectls_rules_then_rke2s_file() {
        let all = ["/a", "/b", TOKEN, "/home/op/.kube/config", RKE2];
        let list = ("KUBECONFIG", "/missing:/b:/a");
        assert_eq!(access(Some("/x"), &[list, POD, HOME], &all).as_deref(), Some("/x"));
        assert_eq!(access(None, &[list, POD, HOME], &all).as_deref(), Some("/b:/a"));
        assert_eq!(access(None, &[list, POD, HOME], &["/b"]).as_deref(), Some("/b"));
        assert_eq!(access(None, &[POD, HOME], &all).as_deref(), Some("pod"));
        assert_eq!(access(None, &[HOME], &all).as_deref(), Some("/home/op/.kube/config"));
        assert_eq!(access(None, &[POD, HOME], &[RKE2]).as_deref(), Some(RKE2), "a pod has a token too");
        assert_eq!(access(None, &[], &[RKE2]).as_deref(), Some(RKE2));
    }

    #[test]
    fn a_kubeconfig_variable_that_leads_nowhere_is_never_passed_over_for_another_cluster() {
        let files = [TOKEN, "/home/op/.kube/config", RKE2];
        let error =
            look(&[("KUBECONFIG", "/typo"), POD, HOME], &files, |s| s.access(None, None)).unwrap_err();
        assert_eq!(error.to_string(), "KUBECONFIG names no file that is there: /typo");
        assert_eq!(error.kind(), crate::Kind::Usage);
    }

    #[test]
    fn where_nothing_is_every_place_is_named() {
        let error = look(&[HOME], &[], |s| s.access(None, None)).unwrap_err();
        for place in ["KUBECONFIG", "service account", "/home/op/.kube/config", RKE2] {
            assert!(error.hints()[0].contains(place), "{error:?}");
        }
        assert_eq!(error.kind(), crate::Kind::Usage);
    }

    #[test]
    fn identities_are_found_by_sops_rules() {
        let keys = "/home/op/.config/sops/age/keys.txt";
        let all = [keys, "/home/op/.ssh/id_ed25519"];
        let sops = ("SOPS_AGE_KEY_FILE", "/sops");
        let files = |named: &[PathBuf], variables: &[(&str, &str)], files: &[&str]| {
            look(variables, files, |s| s.identities(named)).files
        };
        assert_eq!(
            files(&["/x".into(), "/y".into()], &[sops, HOME], &all),
            [Path::new("/x"), Path::new("/y")]
        );
        assert_eq!(files(&[], &[sops, HOME], &all), [Path::new("/sops")]);
        assert_eq!(files(&[], &[HOME], &all), [Path::new(keys)]);
        assert_eq!(files(&[], &[HOME], &all[1..]), [Path::new(all[1])]);
        let both = look(&[sops, (SOPS_KEY, "AGE-SECRET-KEY-1X"), HOME], &all, |s| s.identities(&[]));
        assert_eq!((both.files, both.key.as_deref()), (vec!["/sops".into()], Some("AGE-SECRET-KEY-1X")));
        let key = look(&[(SOPS_KEY, "AGE-SECRET-KEY-1X"), HOME], &all, |s| s.identities(&[]));
        assert_eq!((key.files, key.looked), (vec![], vec![]), "it was named");
        let error = look(&[HOME], &[], |s| s.identities(&[]).needed()).err().unwrap();
        for place in ["NETDR_IDENTITY", "SOPS_AGE_KEY_FILE", keys, "/home/op/.ssh/id_rsa"] {
            assert!(error.hints()[0].contains(place), "{error:?}");
        }
    }
}
