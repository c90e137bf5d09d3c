//! The rules that no compiler checks: which module may use which, how files begin and how long
//! they are, who prints, what is in the dependency tree. Everything is read as text; each rule is
//! also shown something it must object to.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/exports.rs"]
mod exports;
#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms of the library from the ground up, exactly those that there are. A room may use those
/// on lines below its own; rooms on one line do not know each other.
const LAYERS: &[&[&str]] = &[
    &["parallel"],
    &["shape", "format", "names", "remedy", "disk", "quant", "ranks"],
    &["device", "cpu", "gpu", "place", "gguf"],
    &["beside"],
    &["activations", "obs", "checkpoint", "text", "hub"],
    &["error", "allocate"],
    &["model", "shipped"],
    &["export"],
    &["eval", "gradient"],
    &["pipeline"],
    &["recover", "search"],
    &["report"],
    &["session"],
    &["compare"],
    &["cli", "main"],
];

/// Arrows that LAYERS forbids and that are right nevertheless, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[("gpu", "device", "a launch is checked against the limits of its device")];

/// Exported names that nobody outside of their room writes, and that signatures which somebody uses
/// need all the same.
const REACHED: &[&str] = &[
    "LayerCache",
    "RmsNorm",
    "Table",
    "Real",
    "MemoryPart",
    "MemoryPlan",
    "FinishedLayer",
    "Storing",
    "Spill",
    "Timing",
    "Seconds",
    "Figures",
    "TaskFigure",
    "Needs",
    "OverSeeds",
    "Calibrate",
    "Back",
    "TypeShare",
];

/// Longest file, in lines: beyond this nobody reads it from top to bottom.
const MOST_LINES: usize = 400;

/// Most lines of JavaScript: what loads Rust, and nothing that Rust could do.
const MOST_SCRIPT: usize = 100;

/// Rust whose files are asked for and written like the library's own.
const SHIPPED: &[&str] = &["src", "app/src", "web/src", "web/worker/src"];

