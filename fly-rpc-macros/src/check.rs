//! The rules for a function as a whole. Those for one parameter are with its kind, in [`model`](crate::model).

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, GenericParam, Generics, Ident, Safety, Signature};

use crate::args::{self, Args};
use crate::errors::Errors;
use crate::model::Model;
use crate::types;

/// The rules for what stands in front of the parameters.
pub(crate) fn signature(sig: &Signature, args: &Args, errors: &mut Errors) {
    qualifiers(sig, errors);
    generics(&sig.generics, errors);
    ident(&sig.ident, args, errors);
    if let (Some(flag), Some(_)) = (&args.blocking, &sig.asyncness) {
        errors.push(Error::new(
            flag.span(),
            "an `async fn` must not block, and need not: call `spawn_blocking` inside of it, or make it a plain `fn`",
        ));
    }
}

/// The rules for the classified parameters.
pub(crate) fn model(model: &Model, errors: &mut Errors) {
    if let Some(one_too_many) = model.arguments().nth(ARGUMENTS_MAX) {
        errors.push(Error::new(
            one_too_many.name.span(),
            format!("at most {ARGUMENTS_MAX} arguments travel; group some of them into a struct"),
        ));
    }
}

/// Whether a lifetime, a type or a constant is left open.
pub(crate) fn is_generic(generics: &Generics) -> bool {
    !generics.params.is_empty() || generics.where_clause.is_some()
}

fn qualifiers(sig: &Signature, errors: &mut Errors) {
    let mut refuse = |span: Span, message: &str| errors.push(Error::new(span, message));
    if let Some(constness) = sig.constness {
        refuse(
            constness.span,
            "no call to another node is made at compile time; remove `const`",
        );
    }
    if let Safety::Unsafe(unsafety) = sig.safety {
        refuse(
            unsafety.span,
            "no caller can uphold a safety contract on another node; check it inside, and remove `unsafe`",
        );
    }
    if let Some(abi) = &sig.abi {
        refuse(
            abi.span(),
            "calls between nodes have an ABI of their own; remove `extern`",
        );
    }
    if let Some(variadic) = &sig.variadic {
        refuse(
            variadic.dots.span(),
            "the number of arguments is part of the contract; take a `Vec<T>` or `&[T]`",
        );
    }
}

fn generics(generics: &Generics, errors: &mut Errors) {
    for parameter in &generics.params {
        errors.push(match parameter {
            GenericParam::Lifetime(parameter) => types::named_lifetime(&parameter.lifetime),
            GenericParam::Type(parameter) => open(&parameter.ident),
            GenericParam::Const(parameter) => open(&parameter.ident),
        });
    }
    if let (Some(clause), true) = (&generics.where_clause, generics.params.is_empty()) {
        errors.push(Error::new(
            clause.where_token.span,
            "nothing is generic here that a condition could be about; remove the `where` clause",
        ));
    }
}

fn open(parameter: &Ident) -> Error {
    Error::new(
        parameter.span(),
        format!(
            "both nodes must agree on what `{parameter}` is; annotate one function for each concrete type, and let \
             it call the generic one"
        ),
    )
}

fn ident(ident: &Ident, args: &Args, errors: &mut Errors) {
    let name = ident.unraw().to_string();
    for suffix in ["_on", "_on_primary", "_on_region"] {
        if let Some(stem) = name.strip_suffix(suffix) {
            errors.push(Error::new(
                ident.span(),
                format!(
                    "a function `{stem}` would have a stub of this name; rename the function so that it does not \
                     end in `{suffix}`"
                ),
            ));
        }
    }
    if args.name.is_none()
        && let Some(wrong) = args::name_error(&name)
    {
        errors.push(Error::new(
            ident.span(),
            format!(
                "{wrong}; keep the function's name and give another to the wire: `name = \"…\"`"
            ),
        ));
    }
}

/// serde implements its traits for tuples of up to 16.
const ARGUMENTS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::{format_ident, quote};

    use super::{model, signature};
    use crate::args::Args;
    use crate::errors::Errors;
    use crate::item::Item;
    use crate::model::Model;

    fn errors(attribute: TokenStream, function: TokenStream) -> Vec<String> {
        let mut errors = Errors::default();
        let args = Args::read(attribute, &mut errors);
        let item = Item::read(function).unwrap();
        signature(&item.sig, &args, &mut errors);
        errors.messages()
    }

    #[test]
    fn a_plain_function_passes() {
        assert_eq!(
            errors(
                quote!(blocking),
                quote!(
                    fn turned_onward() {}
                )
            ),
            [""; 0]
        );
        assert_eq!(
            errors(
                quote!(),
                quote!(
                    async fn on() {}
                )
            ),
            [""; 0]
        );
    }

    #[test]
    fn every_qualifier_is_reported() {
        let function = quote!(
            const unsafe extern "C" fn f(a: u8, ...) {}
        );
        assert_eq!(errors(quote!(), function).len(), 4);
    }

    #[test]
    fn every_generic_parameter_is_reported() {
        let found = errors(
            quote!(),
            quote!(
                fn f<'a, T: Copy, const N: usize>()
                where
                    T: Send,
                {
                }
            ),
        );
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(
            errors(
                quote!(),
                quote!(
                    fn f()
                    where
                        u8: Send,
                    {
                    }
                )
            )
            .len(),
            1
        );
    }

    #[test]
    fn a_name_that_could_be_a_stub_is_refused() {
        for name in ["turn_on", "f_on_primary", "f_on_region"] {
            let ident = format_ident!("{name}");
            let found = errors(quote!(), quote!(fn #ident() {})).concat();
            assert!(found.contains("rename the function"), "{name}: {found}");
        }
    }

    #[test]
    fn a_name_for_the_wire_can_replace_one_that_does_not_fit() {
        assert!(
            errors(
                quote!(),
                quote!(
                    fn größe() {}
                )
            )
            .concat()
            .contains("name = \"…\"")
        );
        assert_eq!(
            errors(
                quote!(name = "size"),
                quote!(
                    fn größe() {}
                )
            ),
            [""; 0]
        );
    }

    #[test]
    fn blocking_is_for_plain_functions() {
        assert!(
            errors(
                quote!(blocking),
                quote!(
                    async fn f() {}
                )
            )
            .concat()
            .contains("must not block")
        );
    }

    #[test]
    fn sixteen_arguments_travel_and_seventeen_do_not() {
        let refused = |count: usize| {
            let names = (0..count).map(|index| format_ident!("a{index}"));
            let function = quote!(fn f(#[state] db: &Db, #(#names: u8),*) {});
            let mut errors = Errors::default();
            let item = Item::read(function).unwrap();
            model(&Model::read(&item, &mut errors).unwrap(), &mut errors);
            !errors.is_empty()
        };
        assert!(!refused(16));
        assert!(refused(17));
    }
}
