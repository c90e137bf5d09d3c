//! What build.rs makes of the texts, and what it refuses.

#[path = "../build/mod.rs"]
mod texts;

use std::fs;
use std::path::{Path, PathBuf};

use texts::math::Formulas;
use texts::mathml::Node;
use texts::{Wrong, colour, function, generate};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file of the library.
fn sources() -> Vec<String> {
    let (mut open, mut found) = (vec![root().join("src")], Vec::new());
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(found.len() > 100, "the sources are elsewhere");
    found
}

/// What is refused when `from` becomes `to` in one of the files that decide the texts.
#[track_caller]
fn refused(file: &str, from: &str, to: &str) -> Wrong {
    let copy = tempfile::tempdir().unwrap();
    for path in generate(&root(), "en").unwrap_or_else(|wrong| panic!("{wrong}")).read {
        let mut text = fs::read_to_string(root().join(&path)).unwrap();
        if path == Path::new(file) {
            assert!(text.contains(from), "{file} says no {from}");
            text = text.replacen(from, to, 1);
        }
        fs::create_dir_all(copy.path().join(&path).parent().unwrap()).unwrap();
        fs::write(copy.path().join(&path), text).unwrap();
    }
    let Err(wrong) = generate(copy.path(), "en") else { panic!("{file} is taken with {to}") };
    wrong
}

/// The line in which a text stands.
fn line_of(file: &str, text: &str) -> usize {
    let whole = fs::read_to_string(root().join(file)).unwrap();
    whole[..whole.find(text).unwrap()].matches('\n').count() + 1
}

const LESSON: &str = "web/texts/en/2-one-column.md";
const GLOSSARY: &str = "web/texts/en/glossary.md";
const PHRASES: &str = "web/texts/en/phrases.txt";

