//! Where metrics go: a file that node_exporter reads, a Pushgateway.

use std::{
    fs::Permissions,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, Uri};
use tempfile::NamedTempFile;

use crate::{Error, Result, config::Metrics, web};

/// How long a Pushgateway is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes the file by rename, readable by everybody: its reader finds the former text or this one. Its folder must be there:
/// of one that is not mounted, nothing is made.
///
/// # Errors
/// When it cannot be written.
pub fn textfile(file: &Path, text: &str) -> Result<()> {
    let write = || {
        let mut new = beside(file)?;
        new.as_file_mut().write_all(text.as_bytes())?;
        new.as_file().set_permissions(Permissions::from_mode(0o644))?;
        new.persist(file).map(drop).map_err(|e| e.error)
    };
    write().map_err(|e| unwritten(file, e))
}

/// That the file could be written; nothing of the try stays.
///
/// # Errors
/// When it could not.
pub fn can_write(file: &Path) -> Result<()> {
    let beside = if file.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { beside(file) };
    beside.map(drop).map_err(|e| unwritten(file, e))
}

/// A new file in its folder. Hidden, and not `.prom`: node_exporter never reads half of it.
fn beside(file: &Path) -> io::Result<NamedTempFile> {
    let made = tempfile::Builder::new().prefix(".netdr-").tempfile_in(folder(file));
    made.map_err(|e| io::Error::from(e.kind())) // its text has the name of that file
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritten(file: &Path, cause: io::Error) -> Error {
    let folder = folder(file).display();
    Error::failed(format!("metrics cannot be written to {}", file.display()))
        .because(cause)
        .hint(format!("its folder must be there and let netdr's user write: ls -ld {folder}"))
}

/// Pushes the text in place of what was pushed before, under `job="netdr"` and the cluster, and where it is no more than a
/// part, under that part's name.
///
/// # Errors
/// It was not taken, with why.
pub async fn push(to: &Metrics, gateway: &Uri, of: (&str, Option<&str>), text: &str) -> Result<()> {
    let url = group(gateway, of).map_err(|e| {
        Error::usage(format!("{} is no address of a Pushgateway", web::server(gateway))).because(e)
    })?;
    let request = web::Request {
        method: &Method::PUT,
        url: &url,
        content_type: "text/plain; version=0.0.4",
        body: text,
        ca_file: to.ca_file.as_deref(),
        token_file: to.token_file.as_deref(),
    };
    let pushed = web::send(&request, PATIENCE).await;
    pushed.map_err(|error| match error.hints() {
        [] => error.hint(format!("what answers here: curl -v {}/-/ready", web::server(gateway))),
        _ => error,
    })
}

/// The address of the group (Pushgateway's README, "URL"): a value that has a slash, or is empty, goes in base64.
fn group(
    gateway: &Uri,
    (cluster, part): (&str, Option<&str>),
) -> std::result::Result<Uri, http::uri::InvalidUri> {
    let plain =
        !cluster.is_empty() && cluster.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let cluster = match plain {
        true => format!("cluster/{cluster}"),
        false if cluster.is_empty() => "cluster@base64/=".into(),
        false => format!("cluster@base64/{}", URL_SAFE_NO_PAD.encode(cluster)),
    };
    let part = part.map_or_else(String::new, |part| format!("/part/{part}"));
    format!("{}/metrics/job/netdr/{cluster}{part}", gateway.to_string().trim_end_matches('/')).parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_everybody_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("netdr.prom");
        textfile(&file, "a 1\n").unwrap();
        textfile(&file, "a 2\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a 2\n");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        let error = textfile(&folder.path().join("absent/netdr.prom"), "").unwrap_err();
        assert!(error.hints()[0].contains("ls -ld"), "{error:?}");
        assert!(!folder.path().join("absent").exists());
        can_write(&file).unwrap();
        assert!(can_write(&folder.path().join("absent/netdr.prom")).is_err());
        assert!(can_write(folder.path()).is_err(), "a folder is named, not a file in it");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of a try");
    }

    #[test]
    fn a_cluster_is_a_group_whatever_it_is_called() {
        let of = |cluster: &str| {
            group(&"http://lab-mon01:9091/".parse().unwrap(), (cluster, None)).unwrap().to_string()
        };
        assert_eq!(of("proj-k8s"), "http://lab-mon01:9091/metrics/job/netdr/cluster/proj-k8s");
        assert_eq!(of("a/b"), "http://lab-mon01:9091/metrics/job/netdr/cluster@base64/YS9i");
        assert_eq!(of(""), "http://lab-mon01:9091/metrics/job/netdr/cluster@base64/=");
    }
}