/// Where printing is the purpose. The command line is not among them: it says everything through
/// `src/cli/out.rs`, because the macros panic where nobody reads.
const MAY_PRINT: &[&str] = &["app", "examples", "tests", "benches", "web/build.rs", "web/build", "web/tests"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under `folders` of the repository with this `extension`: its path from the root and
/// its text. Sorted; folders that do not exist are empty.
fn files(folders: &[&str], extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|f| root().join(f)).filter(|f| f.is_dir()).collect();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let name = path.strip_prefix(root()).expect("under the root").to_string_lossy().replace('\\', "/");
                found.push((name, std::fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<(String, String)> {
    files(&["src", "app", "web", "tests", "examples", "benches"], "rs")
}

/// Applies `rule` to every file and fails with all objections at once.
fn check(files: &[(String, String)], rule: impl Fn(&str, &str) -> Vec<String>) {
    assert!(!files.is_empty(), "no files were found: the test looks in the wrong place");
    let objections: Vec<String> = files
        .iter()
        .flat_map(|(name, text)| rule(name, text).into_iter().map(move |o| format!("{name}: {o}")))
        .collect();
    assert!(objections.is_empty(), "\n{}\n", objections.join("\n"));
}

/// `src/obs/cpu.rs` → `obs`, `src/device.rs` → `device`; `src/lib.rs` belongs to nobody.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let module = inside.split('/').next()?.trim_end_matches(".rs");
    (module != "lib").then_some(module)
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn is_allowed(from: &str, to: &str) -> bool {
    let excepted = |&(f, t, _): &(&str, &str, &str)| f == from && t == to;
    from == to
        || EXCEPTIONS.iter().any(excepted)
        || matches!((layer_of(from), layer_of(to)), (Some(f), Some(t)) if t < f)
}

fn imports(path: &str, text: &str) -> Vec<String> {
    let Some(from) = module_of(path) else { return vec![] };
    let wrong = source::crate_modules(text).into_iter().filter(|to| !is_allowed(from, to));
    wrong.map(|to| format!("{from} may not use {to}; arrows point down (LAYERS in tests/tidy.rs)")).collect()
}

#[test]
fn modules_use_only_what_stands_below_them() {
    check(&files(&["src"], "rs"), imports);
}

#[test]
fn an_import_that_points_up_is_noticed() {
    assert!(imports("src/obs/score.rs", "use crate::shape::Site;").is_empty());
    assert!(imports("src/pipeline/plan.rs", "use crate::{obs, model::Block};").is_empty());
    assert_eq!(imports("src/obs/score.rs", "use crate::pipeline::Plan;").len(), 1);
    assert_eq!(imports("src/gpu/gather.rs", "use crate::{shape::Site, obs::{Score, prune}};").len(), 1);
    assert_eq!(imports("src/text/mod.rs", "let c = crate::checkpoint::Checkpoint::open(p);").len(), 1);
    assert!(imports("src/obs/score.rs", "// crate::pipeline is above\nlet s = \"crate::cli\";").is_empty());
}

/// How the rooms in `LAYERS` differ from those of these files.
fn rooms_amiss(files: &[(String, String)]) -> Vec<String> {
    let there: BTreeSet<&str> = files.iter().filter_map(|(path, _)| module_of(path)).collect();
    let listed: BTreeSet<&str> = LAYERS.iter().flat_map(|layer| layer.iter().copied()).collect();
    let missing = there.difference(&listed).map(|room| format!("{room} has no place in LAYERS and ARCHITECTURE.md"));
    missing.chain(listed.difference(&there).map(|room| format!("{room} is in LAYERS but not in src"))).collect()
}

#[test]
fn the_rooms_are_those_that_there_are() {
    let mut files = files(&["src"], "rs");
    assert_eq!(rooms_amiss(&files), [] as [&str; 0]);
    files.retain(|(path, _)| module_of(path) != Some("obs"));
    files.push(("src/novelty.rs".into(), String::new()));
    let amiss = rooms_amiss(&files);
    assert!(amiss.len() == 2 && amiss[0].starts_with("novelty has") && amiss[1].starts_with("obs is"), "{amiss:?}");
}

#[test]
fn nobody_uses_each_other_in_a_circle() {
    let mut found = BTreeSet::new();
    for root in SHIPPED {
        let circles = circles::Tree::of(root, &files(&[root], "rs")).circles();
        found.extend(circles.into_iter().map(|(folder, names)| (*root, folder, names)));
    }
    assert_eq!(found, BTreeSet::new(), "tree, folder, modules");
}

fn begins_with_its_purpose(_: &str, text: &str) -> Vec<String> {
    let begins = text.starts_with("//! ") || text.starts_with("#!/");
    if begins { vec![] } else { vec!["begins without `//!` lines that say what the file is for".into()] }
}

#[test]
fn every_file_begins_with_its_purpose() {
    check(&rust_files(), begins_with_its_purpose);
    assert_eq!(begins_with_its_purpose("", "use std::fs;\n//! Late.").len(), 1);
}

fn is_short(_: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines <= MOST_LINES { vec![] } else { vec![format!("has {lines} lines; {MOST_LINES} are the limit")] }
}

#[test]
fn no_file_is_too_long_to_read() {
    check(&rust_files(), is_short);
    check(&files(&["web/assets"], "css"), is_short);
    assert!(is_short("", &"x\n".repeat(MOST_LINES)).is_empty());
    assert_eq!(is_short("", &"x\n".repeat(MOST_LINES + 1)).len(), 1);
}

#[test]
fn javascript_only_loads_what_is_written_in_rust() {
    let scripts = files(&["web/assets"], "js");
    let lines: usize = scripts.iter().map(|(_, text)| text.lines().count()).sum();
    assert!((1..=MOST_SCRIPT).contains(&lines), "{lines} lines in {} scripts", scripts.len());
}

fn prints(path: &str, text: &str) -> Vec<String> {
    let inside = |folder: &&str| path == *folder || path.starts_with(&format!("{folder}/"));
    if MAY_PRINT.iter().any(inside) {
        return vec![];
    }
    let macros = ["print!", "println!", "eprint!", "eprintln!", "dbg!"];
    let code = source::code(text);
    let called = macros.iter().filter(|name| source::has_word(&code, name));
    called
        .map(|name| {
            format!("calls {name}; the command line prints through src/cli/out.rs, and nothing below it prints")
        })
        .collect()
}

#[test]
fn nothing_prints_with_macros_that_panic_where_nobody_reads() {
    check(&rust_files(), prints);
    assert_eq!(prints("src/obs/score.rs", "fn f() { println!(\"x\"); }").len(), 1);
    assert_eq!(prints("src/client.rs", "fn f() { dbg!(1); }").len(), 1);
    assert_eq!(prints("src/cli/prune.rs", "fn f() { eprintln!(\"x\"); }").len(), 1);
    assert!(prints("app/src/main.rs", "fn f() { println!(\"x\"); }").is_empty());
    assert!(prints("src/obs/score.rs", "//! println!(\"x\")\nfn f() { writeln!(s, \"print!\"); }").is_empty());
}

fn writes(path: &str, text: &str) -> Vec<String> {
    // Under /proc nothing is written.
    if path.starts_with("src/disk/") || path == "src/cli/peak.rs" {
        return vec![];
    }
    let calls = ["fs::write", "fs::rename", "fs::copy", "fs::remove_", "fs::create_dir", "File::create", "OpenOptions"];
    // Tests make and break files as they like.
    let code = source::code(text.split("#[cfg(test)]").next().unwrap_or_default());
    let called = calls.iter().filter(|name| code.contains(*name));
    called.map(|name| format!("calls {name}; whatever is written goes through src/disk")).collect()
}

#[test]
fn whatever_is_written_goes_through_one_room() {
    check(&files(SHIPPED, "rs"), writes);
    assert_eq!(writes("src/cli/prune.rs", "fn f() { std::fs::write(p, b); }").len(), 1);
    assert_eq!(writes("app/src/app.rs", "fn f() { File::create(p); fs::remove_file(p); }").len(), 2);
    assert!(writes("src/disk/file.rs", "fn f() { fs::write(p, b); }").is_empty());
}

fn reads(path: &str, text: &str) -> Vec<String> {
    // What the system tells of itself is no file of anybody's.
    if path.starts_with("src/disk/") || path == "src/cli/peak.rs" {
        return vec![];
    }
    let calls = ["fs::read(", "fs::read_to_string", "File::open"];
    let code = source::code(text.split("\nmod tests {").next().unwrap_or_default());
    let called = calls.iter().filter(|name| code.contains(*name));
    called.map(|name| format!("calls {name}; a pipe or a device may have the name: read through src/disk")).collect()
}

#[test]
fn whatever_is_read_goes_through_one_room() {
    check(&files(SHIPPED, "rs"), reads);
    assert_eq!(reads("src/cli/prune.rs", "fn f() { std::fs::read(p); File::open(p); }").len(), 2);
    assert!(reads("src/disk/given.rs", "fn f() { fs::read(p); }").is_empty());
    assert!(reads("src/text/mod.rs", "fn f() { disk::read(p); }").is_empty());
}

/// What rooms export without need.
fn unused_exports(files: &[(String, String)]) -> Vec<String> {
    let room = |path: &str| module_of(path).unwrap_or_default().to_owned();
    // Words in comments and strings use nothing.
    let code: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), source::code(text))).collect();
    let is_outside = |path: &str, own: &str| !path.starts_with("src/") || room(path) != own;
    let names_it =
        |name: &str, own: &str| code.iter().any(|(path, text)| is_outside(path, own) && source::has_word(text, name));
    let roots = files.iter().filter_map(|(path, text)| exports::root_of(path).map(|room| (room, text)));
    let exported = roots.flat_map(|(room, text)| exports::exported(text).into_iter().map(move |name| (room, name)));
    let unused = exported.filter(|(room, name)| !names_it(name, room)).map(|(room, name)| format!("{room}::{name}"));
    unused.collect()
}

