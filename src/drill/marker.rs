//! The mark of a cluster that is there to be broken: ConfigMap `kube-system/netdr-drill-cluster`, which names the cluster.
//!
//! In: a cluster. Out: nothing, or a refusal with the command that marks it. Invariant: a mark that was copied from another
//! cluster, by a backup of it for instance, marks nothing; and of the very cluster that the snapshots are of no command is told
//! that would let it be broken.

use serde_json::Value;

use crate::{Error, Result, cluster::Cluster, plan::CommandLine};

const NAME: &str = "netdr-drill-cluster";
/// What a drill makes of a cluster, besides breaking it: who says yes must know.
pub const CONSEQUENCE: &str = "it gets the addresses, routes and issuers of the snapshots' cluster, so it must not reach that network; and their \
                               secrets, private keys too, stay on it";

/// The refusal of a cluster whose kube-system has the uid of the snapshots' cluster: a mark is soon made, and says nothing of it.
pub fn is_the_snapshots_own(server: &str, uid: &str) -> Error {
    Error::usage(format!("{server} is the very cluster that snapshots here are of"))
        .why(format!("its kube-system has uid {uid}, as in snapshots of this repository: this is production, or was made of its etcd"))
        .why("a drill breaks it on purpose")
        .hint("leave --context out, and drill in a sandbox; or name a cluster that is there to be broken")
        .hint("of a copy, or a cluster with snapshots of its own, read what --same-cluster means: netdr drill --help")
}

/// Refuses a cluster without the mark; `uid` is its own.
///
/// # Errors
/// Usage: it has none, or that of another cluster; when it cannot be asked.
pub async fn marked(cluster: &Cluster, uid: &str, again: &CommandLine) -> Result<()> {
    let mark = cluster.get_path(&format!("/api/v1/namespaces/kube-system/configmaps/{NAME}")).await?;
    judge(mark.as_ref(), uid).map_err(|why| {
        let make = format!("-n kube-system create configmap {NAME} --from-literal=cluster={uid}");
        // One that names another cluster is in the way of its own.
        let away = mark
            .is_some()
            .then(|| format!("{} && ", again.kubectl(&format!("-n kube-system delete configmap {NAME}"))));
        Error::usage(format!("{} is not marked as a cluster for drills", cluster.server()))
            .why(why)
            .why("a drill breaks it on purpose")
            .why(CONSEQUENCE)
            .hint(format!(
                "if it may be broken, mark it: {}{}",
                away.unwrap_or_default(),
                again.kubectl(&make)
            ))
    })
}

fn judge(mark: Option<&Value>, uid: &str) -> Result<(), String> {
    let named = mark.map(|mark| mark["data"]["cluster"].as_str().unwrap_or_default());
    match named {
        None => Err(format!("ConfigMap kube-system/{NAME} does not exist")),
        Some(named) if named == uid && !uid.is_empty() => Ok(()),
        Some(_) => Err(format!(
            "ConfigMap kube-system/{NAME} names another cluster than this one, whose kube-system has uid {uid}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_the_snapshots_own_cluster_no_command_is_told_that_lets_it_be_broken() {
        let error = is_the_snapshots_own("https://10.0.0.1:6443", "u");
        assert!(
            error.hints().iter().all(|hint| !hint.contains(NAME) && !hint.contains("kubectl")),
            "{error:?}"
        );
        assert!(error.to_string().contains("very cluster"));
    }

    #[test]
    fn only_a_mark_that_names_this_very_cluster_counts() {
        let mark = json!({"data": {"cluster": "u"}});
        assert_eq!(judge(Some(&mark), "u"), Ok(()));
        assert!(judge(Some(&mark), "v").unwrap_err().contains("another cluster"));
        assert!(judge(None, "u").unwrap_err().contains("does not exist"));
        assert!(judge(Some(&json!({})), "").is_err());
    }
}
