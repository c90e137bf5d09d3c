//! What a room exports that nobody outside of it names.

use super::source;

/// The names that `pub use` and `pub` items at the top of a room's root file export.
pub fn exported(text: &str) -> Vec<String> {
    let code = source::code(text);
    let statements = code.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let used = statements.flat_map(|statement| {
        let names = statement.rsplit("::").next().unwrap_or_default().trim_matches(['{', '}']);
        let braced = statement.split_once('{').map_or(names, |(_, list)| list.trim_end_matches('}'));
        let last = |name: &str| name.rsplit([' ', ':']).next().unwrap_or_default().to_owned();
        braced.split(',').map(|name| last(name.trim())).filter(|name| !name.is_empty()).collect::<Vec<_>>()
    });
    let kinds = ["pub fn ", "pub async fn ", "pub struct ", "pub enum ", "pub trait ", "pub const ", "pub type "];
    let items = code
        .lines()
        .filter_map(|line| kinds.iter().find_map(|kind| line.strip_prefix(kind)))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
    used.chain(items).collect()
}

/// Whether `path` is the root file of a room of `src`, and of which.
pub fn root_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let room = inside.strip_suffix("/mod").unwrap_or(inside);
    (!room.contains('/') && !["lib", "main"].contains(&room)).then_some(room)
}
