//! From the tokens of an attribute and an item to the tokens that replace them.

mod argument;
mod function;
mod inherit;
mod name;
mod stub;

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::check;
use crate::errors::Errors;
use crate::fallback;
use crate::item::Item;
use crate::model::Model;

pub(crate) use inherit::conditions;
pub(crate) use stub::stubs;

/// What `#[region_rpc]` does.
pub(crate) fn region_rpc(attribute: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::read(attribute, &mut errors);
    let item = errors.keep(Item::read(tokens.clone()));
    let untouched = fallback::without_markers(tokens, item.is_some());
    let generated = item.map(|item| generate(&item, &args, &mut errors));
    let errors = errors.into_compile_errors();
    quote!(#untouched #generated #errors)
}

/// Everything beside the user's function: the real things, or stand-ins if its signature is refused.
fn generate(item: &Item, args: &Args, errors: &mut Errors) -> TokenStream {
    let mut refusals = Errors::default();
    check::signature(&item.sig, args, &mut refusals);
    // What a generic parameter stands for is unknown, so its uses have no kind.
    let is_concrete = !check::is_generic(&item.sig.generics);
    let model = is_concrete
        .then(|| Model::read(item, &mut refusals))
        .flatten();
    if let Some(model) = &model {
        check::model(model, &mut refusals);
    }
    match model {
        Some(model) if refusals.is_empty() => expand(item, args, &model),
        _ => {
            errors.append(refusals);
            fallback::stand_ins(item, args).unwrap_or_default()
        }
    }
}

fn expand(item: &Item, args: &Args, model: &Model) -> TokenStream {
    let stubs = stub::expand(item, args, model);
    let function = function::expand(item, args, model);
    quote!(#stubs #function)
}
