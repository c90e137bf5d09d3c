//! The tree of columns: what of it is wanted and can be read, and how values become rows.
//!
//! A value comes with two levels (Dremel, Melnik et al. 2010): how many of the optional and repeated ones on its
//! way are there, and at which of the repeated ones it goes on.

use super::footer::{Element, Footer};
use super::packed::DAMAGED;

/// Deepest tree of columns.
const DEEPEST: usize = 32;
/// Most columns that are read, as of other tables, and most bytes of the path of one: each is held with its path.
const MOST: (usize, usize) = (1 << 14, 1 << 12);
/// How values are stored, by their numbers in the format.
const PHYSICAL: [&str; 8] =
    ["BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"];
/// Parts that lie in a row, in the older and the newer list of meanings.
const LISTS: [(i64, i16); 3] = [(1, 2), (2, 2), (3, 3)];

/// How a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    Bool,
    Int32,
    UInt32,
    Int64,
    UInt64,
    Float,
    Double,
    Text,
}

/// A column that is read.
#[derive(Debug)]
pub struct Leaf {
    /// Which of the file's columns it is.
    pub index: usize,
    /// Its path, with dots between.
    pub name: String,
    pub stored: Stored,
    /// The level of a value that is there.
    pub defined: u32,
    /// The level of what is repeated innermost; 0 where nothing is.
    pub repeated: u32,
}

/// How a part of a row is made of columns.
#[derive(Debug)]
pub enum Shape {
    /// The value of a column, by its place among those that are read.
    Value(usize),
    /// Parts with names.
    Group(Vec<(String, Shape)>),
    /// Something that is there from this level on.
    Optional(u32, Box<Shape>),
    /// Any number of the same.
    List {
        /// The level from which on there is one at least.
        defined: u32,
        /// The level of its next element.
        repeated: u32,
        of: Box<Shape>,
    },
}

/// What of a table is read.
#[derive(Debug)]
pub struct Schema {
    pub leaves: Vec<Leaf>,
    pub columns: Vec<(String, Shape)>,
    /// All of the file's columns, also those inside of others.
    pub count: usize,
}

/// Why nothing can be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    Wrong(String),
    /// None of the columns is wanted; there are these.
    Missing(Vec<String>),
}

impl Schema {
    /// The columns of a file that are `wanted`, or all that hold text or numbers.
    pub fn of(footer: &Footer, wanted: Option<&[&str]>) -> Result<Self, Unfit> {
        let mut walk =
            Walk { elements: footer.elements.iter(), leaves: Vec::new(), seen: 0, is_named: wanted.is_some() };
        let wrong = |reason: String| Unfit::Wrong(format!("{reason}; {DAMAGED}"));
        let root = walk.elements.next().ok_or_else(|| wrong("it has no columns".into()))?;
        let (mut columns, mut names) = (Vec::new(), Vec::new());
        for _ in 0..root.children {
            let name = walk.elements.as_slice().first().map(|element| element.name.clone());
            let name = name.ok_or_else(|| wrong("columns are missing".into()))?;
            let is_wanted = wanted.is_none_or(|wanted| wanted.contains(&name.as_str()));
            let stored = walk.elements.as_slice().first().map(physical).unwrap_or_default();
            match walk.node(&Above::default(), is_wanted).map_err(wrong)? {
                Some(shape) => columns.push((name.clone(), shape)),
                None if is_wanted && wanted.is_some() => {
                    return Err(Unfit::Wrong(format!("column \"{name}\" holds {stored}, and no text")));
                }
                None => {}
            }
            names.push(name);
        }
        match columns.is_empty() {
            true => Err(Unfit::Missing(names)),
            false => Ok(Self { leaves: walk.leaves, columns, count: walk.seen }),
        }
    }
}

/// What stands above a node of the tree.
#[derive(Clone, Default)]
struct Above {
    path: String,
    defined: u32,
    repeated: u32,
    depth: usize,
}

struct Walk<'a> {
    elements: std::slice::Iter<'a, Element>,
    leaves: Vec<Leaf>,
    /// Columns so far.
    seen: usize,
    /// Whether what is read was asked for by its name.
    is_named: bool,
}

