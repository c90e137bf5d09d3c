//! Every word of the page. `build.rs` makes them of `texts/`, with formulas as MathML and the lines
//! of source cut out of the files that run.

/// A lesson, as HTML where nothing else is said.
pub struct Lesson {
    /// From 1; lessons are `#lesson-N`.
    pub number: usize,
    /// Its name in the file of its text.
    pub slug: &'static str,
    /// A question, as plain text.
    pub title: &'static str,
    /// What it says before its figure.
    pub body: &'static str,
    /// What is to be done, and what the page checks.
    pub task: &'static str,
    /// What is to be remembered.
    pub remember: [&'static str; 2],
    /// What ran.
    pub lines: &'static [Lines],
    /// Ids of the symbols in its formulas, as they come.
    pub symbols: &'static [&'static str],
}

/// A function of the library.
pub struct Lines {
    /// `function` or `Type::function`.
    pub name: &'static str,
    /// From the repository's root.
    pub path: &'static str,
    /// The line of the file at which it begins.
    pub first_line: usize,
    /// Its source, coloured by classes.
    pub html: &'static str,
}

/// A symbol of the glossary. In formulas it has its id as `data-symbol`.
pub struct Symbol {
    /// Its entry is `#symbol-ID`.
    pub id: &'static str,
    /// Its formula, as HTML.
    pub math: &'static str,
    /// What it is called, as plain text.
    pub name: &'static str,
    /// What it means, as HTML.
    pub meaning: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/text.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lessons_are_numbered_and_whole() {
        for (index, lesson) in LESSONS.iter().enumerate() {
            assert_eq!(lesson.number, index + 1);
            assert!(!lesson.lines.is_empty() && !lesson.slug.is_empty(), "{}", lesson.title);
            assert!(lesson.title.ends_with('?'), "{}", lesson.title);
        }
    }

    #[test]
    fn every_symbol_of_a_formula_is_explained_and_every_explained_one_is_used() {
        for lesson in &LESSONS {
            for id in lesson.symbols {
                assert!(SYMBOLS.iter().any(|symbol| symbol.id == *id), "{}: {id}", lesson.title);
            }
        }
        for symbol in SYMBOLS {
            assert!(LESSONS.iter().any(|lesson| lesson.symbols.contains(&symbol.id)), "{}", symbol.name);
        }
    }

    #[test]
    fn phrases_put_what_changes_in_its_place() {
        assert_eq!(say::undo(), "Undo");
        assert_eq!(say::step_of(2, 7), "step 2 of 7");
        assert_eq!(say::cell("W", 1, 2, -0.5), "W, row 1, column 2: -0.5");
    }
}
