//! Who uses whom among the modules of a tree, file by file, and the circles in that.
//!
//! At each level the nodes are the modules of one folder, each with everything inside it. A module
//! and the files in its own folder are one thing to those outside, so what passes between them is
//! no arrow; names that a module hands on (`pub use error::E`) lead to where they are defined.

use std::collections::{BTreeMap, BTreeSet};

use super::source;

/// A module: `["pipeline", "folder"]` for `src/pipeline/folder.rs`; the root has no names.
type Module = Vec<String>;

/// A tree of modules.
pub struct Tree {
    /// What each module names: paths from `crate`, `super`, `self` or one of its own modules.
    named: BTreeMap<Module, Vec<Vec<String>>>,
    /// What each module brings in by `use`, by the name it gets.
    brought: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

impl Tree {
    /// The tree of the files under `root` ("src"), given by path and text.
    pub fn of(root: &str, files: &[(String, String)]) -> Self {
        let mut tree = Self { named: BTreeMap::new(), brought: BTreeMap::new() };
        for (path, text) in files {
            let Some(inside) = path.strip_prefix(root).and_then(|p| p.strip_prefix('/')) else { continue };
            let mut module: Module = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            module.pop_if(|last| ["mod", "lib"].contains(&last.as_str()));
            // Tests may look anywhere.
            let code = source::code(text.split("#[cfg(test)]").next().unwrap_or_default());
            tree.named.insert(module.clone(), source::paths(&code));
            tree.brought.insert(module, source::uses(&code));
        }
        tree
    }

    /// The module in which what `path` names, seen from `from`, is defined; none if it is not ours.
    fn home(&self, from: &Module, path: &[String], hops: usize) -> Option<Module> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => vec![],
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            _ => {
                rest = path;
                from.clone()
            }
        };
        for (i, name) in rest.iter().enumerate() {
            if name == "super" {
                at.pop()?;
                continue;
            }
            let inner = [at.as_slice(), std::slice::from_ref(name)].concat();
            if self.named.contains_key(&inner) {
                at = inner;
                continue;
            }
            let handed_on = self.brought.get(&at).and_then(|brought| brought.get(name)).filter(|_| hops > 0);
            return match handed_on {
                Some(onward) => self.home(&at, &[onward.as_slice(), &rest[i + 1..]].concat(), hops - 1).or(Some(at)),
                // A name from elsewhere, unless the path said that it is ours.
                None if i == 0 && rest.len() == path.len() => None,
                None => Some(at),
            };
        }
        Some(at)
    }

    /// Arrows between the modules of each folder.
    fn arrows(&self) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
        let mut arrows: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (from, paths) in &self.named {
            for to in paths.iter().filter_map(|path| self.home(from, path, 8)) {
                let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
                    let level = arrows.entry(from[..shared].to_vec()).or_default();
                    level.entry(a.clone()).or_default().insert(b.clone());
                }
            }
        }
        arrows
    }

    /// Every circle, as its folder and its modules: `("obs/cpu", "host ↔ tiles")`.
    pub fn circles(&self) -> BTreeSet<(String, String)> {
        let mut circles = BTreeSet::new();
        for (folder, arrows) in self.arrows() {
            let reach: BTreeMap<&String, BTreeSet<&String>> = arrows.keys().map(|a| (a, reached(&arrows, a))).collect();
            for (a, reached) in reach.iter().filter(|(a, reached)| reached.contains(*a)) {
                let circle = reached.iter().filter(|b| reach.get(*b).is_some_and(|back| back.contains(a)));
                let names: Vec<&str> = circle.map(|name| name.as_str()).collect();
                circles.insert((folder.join("/"), names.join(" ↔ ")));
            }
        }
        circles
    }
}

/// Everything that arrows lead to from `start`.
fn reached<'a>(arrows: &'a BTreeMap<String, BTreeSet<String>>, start: &String) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&String> = arrows.get(start).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(arrows.get(next).into_iter().flatten());
        }
    }
    found
}

#[test]
fn circles_are_found_at_every_level_and_through_names_handed_on() {
    let tree = |files: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Tree::of("src", &files)
            .circles()
            .into_iter()
            .map(|(folder, names)| format!("{folder}: {names}"))
            .collect::<Vec<_>>()
    };
    let two = [("src/a.rs", "use crate::b::B;"), ("src/b.rs", "fn f() { crate::a::g(); }")];
    assert_eq!(tree(&two), [": a ↔ b"]);
    let one_way =
        [("src/a.rs", "use crate::b::B;"), ("src/b.rs", "// crate::a\n#[cfg(test)] mod t { use crate::a::A; }")];
    assert_eq!(tree(&one_way), [] as [&str; 0]);
    let inside =
        [("src/m/x.rs", "use super::y::Y;"), ("src/m/y.rs", "use super::{super::m::x, z};"), ("src/m/mod.rs", "")];
    assert_eq!(tree(&inside), ["m: x ↔ y"]);
    let three =
        [("src/a.rs", "use crate::{b, c};"), ("src/b.rs", "use crate::c::{C, D};"), ("src/c.rs", "use crate::a;")];
    assert_eq!(tree(&three), [": a ↔ b ↔ c"]);
    // A parent that uses its file, and a file that uses its parent's own names, are one thing.
    let parent = [("src/m.rs", "mod x; use x::X; pub struct M;"), ("src/m/x.rs", "use super::M;")];
    assert_eq!(tree(&parent), [] as [&str; 0]);
    let handed_on = [
        ("src/m.rs", "pub use x::X; pub use y::Y as Z;"),
        ("src/m/x.rs", "use super::Z;"),
        ("src/m/y.rs", "use super::X;"),
    ];
    assert_eq!(tree(&handed_on), ["m: x ↔ y"]);
}
