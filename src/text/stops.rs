//! Texts at which generation ends, looked for in a text that comes in pieces.

/// Watches a text; what it hands on never contains a stop, nor the beginning of one that may still
/// be completed.
#[derive(Debug, Default)]
pub struct StopTexts {
    stops: Vec<String>,
    /// Not handed on yet: the beginning of a stop, perhaps.
    held: String,
}

impl StopTexts {
    /// Stops at any of these; empty ones are left out.
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        Self { stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(), held: String::new() }
    }

    /// Takes a piece: what can be shown of it, and the stop that was completed first, if one was.
    /// What follows the stop is dropped, and so is the stop.
    pub fn push(&mut self, piece: &str) -> (String, Option<&str>) {
        self.held.push_str(piece);
        if let Some((start, i)) = self.first() {
            self.held.truncate(start);
            return (std::mem::take(&mut self.held), Some(&self.stops[i]));
        }
        let keep = self.held.len() - self.unfinished();
        let later = self.held.split_off(keep);
        (std::mem::replace(&mut self.held, later), None)
    }

    /// What was held back, when nothing follows.
    pub fn finish(self) -> String {
        self.held
    }

    /// Where the stop begins that ends first (of those, the longest), and which it is.
    fn first(&self) -> Option<(usize, usize)> {
        let found = self.stops.iter().enumerate().filter_map(|(i, stop)| Some((self.held.find(stop)?, i)));
        found.min_by_key(|&(start, i)| (start + self.stops[i].len(), start))
    }

    /// Bytes of the longest end of what is held that is the beginning of a stop.
    fn unfinished(&self) -> usize {
        // Shorter than a whole stop, which would have been found.
        let longest = self.stops.iter().map(String::len).max().unwrap_or(1).min(self.held.len() + 1);
        let is_beginning = |n: &usize| {
            // An end that cuts a character in two is no beginning of a stop.
            let end = self.held.get(self.held.len() - n..);
            end.is_some_and(|end| self.stops.iter().any(|stop| stop.starts_with(end)))
        };
        (1..longest).rev().find(is_beginning).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text that is shown of `text`, cut into pieces of `step` characters, and the stop.
    fn shown(text: &str, step: usize, stops: &[&str]) -> (String, Option<String>) {
        let mut watch = StopTexts::new(stops.iter().map(|s| (*s).to_owned()));
        let mut shown = String::new();
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(step) {
            let (new, stop) = watch.push(&piece.iter().collect::<String>());
            shown.push_str(&new);
            if let Some(stop) = stop {
                return (shown, Some(stop.to_owned()));
            }
        }
        (shown + &watch.finish(), None)
    }

    #[track_caller]
    fn check(text: &str, stops: &[&str], want: &str, stop: Option<&str>) {
        for step in 1..=text.chars().count() {
            assert_eq!(shown(text, step, stops), (want.to_owned(), stop.map(str::to_owned)), "pieces of {step}");
        }
    }

    #[test]
    fn the_text_ends_before_the_stop_however_it_is_cut() {
        check("one\n\ntwo\n\n", &["\n\n"], "one", Some("\n\n"));
        check("aab aabb", &["abb", "x"], "aab a", Some("abb"));
        check("éé€é", &["€"], "éé", Some("€"));
    }

    #[test]
    fn the_stop_that_is_completed_first_counts() {
        check("xabcd", &["abcd", "bc"], "xa", Some("bc"));
        check("xabc", &["bc", "abc"], "x", Some("abc"));
    }

    #[test]
    fn without_a_stop_nothing_is_lost() {
        check("ab\n", &["\n\n", "abc"], "ab\n", None);
        check("anything", &[], "anything", None);
        check("anything", &[""], "anything", None);
    }

    #[test]
    fn only_a_possible_beginning_is_held_back() {
        let mut watch = StopTexts::new(["END".to_owned()]);
        assert_eq!(watch.push("the E").0, "the ");
        assert_eq!(watch.push("gg").0, "Egg");
    }
}
