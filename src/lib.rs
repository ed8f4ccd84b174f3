//! Disaster recovery for the networking state of RKE2 Kubernetes clusters.
//!
//! # Map
//! ```text
//! capture → seal → repository → plan → restore → report
//! ```
//! Data flows one way: each stage takes the former's value and returns its own. `catalog` decides what a
//! component is, `model` holds the words; both are pure, as are `canonical`, `plan` and `report`.
//! The library never touches the terminal, the environment or the clock: `src/main.rs` and `src/cli` do.

pub mod backup;
pub mod canonical;
pub mod capture;
pub mod catalog;
pub mod certificates;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod drift;
pub mod drill;
pub mod error;
pub mod gitops;
pub mod helm;
pub mod host;
pub mod keys;
pub mod metrics;
pub mod model;
pub mod notify;
pub mod plan;
pub mod policies;
pub mod probe;
pub mod report;
pub mod repository;
pub mod restore;
pub mod schedule;
pub mod seal;
pub mod signature;
pub mod strict;
pub mod task;
pub mod velero;
pub mod watch;
pub mod web;
pub mod yaml;

pub use error::{Error, Kind, Result};
