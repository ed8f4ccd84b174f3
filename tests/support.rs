//! What stories stand on: control planes, programs in a clean home, waiting for a condition, faults.

mod faults;
mod home;
mod planes;
mod wait;

pub(crate) use faults::{Fault, Faults};
pub(crate) use home::Home;
pub(crate) use planes::{MARKER, audit_log, everything, fresh, programs, shared};
pub(crate) use wait::eventually;
