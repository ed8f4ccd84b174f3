//! Restoring, with the real program on the real API server.

mod changed;
mod denied;
mod policies;
mod rebuilt;
mod report;
mod safety;
mod traefik;
