//! The command line. Everything it can do is in the library; what is typed is in `cli`.

#[cfg(not(target_arch = "wasm32"))]
mod cli;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    cli::main()
}

/// There is no command line on the web.
#[cfg(target_arch = "wasm32")]
fn main() {}
