//! What stories stand on: control planes, programs in a clean home, a repository, waiting for a condition, faults.

mod faults;
mod home;
mod planes;
mod store;
mod wait;

pub(crate) use faults::{Fault, Faults};
pub(crate) use home::{Home, Outcome};
pub(crate) use planes::{MARKER, audit_log, everything, fresh, programs, shared};
pub(crate) use store::{NODE, Store, content, digest, says};
pub(crate) use wait::eventually;
