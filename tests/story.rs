//! Stories, each about what one person wants from netdr.

mod capture;
mod failures;
mod faults;
mod plane;
mod program;
