//! Restoring, with the real program on the real API server.

mod certificates;
mod changed;
mod charts;
mod cni;
mod denied;
mod down;
mod faults;
mod full_stack;
mod git;
mod git_https;
mod host;
mod killed_files;
mod lease;
mod leaving;
mod metallb;
mod operations;
mod policies;
mod probes;
mod rebuilt;
mod report;
mod requests;
mod resume;
mod safety;
mod traefik;
mod undo;
mod velero;
mod versions;

pub(super) use resume::killed_at;
