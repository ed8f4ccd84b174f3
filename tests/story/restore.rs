//! Restoring, with the real program on the real API server.

mod changed;
mod policies;
mod report;
mod safety;
mod traefik;