impl Walk<'_> {
    /// The next element with all that is inside of it; `None` where nothing of it is read.
    fn node(&mut self, above: &Above, is_wanted: bool) -> Result<Option<Shape>, String> {
        let element = self.elements.next().ok_or("columns are missing")?;
        let own = Above {
            path: if above.depth == 0 { element.name.clone() } else { format!("{}.{}", above.path, element.name) },
            defined: above.defined + u32::from(element.repetition != 0),
            repeated: above.repeated + u32::from(element.repetition == 2),
            depth: above.depth + 1,
        };
        if own.depth > DEEPEST {
            return Err(format!("columns are nested deeper than {DEEPEST}"));
        }
        if own.path.len() > MOST.1 || (is_wanted && self.leaves.len() >= MOST.0) {
            return Err(format!(
                "it has more than {} columns, or one with a path of more than {} bytes",
                MOST.0, MOST.1
            ));
        }
        if !(0..=2).contains(&element.repetition) {
            return Err(format!("column \"{}\" has repetition {}, which there is not", own.path, element.repetition));
        }
        let shape = match element.physical {
            Some(_) => self.leaf(element, &own, is_wanted),
            None => self.group(element, &own, is_wanted)?,
        };
        let Above { defined, repeated, .. } = own;
        Ok(shape.map(|shape| match element.repetition {
            0 => shape,
            1 => Shape::Optional(defined, Box::new(shape)),
            _ => Shape::List { defined, repeated, of: Box::new(shape) },
        }))
    }

    fn leaf(&mut self, element: &Element, own: &Above, is_wanted: bool) -> Option<Shape> {
        let index = self.seen;
        // Wanted or not: a group of rows has a chunk for each.
        self.seen += 1;
        let stored = stored(element, self.is_named).filter(|_| is_wanted)?;
        let Above { path: name, defined, repeated, .. } = own.clone();
        self.leaves.push(Leaf { index, name, stored, defined, repeated });
        Some(Shape::Value(self.leaves.len() - 1))
    }

    fn group(&mut self, element: &Element, own: &Above, is_wanted: bool) -> Result<Option<Shape>, String> {
        let (mut parts, mut inside) = (Vec::new(), 0);
        for _ in 0..element.children {
            let inner = self.elements.as_slice().first().ok_or("columns are missing")?;
            let name = inner.name.clone();
            inside = inner.children;
            let part = self.node(own, is_wanted)?;
            parts.extend(part.map(|part| (name, part)));
        }
        let is_list = LISTS.iter().any(|&(old, new)| element.converted == Some(old) || element.logical == Some(new));
        Ok(match parts.len() {
            0 => None,
            // A list is a group around what is repeated, and so is a map.
            1 if is_list && element.children == 1 => {
                parts.pop().map(|(name, part)| elements(element, (&name, inside), part))
            }
            _ => Some(Shape::Group(parts)),
        })
    }
}

/// The elements of a list without the group that most writers put around each, which has this name and so many parts,
/// read or not.
fn elements(list: &Element, (name, inside): (&str, u64), part: Shape) -> Shape {
    let Shape::List { defined, repeated, of } = part else { return part };
    // Several parts, and two names of older writers, say that the group is the element (the format's rules for lists).
    let is_element = inside != 1 || name == "array" || name == format!("{}_tuple", list.name);
    let of = match *of {
        Shape::Group(mut parts) if parts.len() == 1 && !is_element => {
            parts.pop().map_or(Shape::Group(parts), |(_, part)| part)
        }
        whole => whole,
    };
    Shape::List { defined, repeated, of: Box::new(of) }
}

/// What an element holds, in the format's own words.
fn physical(element: &Element) -> &'static str {
    let number = element.physical.and_then(|number| usize::try_from(number).ok());
    number.map_or("a structure", |number| PHYSICAL.get(number).copied().unwrap_or("values of an unknown type"))
}

