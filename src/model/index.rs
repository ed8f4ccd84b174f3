//! The index of a snapshot: every item's name and digest, and the facts; sealed, but openable by the job.

use serde::{Deserialize, Serialize};

use super::{Class, Component, Extent, Facts, Item, ItemKey};

/// What `index.jsonl.zst.age` holds: one line of facts, then one line per item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// The cluster's network at capture.
    pub facts: Facts,
    /// Every item, in the order of its bundle.
    pub entries: Vec<IndexEntry>,
}

/// One line of the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// Identity.
    pub key: ItemKey,
    /// The bundle the item is in. One key may be in several bundles: each bundle stands alone.
    pub component: Component,
    /// What it is for.
    pub class: Class,
    /// How much of it is netdr's.
    pub extent: Extent,
    /// sha256 of its canonical content.
    pub sha256: String,
}

impl IndexEntry {
    /// The line of an item.
    pub fn of(item: &Item) -> Self {
        Self {
            key: item.key.clone(),
            component: item.component,
            class: item.class,
            extent: item.extent,
            sha256: item.sha256(),
        }
    }
}
