//! Names that mean what they should beside any parameter of the user's.
//!
//! A variable with a mixed-site span is invisible to the user's code, and the user's variables are to it. A mixed-site
//! name that is no variable is looked up where the attribute stands: a way past a parameter to the item behind it.

use proc_macro2::{Ident, Span};

/// A parameter of the user's. It keeps its place in the source, but is no longer written by the user: who calls it
/// `_text` is not told that a stub uses it.
pub(super) fn of_argument(ident: &Ident) -> Ident {
    at(ident, Span::call_site())
}

/// A variable of ours: a parameter of this name is another one.
pub(super) fn of_variable(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The item of this name, even where a parameter has it too.
pub(super) fn of_item(ident: &Ident) -> Ident {
    at(ident, Span::mixed_site())
}

fn at(ident: &Ident, site: Span) -> Ident {
    let mut name = ident.clone();
    name.set_span(site.located_at(ident.span()));
    name
}