#[test]
fn nothing_needs_what_the_security_policy_forbids() {
    let rust = generate(&root(), "en").unwrap().rust;
    for forbidden in ["style=", "<script", "<style", "javascript:", " onclick", "http:", "https:"] {
        assert!(!rust.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let cases = [
        (LESSON, r"\delta = ", r"\nonsense = ", "nonsense"),
        (LESSON, r"\delta = ", r"\begin{cases}1\\2\end{cases} = ", "style"),
        (LESSON, "**compensation**", "<b>compensation</b>", "HTML"),
        (LESSON, "**compensation**", "[compensation](#symbol-none)", "#symbol-none"),
        (LESSON, "**compensation**", "[compensation](#lesson-10)", "#lesson-10"),
        (LESSON, "src/obs/score.rs of_column", "src/obs/score.rs of_row", "of_row"),
        (LESSON, "src/obs/score.rs of_column", "src/obs/scores.rs of_column", "src/obs/scores.rs"),
        (LESSON, "- src/obs/score.rs", "src/obs/score.rs", "function"),
        (LESSON, "## Do", "## To do", "Do"),
        (GLOSSARY, "## $W$ w", "## W w", "TeX"),
        (GLOSSARY, "## $X$ x", "## $W$ x", "already"),
        (GLOSSARY, "## $W$ w", "## $W W$ w", "more than one"),
        (PHRASES, "undo = Undo", "contents = Undo", "twice"),
        (PHRASES, "undo = Undo", "undo", "key = text"),
        (PHRASES, "undo = Undo", "move = Undo", "move"),
        (PHRASES, "undo = Undo", "undo = Undo {", "brace"),
        (PHRASES, "undo = Undo", "undo = Undo {Step}", "Step"),
    ];
    for (file, from, to, what) in cases {
        let wrong = refused(file, from, to);
        assert_eq!((wrong.file.as_str(), wrong.line), (file, line_of(file, from)), "{wrong}");
        assert!(wrong.what.contains(what), "{wrong}");
    }
}

#[test]
fn a_lesson_has_its_parts_and_no_more_words_than_are_read() {
    let long = format!("{} **compensation**", "word ".repeat(150));
    assert!(refused(LESSON, "**compensation**", &long).what.contains("at most 150"));
    assert!(refused(LESSON, "## Remember", "").what.contains("Remember"));
    assert!(refused(LESSON, "## Remember\n", "## Remember\n\n- A third thing.").what.contains("two things"));
    assert!(refused(LESSON, "## Lines\n", "## Lines\n\n## More\n").what.contains("nothing"));
}

#[test]
fn the_measured_tables_are_those_of_the_readme() {
    assert!(refused("README.md", "### Methods compared", "### Methods").what.contains("Methods compared"));
    let rust = generate(&root(), "en").unwrap().rust;
    let table = rust.lines().find(|line| line.contains("static TABLE")).unwrap();
    for cell in
        ["128 calibration and 64 evaluation windows", "<td>6.286</td>", "<td>25.99</td>", r"shipped, 50\u{a0}%</th>"]
    {
        assert!(table.contains(cell), "{cell}");
    }
}

fn formulas(symbols: &[(&str, &str)]) -> Formulas {
    let mut formulas = Formulas::new().unwrap();
    symbols.iter().for_each(|(id, tex)| formulas.add(id, tex).unwrap());
    formulas
}

#[test]
fn the_largest_symbol_is_found_and_none_within_another() {
    let formulas = formulas(&[("h", "H"), ("hinv", "H^{-1}"), ("what", r"\hat W"), ("w", "W"), ("q", "q")]);
    for (tex, symbols) in [
        (r"H^{-1} H", vec!["hinv", "h"]),
        (r"[H^{-1}]_{qq}", vec!["hinv", "q", "q"]),
        // With an index it is the same symbol.
        (r"H^{-1}_{qq}", vec!["hinv"]),
        (r"\hat W W_q", vec!["what", "w", "q"]),
        (r"H^{2}", vec!["h"]),
        (r"\frac{1}{2}", vec![]),
    ] {
        let formula = formulas.formula(tex, true).unwrap();
        assert_eq!(formula.symbols, symbols, "{tex}");
        assert_eq!(formula.html.matches("class=\"symbol\"").count(), symbols.len(), "{tex}");
        let math = Node::parse(&formula.html).unwrap();
        assert_eq!(deepest(&math), usize::from(!symbols.is_empty()), "{tex}: {}", formula.html);
    }
}

/// The most symbols within each other.
fn deepest(node: &Node) -> usize {
    let here = matches!(node, Node::Element { attributes, .. } if attributes.contains("symbol"));
    usize::from(here) + node.children().iter().map(deepest).max().unwrap_or(0)
}

#[test]
fn a_tree_is_written_as_it_was_read() {
    for text in ["<math><mi>H</mi><mspace width=\"1em\"></mspace></math>", "<math display=\"block\">a&lt;b</math>"] {
        assert_eq!(Node::parse(text).unwrap().to_string(), text);
    }
    for broken in ["<math><mi>H</math></mi>", "<math>", "</math>", "<mi>a</mi><mi>b</mi>", ""] {
        assert!(Node::parse(broken).is_none(), "{broken}");
    }
}

#[test]
fn colours_change_no_letter_of_any_source() {
    for source in sources() {
        assert_eq!(plain(&colour::html(&source).unwrap()), source);
    }
}

/// HTML without its tags.
fn plain(html: &str) -> String {
    let mut pieces = html.split('<');
    let first = pieces.next().unwrap_or_default().to_owned();
    let text = pieces.fold(first, |text, piece| text + piece.split_once('>').unwrap().1);
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[test]
fn words_are_coloured_by_what_they_are() {
    let html =
        colour::html("/// Doc.\nfn f<'a>(x: &'static str) -> Matrix { let y = \"// no\"; g(3, MOST) } // yes").unwrap();
    let coloured = |class: &str| {
        let begin = format!("<span class=\"{class}\">");
        html.split(&begin).skip(1).map(|rest| plain(rest.split("</span>").next().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(coloured("c"), ["/// Doc.", "// yes"]);
    assert_eq!(coloured("k"), ["fn", "let"]);
    assert_eq!(coloured("t"), ["str", "Matrix"]);
    assert_eq!(coloured("s"), ["\"// no\""]);
    assert_eq!(coloured("n"), ["3"]);
}

const SOURCE: &str = "struct A;\n\nimpl A {\n    /// Two.\n    #[inline]\n    fn two(&self) -> u8 {\n        // Why.\n        2\n    }\n}\n
fn one() {}\n\nmod tests {\n    fn one() {}\n}\n\nimpl B for A {\n    fn three() {}\n}\n\nimpl A {\n    fn three() {}\n}\n";

#[test]
fn a_function_is_cut_with_its_documentation() {
    let two = function::cut(SOURCE, "A::two").unwrap();
    assert_eq!(two.first_line, 4);
    assert_eq!(two.text, "/// Two.\n#[inline]\nfn two(&self) -> u8 {\n    // Why.\n    2\n}");
    assert_eq!(function::cut(SOURCE, "one").unwrap().first_line, 12);
}

#[test]
fn a_function_that_cannot_be_meant_is_refused() {
    for (name, why) in [("two", "no function"), ("A::one", "no function"), ("A::three", "2 functions")] {
        assert!(function::cut(SOURCE, name).unwrap_err().contains(why), "{name}");
    }
    assert!(function::cut("fn", "f").unwrap_err().contains("no Rust"));
}
