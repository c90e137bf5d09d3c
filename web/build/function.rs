//! The lines that ran: a function cut out of the source by its name.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A function as it stands in its file.
#[derive(Debug)]
pub struct Function {
    /// The line at which it begins with its documentation, counted from one.
    pub first_line: usize,
    /// Its lines, moved to the left.
    pub text: String,
}

/// Cuts `name` out of `source`: a free function, or `Type::function`.
pub fn cut(source: &str, name: &str) -> Result<Function, String> {
    let file = syn::parse_file(source).map_err(|error| format!("no Rust: {error}"))?;
    let mut search = Search { name, within: None, found: Vec::new() };
    search.visit_file(&file);
    match search.found[..] {
        [(first, last)] => Ok(lines(source, first, last)),
        [] => Err(format!("there is no function {name}")),
        _ => Err(format!("there are {} functions {name}", search.found.len())),
    }
}

/// Lines `first` to `last`, counted from one, without the indentation of the first.
fn lines(source: &str, first: usize, last: usize) -> Function {
    let lines: Vec<&str> = source.lines().skip(first - 1).take(last + 1 - first).collect();
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    // A blank line has no indentation to lose.
    let text: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or("")).collect();
    Function { first_line: first, text: text.join("\n") }
}

struct Search<'a> {
    name: &'a str,
    /// The type or trait whose functions are looked at.
    within: Option<String>,
    /// First and last line of each.
    found: Vec<(usize, usize)>,
}

impl Search<'_> {
    fn look(&mut self, attributes: &[syn::Attribute], signature: &syn::Signature, whole: proc_macro2::Span) {
        let name = match &self.within {
            Some(of) => format!("{of}::{}", signature.ident),
            None => signature.ident.to_string(),
        };
        if name == self.name {
            // Its documentation belongs to it: there the formula stands.
            let first = attributes.iter().map(|a| a.span().start().line).min();
            self.found.push((first.unwrap_or(usize::MAX).min(whole.start().line), whole.end().line));
        }
    }

    fn inside(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        let outside = self.within.replace(name);
        visit(self);
        self.within = outside;
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        // Tests may repeat a name; they do not run here.
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_impl(&mut self, of: &'ast syn::ItemImpl) {
        let name = match of.self_ty.as_ref() {
            syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        self.inside(name.unwrap_or_default(), |search| visit::visit_item_impl(search, of));
    }

    fn visit_item_trait(&mut self, of: &'ast syn::ItemTrait) {
        self.inside(of.ident.to_string(), |search| visit::visit_item_trait(search, of));
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.look(&function.attrs, &function.sig, function.span());
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.look(&function.attrs, &function.sig, function.span());
    }
}
