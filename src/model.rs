//! The words of netdr, without I/O: what a snapshot is made of and what its parts are called.
//!
//! In: nothing. Out: plain values that every other module speaks in.
//! Invariant: nothing here opens a file, asks a cluster or reads a clock, and no `Debug` shows content.

mod component;
mod facts;
mod header;
mod id;
mod index;
mod item;
mod key;
mod severity;
mod source;

pub use component::{Component, Set};
pub use facts::Facts;
pub use header::{BundleEntry, ClusterIdentity, FORMAT, Occasion, Series, SnapshotHeader, SnapshotState};
pub use id::{RunId, SnapshotId};
pub use index::{Index, IndexEntry};
pub(crate) use item::hex;
pub use item::{Class, Content, Extent, FileContent, Item, Json};
pub use key::ItemKey;
pub use severity::Severity;
pub use source::SourceName;
