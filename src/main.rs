//! The `netdr` program.

fn main() -> std::process::ExitCode {
    netdr::cli::main()
}