#[test]
fn what_is_used_only_inside_its_room_is_not_exported() {
    let files = rust_files();
    let mut unused = unused_exports(&files);
    unused.retain(|name| !REACHED.iter().any(|reached| name.ends_with(&format!("::{reached}"))));
    assert_eq!(unused, [] as [&str; 0]);
    let mut with_one = files;
    with_one.push((
        "src/novelty.rs".into(),
        "pub use inner::{Used as Renamed, nobody_names_this};\npub fn nor_this() {}".into(),
    ));
    with_one.push(("src/other.rs".into(), "fn f(r: Renamed) {}".into()));
    let found = unused_exports(&with_one);
    assert!(found.ends_with(&["novelty::nobody_names_this".into(), "novelty::nor_this".into()]), "{found:?}");
}

/// A flag in a literal, outside of a command that is quoted whole.
fn names_flags(_: &str, text: &str) -> Vec<String> {
    let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = shipped.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    let is_flag =
        |word: &str| word.strip_prefix("--").is_some_and(|flag| flag.starts_with(|c: char| c.is_ascii_lowercase()));
    let words = |line: &str| line.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(is_flag);
    let commands = ["slimgpt ", "vllm "];
    let naming = lines.filter(|(_, line)| words(line) && !commands.iter().any(|command| line.contains(command)));
    naming.map(|(i, _)| format!("line {}: names a flag; the command line does (src/cli/remedy.rs)", i + 1)).collect()
}

