//! TeX to MathML, in which every symbol of the glossary can be pointed at.

use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};

use super::mathml::Node;

/// Makes formulas, with the symbols of one glossary.
pub struct Formulas {
    converter: LatexToMathML,
    symbols: Vec<(String, Node)>,
}

/// A formula and what occurs in it.
pub struct Formula {
    /// `<math>…</math>`.
    pub html: String,
    /// The symbols' ids, in order and once for each occurrence.
    pub symbols: Vec<String>,
}

impl Formulas {
    /// Of a glossary without symbols.
    pub fn new() -> Result<Self, String> {
        let config = MathCoreConfig::default();
        let converter = LatexToMathML::new(config).map_err(|(error, ..)| error.error_message())?;
        Ok(Self { converter, symbols: Vec::new() })
    }

    /// Adds a symbol: from now on it is found in formulas.
    pub fn add(&mut self, id: &str, tex: &str) -> Result<(), String> {
        let math = self.convert(tex, MathDisplay::Inline)?;
        let [symbol] = math.children() else {
            return Err(format!("${tex}$ is more than one symbol"));
        };
        if let Some((other, _)) = self.symbols.iter().find(|(other, math)| other == id || math == symbol) {
            return Err(format!("the symbol {id} is {other} already"));
        }
        self.symbols.push((id.into(), symbol.clone()));
        Ok(())
    }

    /// Whether the glossary has the symbol.
    pub fn knows(&self, id: &str) -> bool {
        self.symbols.iter().any(|(known, _)| known == id)
    }

    /// The formula, its symbols wrapped.
    pub fn formula(&self, tex: &str, display: bool) -> Result<Formula, String> {
        let display = if display { MathDisplay::Block } else { MathDisplay::Inline };
        let mut symbols = Vec::new();
        let math = self.wrapped(self.convert(tex, display)?, &mut symbols);
        Ok(Formula { html: math.to_string(), symbols })
    }

    fn convert(&self, tex: &str, display: MathDisplay) -> Result<Node, String> {
        let result = self.converter.convert_with_local_state(tex, display);
        let mathml = result.map_err(|error| format!("${tex}$: {}", error.error_message()))?.mathml;
        // The page's policy drops styles without a word, and the formula would be shown wrongly.
        if mathml.contains("style=") {
            return Err(format!("${tex}$ needs a style, which the page's security policy forbids"));
        }
        Node::parse(&mathml).ok_or_else(|| format!("${tex}$ became what is no MathML: {mathml}"))
    }

    fn wrapped(&self, node: Node, found: &mut Vec<String>) -> Node {
        // From the outside in, so that H⁻¹ is found before the H in it.
        if let Some((id, _)) = self.symbols.iter().find(|(_, symbol)| is_of(&node, symbol)) {
            found.push(id.clone());
            return Node::element("mrow", &format!(" class=\"symbol\" data-symbol=\"{id}\""), vec![node]);
        }
        match node {
            Node::Text(_) => node,
            Node::Element { name, attributes, children } => {
                let children = children.into_iter().map(|child| self.wrapped(child, found)).collect();
                Node::Element { name, attributes, children }
            }
        }
    }
}

/// Whether a node is the symbol, or the symbol with an index: H⁻¹ with one is a `msubsup`.
fn is_of(node: &Node, symbol: &Node) -> bool {
    match (node.children(), symbol.children()) {
        ([base, _, power], [of, to]) if node.name() == "msubsup" && symbol.name() == "msup" => {
            base == of && power == to
        }
        _ => node == symbol,
    }
}
