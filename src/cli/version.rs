//! Which program this is: the version, and the commit it was built from where that is known.

use git_version::git_version;

/// "0.1.0 (a1b2c3d4e)"; the version alone where the source came without its history.
pub const VERSION: &str = git_version!(
    // No tags, which would be in the way of a version that says the same. Whether files were modified is
    // not asked: git notes the answer in its index, and the program would be compiled again for that.
    args = ["--always", "--abbrev=9", "--exclude=*"],
    prefix = concat!(env!("CARGO_PKG_VERSION"), " ("),
    suffix = ")",
    fallback = env!("CARGO_PKG_VERSION")
);