#[test]
fn only_the_command_line_names_flags() {
    let mut files = files(&["src", "app/src"], "rs");
    files.retain(|(path, _)| !path.starts_with("src/cli/"));
    check(&files, names_flags);
    assert_eq!(names_flags("", "let e = \"use --samples 3\";").len(), 1);
    assert!(names_flags("", "let how = \"slimgpt export gguf PATH --out FILE\";").is_empty());
    assert!(names_flags("", "// what --out says\nlet x = a--b;").is_empty());
}

fn unnamed_todos(_: &str, text: &str) -> Vec<String> {
    // In two pieces, so that this file does not object to itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let lines = text.lines().enumerate();
    let unnamed = lines.filter(|(_, line)| {
        marks.iter().any(|mark| source::has_word(line, mark) && !line.contains(&format!("{mark}(")))
    });
    unnamed.map(|(i, _)| format!("line {}: a {} needs a name: {}(name)", i + 1, marks[0], marks[0])).collect()
}

#[test]
fn every_todo_has_a_name() {
    check(&rust_files(), unnamed_todos);
    check(&files(&["shaders", "web"], "wgsl").into_iter().chain(rust_files()).collect::<Vec<_>>(), unnamed_todos);
    let mark = concat!("TO", "DO");
    assert_eq!(
        unnamed_todos("", &format!("ok\n// {mark}: later")),
        [format!("line 2: a {mark} needs a name: {mark}(name)")]
    );
    assert!(unnamed_todos("", &format!("// {mark}(ada): later")).is_empty());
}

/// Versions of `name` in the text of a `Cargo.lock`.
fn versions(lock: &str, name: &str) -> BTreeSet<String> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    lock.split(&entry).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[test]
fn everybody_shares_one_wgpu() {
    // egui, burn and our kernels work on one device, and a device is a type of one wgpu.
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is committed");
    for name in ["wgpu", "naga"] {
        assert_eq!(versions(&lock, name).len(), 1, "{name}: {:?}", versions(&lock, name));
    }
    let two = "name = \"wgpu\"\nversion = \"29.0.4\"\n\nname = \"wgpu\"\nversion = \"30.0.1\"\n";
    assert_eq!(versions(two, "wgpu").len(), 2);
}
