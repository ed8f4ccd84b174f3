//! Disaster recovery for the networking state of RKE2 Kubernetes clusters.
//!
//! # Map
//! ```text
//! capture → seal → repository → plan → restore → report
//! ```
//! Data flows one way: each stage takes the former's value and returns its own. `catalog` decides what a
//! component is, `model` holds the words; both are pure, as are `canonical`, `plan` and `report`.
//! The library never touches the terminal, the environment or the clock: `src/main.rs` and `src/cli` do.

pub mod canonical;
pub mod capture;
pub mod catalog;
pub mod certificates;
pub mod cluster;
pub mod error;
pub mod helm;
pub mod model;

pub use error::{Error, Kind, Result};
