//! What comes out whatever happens: the user's item, and stand-ins for the stubs of a function that is refused.
//!
//! A refused function has one thing wrong, which its error says. Without stand-ins each of its calls would add
//! "cannot find function" to that.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::{FnArg, GenericParam, ReturnType};

use crate::args::Args;
use crate::expand::{conditions, stubs};
use crate::item::Item;
use crate::model;
use crate::types::{self, Place};

/// The user's item without `#[state]` and `#[context]`, which the compiler does not know.
///
/// Of a function only the parameters are searched: in its body another annotated function may stand, which still
/// needs its own. Other items are no better than what is in them.
pub(crate) fn without_markers(item: TokenStream, is_function: bool) -> TokenStream {
    item.into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => match group.delimiter() {
                Delimiter::Parenthesis => regroup(&group, unmark(group.stream())),
                Delimiter::Brace if !is_function => {
                    regroup(&group, without_markers(group.stream(), is_function))
                }
                _ => TokenTree::Group(group),
            },
            token => token,
        })
        .collect()
}

/// The tokens without the markers at this level.
fn unmark(tokens: TokenStream) -> TokenStream {
    let mut tokens = tokens.into_iter().peekable();
    let mut kept = TokenStream::new();
    while let Some(token) = tokens.next() {
        let is_hash = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        if is_hash && tokens.next_if(is_marker).is_some() {
            continue;
        }
        kept.extend([token]);
    }
    kept
}

/// Whether this is the `[state]` of `#[state]`.
fn is_marker(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    let first = group.stream().into_iter().next();
    group.delimiter() == Delimiter::Bracket
        && matches!(first, Some(TokenTree::Ident(name)) if name == "state" || name == "context")
}

fn regroup(group: &Group, tokens: TokenStream) -> TokenTree {
    let mut regrouped = Group::new(group.delimiter(), tokens);
    regrouped.set_span(group.span());
    TokenTree::Group(regrouped)
}

/// Stubs of the right names that take anything and compile, so that calls of a refused function add no errors.
pub(crate) fn stand_ins(item: &Item, args: &Args) -> Option<TokenStream> {
    let is_open = |parameter: &GenericParam| !matches!(parameter, GenericParam::Lifetime(_));
    if item.sig.generics.params.iter().any(is_open) || item.sig.receiver().is_some() {
        return None;
    }
    let output = match &item.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => {
            types::owned(ty, Place::Return).ok()?;
            quote!(#ty)
        }
    };
    let (krate, vis) = (&args.krate, &item.vis);
    let conditions = conditions(&item.attrs);
    let inputs = item.sig.inputs.iter();
    let arguments = inputs.filter(|input| travels(input)).count();
    let any: Vec<_> = (0..arguments)
        .map(|index| format_ident!("__Any{index}"))
        .collect();
    let stubs = stubs(&item.sig.ident, args).map(|stub| {
        let (ident, selector) = (stub.ident(), stub.selector());
        quote! {
            #conditions
            #vis fn #ident<#(#any),*>(#selector #(_: #any),*) -> #krate::Call<'static, #output> {
                loop {}
            }
        }
    });
    Some(stubs.collect())
}

fn travels(input: &FnArg) -> bool {
    match input {
        FnArg::Typed(parameter) => !parameter.attrs.iter().any(model::is_marker),
        FnArg::Receiver(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::without_markers;

    #[test]
    fn markers_inside_of_an_impl_block_go_too() {
        let item = quote!(impl A { fn f(&self, #[state] a: &A) {} });
        let untouched = quote!(impl A { fn f(&self, a: &A) {} });
        assert_eq!(
            without_markers(item, false).to_string(),
            untouched.to_string()
        );
    }

    #[test]
    fn markers_go_and_everything_else_stays() {
        let item = quote! {
            #[state] pub fn f(#[state] #[allow(unused)] a: &A, #[context] c: &C, #[doc = "state"] b: B) -> (u8,) {
                #[region_rpc] fn inner(#[state] a: &A) {}
            }
        };
        let untouched = quote! {
            #[state] pub fn f(#[allow(unused)] a: &A, c: &C, #[doc = "state"] b: B) -> (u8,) {
                #[region_rpc] fn inner(#[state] a: &A) {}
            }
        };
        assert_eq!(
            without_markers(item, true).to_string(),
            untouched.to_string()
        );
    }
}
