//! Stories, each about what one person wants from netdr.

mod access;
mod capture;
mod failures;
mod faults;
mod forbidden;
mod odd;
mod plane;
mod program;
mod reading;