/// How a value is stored, if it is a text or a number.
fn stored(element: &Element, is_named: bool) -> Option<Stored> {
    let (converted, logical) = (element.converted, element.logical);
    let is_plain = converted.is_none() && logical.is_none();
    // Whole numbers of some width (10, 11 to 18); dates, times and decimals are none.
    let is_whole = is_plain || logical == Some(10) || matches!(converted, Some(11..=18));
    // A column of nulls alone, which nobody told a type (11).
    let is_null = logical == Some(11);
    let is_unsigned = matches!(converted, Some(11..=14));
    // Text, one of several, JSON.
    let is_text = matches!(logical, Some(1 | 4 | 12)) || matches!(converted, Some(0 | 4 | 19));
    match element.physical? {
        0 => Some(Stored::Bool),
        1 if is_whole || is_null => Some(if is_unsigned { Stored::UInt32 } else { Stored::Int32 }),
        2 if is_whole => Some(if is_unsigned { Stored::UInt64 } else { Stored::Int64 }),
        4 => Some(Stored::Float),
        5 => Some(Stored::Double),
        // Bytes that nothing is said of are pictures as often as texts.
        6 if is_text || (is_plain && is_named) => Some(Stored::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(name: &str, physical: Option<i64>, children: usize) -> Element {
        Element { name: name.to_owned(), physical, children: children as u64, ..Element::default() }
    }

    fn schema(elements: Vec<Element>) -> Result<Schema, String> {
        Schema::of(&Footer { elements, groups: Vec::new() }, None).map_err(|unfit| format!("{unfit:?}"))
    }

    #[test]
    fn columns_take_no_more_memory_than_a_table_needs() {
        let many = |count: usize| {
            let columns = (0..count).map(|i| element(&i.to_string(), Some(1), 0));
            schema([element("schema", None, count)].into_iter().chain(columns).collect())
        };
        assert_eq!(many(MOST.0).unwrap().leaves.len(), MOST.0);
        assert!(many(MOST.0 + 1).unwrap_err().contains("more than 16384 columns"));
        let deep = |length: usize| {
            let name = "x".repeat(length);
            schema(vec![element("schema", None, 1), element(&name, None, 1), element("a", Some(1), 0)])
        };
        assert_eq!(deep(MOST.1 - 2).unwrap().leaves[0].name.len(), MOST.1);
        assert!(deep(MOST.1 - 1).unwrap_err().contains("path"));
    }

    #[test]
    fn a_column_of_nulls_is_read_and_a_date_is_not() {
        for (logical, found) in [(Some(11), Some(Stored::Int32)), (Some(6), None), (None, Some(Stored::Int32))] {
            assert_eq!(stored(&Element { logical, ..element("a", Some(1), 0) }, true), found);
        }
    }

    #[test]
    fn a_group_of_several_parts_is_an_element_though_one_of_them_is_read() {
        for (inside, is_group) in [(1, false), (2, true)] {
            let list = Element { repetition: 1, converted: Some(3), ..element("list", None, 1) };
            let each = Element { repetition: 2, ..element("each", None, inside) };
            let text = Element { converted: Some(0), ..element("text", Some(6), 0) };
            let date = Element { converted: Some(6), ..element("date", Some(1), 0) };
            let all = [element("schema", None, 1), list, each, text, date].into_iter().take(3 + inside).collect();
            let Schema { columns, .. } = schema(all).unwrap();
            let Shape::Optional(1, list) = &columns[0].1 else { panic!("{columns:?}") };
            let Shape::List { defined: 2, repeated: 1, of } = &**list else { panic!("{columns:?}") };
            assert_eq!(matches!(**of, Shape::Group(_)), is_group, "{columns:?}");
        }
    }

    #[test]
    fn what_is_repeated_as_nothing_can_be_is_refused() {
        for (repetition, is_right) in [(0, true), (1, true), (2, true), (3, false), (-1, false)] {
            let column = Element { repetition, ..element("a", Some(1), 0) };
            assert_eq!(schema(vec![element("schema", None, 1), column]).is_ok(), is_right, "{repetition}");
        }
    }
}
