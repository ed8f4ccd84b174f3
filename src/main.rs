//! The `netdr` program: parse, run, exit code.
fn main() {}
