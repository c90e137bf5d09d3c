//! The folder under test, built once, and a server for it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use slimgpt_web::site::{self, Server, Wanted};

/// Where it is served: relative names work under any path.
const PATH: &str = "some/deep/path";

/// The built folder.
pub fn folder() -> &'static Path {
    // A failure is kept too: every test would build the page anew to fail of the same.
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = FOLDER.get_or_init(|| match std::env::var_os("SLIMGPT_PAGE") {
        Some(built) => Ok(built.into()),
        None => {
            // Named only for tests, and not for the example that makes pictures.
            let tmp = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
            let folder = tmp.join("slimgpt-page");
            let sizes = site::build(&folder, Wanted { worker: true, window: true });
            println!("{}", sizes.map_err(|reason| format!("{reason:#}"))?);
            Ok(folder)
        }
    });
    built.as_ref().unwrap_or_else(|reason| panic!("the page was not built: {reason}"))
}

/// Serves another folder until what is returned is dropped.
pub fn serve_from(folder: &Path) -> Server {
    Server::start(folder, 0, PATH).expect("a free port on 127.0.0.1")
}

/// Serves the folder until what is returned is dropped.
pub fn serve() -> Server {
    serve_from(folder())
}
