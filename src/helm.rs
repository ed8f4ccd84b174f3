//! Helm releases: their Secrets, decoded and back (Helm 3 and 4, pkg/storage/driver, pkg/release).
//!
//! In: a release's Secret, or a release. Out: values, chart, manifest, and the Secret again.
//! Invariant: pure; decoding then encoding gives a Secret that Helm itself reads as the same release.

use serde_json::Value;

use crate::{Error, Result, cluster::Precondition, model::Component};

/// One revision of a release, from the metadata of its Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Release name.
    pub name: String,
    /// Release namespace.
    pub namespace: String,
    /// Revision number.
    pub version: u64,
    /// `deployed`, `superseded`, `pending-upgrade`, …
    pub status: String,
    /// Name of the Secret.
    pub secret_name: String,
    /// Which very Secret it was.
    pub seen: Precondition,
}

impl Revision {
    /// Reads a release Secret's metadata; none where it is no release.
    pub fn of(_secret: &Value) -> Option<Self> {
        None
    }
}

/// The newest deployed revision of each release, and warnings about releases that are pending or failed.
pub fn choose(_revisions: &[Revision]) -> (Vec<Revision>, Vec<String>) {
    (vec![], vec![])
}

/// The component a release belongs to; none where it is not in scope. `configured` holds `namespace/name`.
pub fn release_component(_namespace: &str, _name: &str, _configured: &[String]) -> Option<Component> {
    None
}

/// A release Secret's content: `{"name": Secret name, "labels": {…}, "release": {…}}`.
pub fn decode(_secret: &Value) -> Result<Value> {
    Err(seam())
}

/// The Secret of a decoded release, as Helm writes it.
pub fn encode(_content: &Value) -> Result<Value> {
    Err(seam())
}

/// The objects of the stored manifest, in Helm's install order, namespace set where the kind has one is the caller's.
pub fn manifest_objects(_content: &Value) -> Result<Vec<Value>> {
    Err(seam())
}

/// The CRDs of the stored chart's `crds/` folder.
pub fn crds(_content: &Value) -> Result<Vec<Value>> {
    Err(seam())
}

/// The place of a kind in Helm's install order (pkg/release/util/kind_sorter.go); unknown kinds come last.
pub fn install_rank(_kind: &str) -> usize {
    0
}

/// The user's values as YAML, as `helm get values` shows them.
pub fn values_yaml(_content: &Value) -> Result<String> {
    Err(seam())
}

/// The chart rebuilt as a .tgz that Helm loads (subcharts are not stored in a release; comments are lost).
pub fn chart_tgz(_content: &Value) -> Result<Vec<u8>> {
    Err(seam())
}

fn seam() -> Error {
    Error::failed("seam")
}
