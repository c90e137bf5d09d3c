//! The states of all lessons as the query of an address: `?v=1&2.rho=0.95&3.cut=1,4`.

use super::{Field, Shared};

/// Another meaning of any name is another version.
pub const VERSION: &str = "1";

/// Longest query that is looked at. A link that people pass on is far shorter.
const LONGEST: usize = 16 << 10;

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// It is of another version of the page.
    Version,
    /// This part of it means nothing.
    Part(String),
}

/// The fields of a lesson, with the lesson's number before their names.
pub struct Numbered<'a> {
    /// The lesson, from 1.
    pub lesson: usize,
    /// Its values.
    pub fields: Vec<(&'static str, Field<'a>)>,
}

/// The values of a lesson that differ from those at the beginning, with their names in an address.
pub fn changed<T: Shared>(lesson: usize, mut state: T) -> Vec<(String, String)> {
    let mut start = T::default();
    let usual: Vec<String> = start.fields().iter().map(|(_, field)| field.written()).collect();
    let now = state.fields().into_iter().map(|(name, field)| (name, field.written()));
    let differs = now.zip(usual).filter(|((_, now), usual)| now != usual);
    differs.map(|((name, text), _)| (format!("{lesson}.{name}"), text)).collect()
}

/// The query for values that differ from those at the beginning; empty where none does.
pub fn written(values: impl Iterator<Item = (String, String)>) -> String {
    let mut values = values.peekable();
    if values.peek().is_none() {
        return String::new();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("v", VERSION).extend_pairs(values).finish()
}

/// Takes the values from a query, without the question mark. What it does not name stays.
///
/// # Errors
/// When any part of it means nothing: half a state would be another picture than was shared.
pub fn read(query: &str, lessons: &mut [Numbered<'_>]) -> Result<(), Damaged> {
    let part = |text: &str| Damaged::Part(text.chars().take(40).collect());
    if query.len() > LONGEST {
        return Err(part(query));
    }
    // The version comes first: without it no other name has a meaning.
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    match pairs.next() {
        None => return Ok(()),
        Some((key, version)) if key == "v" && version == VERSION => {}
        Some((key, _)) if key == "v" => return Err(Damaged::Version),
        Some((key, _)) => return Err(part(&key)),
    }
    let mut seen = Vec::new();
    for (key, text) in pairs {
        let found = key.split_once('.').and_then(|(lesson, name)| {
            let lesson: usize = lesson.parse().ok()?;
            let lesson = lessons.iter_mut().find(|numbered| numbered.lesson == lesson)?;
            lesson.fields.iter_mut().find(|(other, _)| *other == name)
        });
        let Some((_, field)) = found else { return Err(part(&key)) };
        // Which of two values was meant nobody can tell.
        if seen.contains(&key) || field.read(&text).is_none() {
            return Err(part(&format!("{key}={text}")));
        }
        seen.push(key);
    }
    Ok(())
}

/// The values of a lesson under its number.
pub fn numbered<T: Shared>(lesson: usize, state: &mut T) -> Numbered<'_> {
    Numbered { lesson, fields: state.fields() }
}

#[cfg(test)]
mod tests {
    use super::super::{Edit, fitting};
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    struct State {
        number: f64,
        count: usize,
        switch: bool,
        picks: Vec<usize>,
        numbers: Vec<f64>,
        edits: Vec<Edit>,
        text: String,
    }

    impl Shared for State {
        fn fields(&mut self) -> Vec<(&'static str, Field<'_>)> {
            vec![
                ("number", Field::Number { value: &mut self.number, least: -1.0, most: 1.0, digits: 2 }),
                ("count", Field::Count { value: &mut self.count, least: 0, most: 7 }),
                ("switch", Field::Switch(&mut self.switch)),
                ("picks", Field::Picks { value: &mut self.picks, below: 8, most: 3 }),
                ("numbers", Field::Numbers { value: &mut self.numbers, count: 2, least: 0.0, most: 1.0 }),
                ("edits", Field::Edits { value: &mut self.edits, shapes: &[[2, 3]] }),
                ("text", Field::Text { value: &mut self.text, longest: 20 }),
            ]
        }
    }

    fn taken(query: &str) -> Result<State, Damaged> {
        let mut state = State::default();
        read(query, &mut [numbered(2, &mut state)]).map(|()| state)
    }

    #[test]
    fn what_is_written_is_read_and_the_beginning_needs_no_query() {
        assert_eq!(written(changed(2, State::default()).into_iter()), "");
        let state = State {
            number: -0.25,
            count: 7,
            switch: true,
            picks: vec![3, 0, 7],
            numbers: vec![0.5, 1.0],
            edits: vec![Edit { matrix: 0, row: 1, column: 2, value: -1.5 }],
            text: "a&b=c d\u{e9}".into(),
        };
        let query = written(changed(2, state.clone()).into_iter());
        assert_eq!(taken(&query), Ok(state), "{query}");
    }

    #[test]
    fn whatever_is_damaged_is_refused_as_a_whole() {
        let refused = [
            "2.count=3",
            "v=1&2.count=8",
            "v=1&2.count=-1",
            "v=1&2.count",
            "v=1&2.number=2",
            "v=1&2.number=NaN",
            "v=1&2.number=0.125",
            "v=1&2.switch=yes",
            "v=1&2.picks=1,1",
            "v=1&2.picks=8",
            "v=1&2.picks=0,1,2,3",
            "v=1&2.numbers=0.5",
            "v=1&2.numbers=0.5,inf",
            "v=1&2.numbers=0.5,0.125",
            "v=1&2.edits=0_2_0_1",
            "v=1&2.edits=1_0_0_1",
            "v=1&2.edits=0_0_0",
            "v=1&2.edits=0_0_0_0.125",
            "v=1&3.count=1",
            "v=1&2.other=1",
            "v=1&count=1",
            "v=1&2.count=1&2.count=2",
            "v=1&2.text=a%00b",
            "x=1",
        ];
        for query in refused {
            assert!(matches!(taken(query), Err(Damaged::Part(_))), "{query}: {:?}", taken(query));
        }
        assert_eq!(taken("v=2&2.count=1"), Err(Damaged::Version));
        assert!(taken(&format!("v=1&2.text={}", "a".repeat(20_000))).is_err());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(10_000))]
        #[test]
        fn whatever_a_reader_does_stands_in_a_link(typed in "[\u{0}-\u{2ff}]{0,30}", cell in -20.0..20.0f64) {
            let edits = vec![Edit { matrix: 0, row: 1, column: 0, value: Edit::nearest(cell) }];
            let state = State { text: fitting(&typed, 20), edits, ..State::default() };
            proptest::prop_assert_eq!(taken(&written(changed(2, state.clone()).into_iter())), Ok(state));
        }

        #[test]
        fn no_query_harms(tail in "(v=1&)?([0-9]\\.(number|count|switch|picks|numbers|edits|text)=[-0-9a-z_,.%&=]{0,12}&?){0,4}.{0,8}") {
            // What is taken is seen, so that it can be written and leads back to itself.
            if let Ok(state) = taken(&tail) {
                let again = taken(&written(changed(2, state.clone()).into_iter()));
                proptest::prop_assert_eq!(again, Ok(state));
            }
        }
    }
}
