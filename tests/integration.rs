//! The one integration binary: real control planes, the real program, stock tools.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod cmd;
mod docs;
mod formats;
mod story;
mod structure;
mod support;
