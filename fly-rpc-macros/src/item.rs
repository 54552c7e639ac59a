//! What the attribute stands on: a function whose signature is read and whose body is not.
//!
//! The body stays a run of tokens. Its mistakes are then reported by the compiler, once and in its own words, and
//! syntax that is younger than our parser does no harm.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Signature, Token, Visibility};

/// A function as far as it matters here.
pub(crate) struct Item {
    /// All attributes below ours, doc comments among them.
    pub(crate) attrs: Vec<Attribute>,
    /// The visibility, which everything generated has too.
    pub(crate) vis: Visibility,
    /// Everything between the visibility and the body.
    pub(crate) sig: Signature,
}

impl Item {
    /// Reads the function, or says what stands there in its place.
    pub(crate) fn read(tokens: TokenStream) -> syn::Result<Self> {
        match keyword(tokens.clone()) {
            Some(keyword) => Err(not_a_function(&keyword)),
            None => syn::parse2(tokens),
        }
    }
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let item = Self {
            attrs: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            sig: input.parse()?,
        };
        if input.peek(Token![;]) {
            return Err(input.error(
                "a function without a body cannot be served; give it one, outside of any trait or `extern` block",
            ));
        }
        input.parse::<TokenStream>()?;
        Ok(item)
    }
}

/// The keyword of an item that is no function. Attributes and visibilities are skipped, as their words are in groups.
fn keyword(tokens: TokenStream) -> Option<Ident> {
    const ITEMS: [&str; 11] = [
        "enum",
        "impl",
        "macro",
        "macro_rules",
        "mod",
        "static",
        "struct",
        "trait",
        "type",
        "union",
        "use",
    ];
    let before_body = tokens.into_iter().take_while(
        |token| !matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace),
    );
    let mut words = before_body.filter_map(|token| match token {
        TokenTree::Ident(word) => Some(word),
        _ => None,
    });
    words
        .find(|word| *word == "fn" || ITEMS.iter().any(|item| word == item))
        .filter(|word| word != "fn")
}

fn not_a_function(keyword: &Ident) -> Error {
    let cure = match keyword.to_string().as_str() {
        "impl" => "move the function out of the `impl` block and annotate it there",
        "trait" => "annotate the functions that the nodes should serve",
        "mod" => "annotate the functions inside the module, one by one",
        _ => "annotate the function that should be called",
    };
    let article = if keyword.to_string().starts_with(['e', 'i']) {
        "an"
    } else {
        "a"
    };
    Error::new(
        keyword.span(),
        format!("`#[region_rpc]` belongs on a function, this is {article} `{keyword}`; {cure}"),
    )
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::Item;

    fn error(tokens: TokenStream) -> String {
        let item = Item::read(tokens);
        item.err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn a_body_that_is_not_rust_yet_is_no_error() {
        let item = Item::read(quote! { pub(crate) async fn f(a: u8) { let half = a. } });
        assert_eq!(item.unwrap().sig.ident, "f");
    }

    #[test]
    fn every_qualifier_is_still_a_function() {
        assert!(Item::read(quote! { pub const unsafe extern "C" fn f() {} }).is_ok());
    }

    #[test]
    fn other_items_are_named_in_the_error() {
        assert!(error(quote! { pub struct S { f: fn() } }).contains("this is a `struct`"));
        assert!(error(quote! { impl S { fn f() {} } }).contains("out of the `impl` block"));
        assert!(error(quote! { pub(crate) trait T { fn f(); } }).contains("this is a `trait`"));
        assert!(error(quote! { type F = fn(u8); }).contains("this is a `type`"));
    }

    #[test]
    fn a_function_without_a_body_is_refused() {
        assert!(error(quote! { fn f(a: u8); }).contains("without a body"));
    }
}
