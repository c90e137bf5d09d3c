//! MathML as a tree, so that a symbol can be found in a formula.

use std::fmt::{self, Display};

/// An element with what is in it, or text.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `<name attributes>children</name>`.
    Element {
        /// Its name.
        name: String,
        /// As they were written, with the space before them.
        attributes: String,
        /// What is in it.
        children: Vec<Node>,
    },
    /// Escaped, as it was written.
    Text(String),
}

impl Node {
    /// An element.
    pub fn element(name: &str, attributes: &str, children: Vec<Node>) -> Self {
        Self::Element { name: name.into(), attributes: attributes.into(), children }
    }

    /// Reads what a generator wrote; `None` where tags do not match.
    pub fn parse(text: &str) -> Option<Node> {
        let mut open: Vec<(&str, &str, Vec<Node>)> = vec![("", "", Vec::new())];
        let mut rest = text;
        while !rest.is_empty() {
            let node = if let Some(tag) = rest.strip_prefix("</") {
                let (name, after) = tag.split_once('>')?;
                rest = after;
                let (opened, attributes, children) = open.pop()?;
                (opened == name).then(|| Node::element(name, attributes, children))?
            } else if let Some(tag) = rest.strip_prefix('<') {
                let (tag, after) = tag.split_once('>')?;
                rest = after;
                let (name, attributes) = tag.trim_end_matches('/').split_at(tag.find([' ', '/']).unwrap_or(tag.len()));
                if !tag.ends_with('/') {
                    open.push((name, attributes, Vec::new()));
                    continue;
                }
                Node::element(name, attributes, Vec::new())
            } else {
                let (text, after) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
                rest = after;
                Node::Text(text.into())
            };
            open.last_mut()?.2.push(node);
        }
        let (_, _, mut roots) = open.pop()?;
        // One formula is one element, and all are closed.
        (open.is_empty() && roots.len() == 1).then(|| roots.pop())?
    }

    /// What is in it; nothing in a text.
    pub fn children(&self) -> &[Node] {
        match self {
            Self::Element { children, .. } => children,
            Self::Text(_) => &[],
        }
    }

    /// Its name; none of a text.
    pub fn name(&self) -> &str {
        match self {
            Self::Element { name, .. } => name,
            Self::Text(_) => "",
        }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Element { name, attributes, children } => {
                write!(f, "<{name}{attributes}>")?;
                children.iter().try_for_each(|child| child.fmt(f))?;
                write!(f, "</{name}>")
            }
        }
    }
}
