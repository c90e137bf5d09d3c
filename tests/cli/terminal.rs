//! Terminals as they are: without columns, and with too few of them.
#![cfg(target_os = "linux")]

use std::process::Command;

use crate::{ended, path, program, run, shipped, temporary};

/// The program in a terminal of so many columns, of which everything is seen that it shows.
fn in_terminal(columns: usize, arguments: &str) -> Option<(i32, String)> {
    let line = format!("stty cols {columns}; {} {arguments}", env!("CARGO_BIN_EXE_slimgpt"));
    // `script` makes a terminal; util-linux has it nearly everywhere.
    let output = Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(std::process::Stdio::null()).output();
    let output = output.ok()?;
    Some((output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn a_terminal_without_columns_gets_whole_tables_and_plain_progress() {
    let model = shipped();
    let piped = run(&["inspect", &model]).with(0).out;
    let widest = |text: &str| text.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
    for columns in [0, 1, 7] {
        let folder = temporary();
        let Some((code, shown)) = in_terminal(columns, &format!("inspect {model}")) else { return };
        assert_eq!((code, widest(&shown)), (0, widest(&piped)), "{columns}: {shown}");
        let out = path(&folder.path().join("out"));
        let prune = format!("prune {model} --out {out} --target 0.2 --device cpu --samples 4 --seq-len 64");
        let (code, shown) = in_terminal(columns, &prune).unwrap();
        assert_eq!(code, 0, "{columns}: {shown}");
        assert!(!shown.contains("panicked"), "{shown}");
        let layers =
            shown.lines().filter(|line| line.starts_with("layer ") && line.contains("channels 352 → ")).count();
        assert_eq!(layers, 6, "a line for each layer: {shown:?}");
    }
    // A terminal with room breaks what is wider than it.
    let (_, shown) = in_terminal(60, &format!("inspect {model}")).unwrap();
    assert!(shown.lines().filter(|l| l.contains('─')).all(|l| l.trim_end().chars().count() <= 60), "{shown}");
}

#[test]
fn help_is_readable_without_columns() {
    let of = |columns: &str| ended(program(&["prune", "--help"]).env("COLUMNS", columns)).with(0).out;
    for columns in ["0", "1", "39"] {
        assert!(of(columns) == of("100"), "{columns}: {}", of(columns));
    }
    let help = of("70");
    let described = help.lines().take_while(|line| !line.starts_with("Examples"));
    assert!(described.filter(|line| !line.contains("Usage")).all(|line| line.chars().count() <= 70), "{help}");
}
