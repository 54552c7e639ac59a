//! What the library sees: a type that stands for the function, and its entry in the registry.

use std::time::Duration;

use proc_macro2::{Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, Path};

use crate::args::{Args, Pin};
use crate::expand::{inherit, name};
use crate::item::Item;
use crate::model::{Model, Parameter};

/// The type that stands for a function of this name.
pub(super) fn ident(ident: &Ident) -> Ident {
    // Found at the function's name, but not written there: no lint asks for a name in camel case.
    let span = Span::call_site().located_at(ident.span());
    format_ident!("__region_rpc_{}", ident, span = span)
}

/// The type, what it can do, and its entry.
pub(super) fn expand(item: &Item, args: &Args, model: &Model) -> TokenStream {
    let (vis, krate) = (&item.vis, &args.krate);
    let conditions = inherit::conditions(&item.attrs);
    let lints = inherit::lints(&item.attrs);
    let is_deprecated = !inherit::deprecation(&item.attrs).is_empty();
    let deprecated = is_deprecated.then(|| quote!(#[allow(deprecated)]));
    let function = ident(&model.ident);

    let lifetime = quote!('a);
    // A type that cannot travel is reported at the parameters, not at the attribute.
    let place = Span::call_site().located_at(item.sig.paren_token.span.join());
    let sent = model
        .arguments()
        .map(|argument| argument.sent_type(krate, &lifetime));
    let sent = quote_spanned!(place=> (#(#sent,)*));
    let decoded = model
        .arguments()
        .map(|argument| argument.decoded_type(krate, &lifetime));
    let decoded = quote_spanned!(place=> (#(#decoded,)*));
    let output = &model.output;
    let spec = spec(args, model);
    let local = local(krate, model);
    let serve = serve(krate, model);
    let own = own(args, model);
    quote! {
        #conditions
        #[doc(hidden)]
        #vis struct #function;
        #conditions
        #lints
        #deprecated
        impl #krate::__private::Function for #function {
            type Args<'a> = #sent;
            type Decoded<'a> = #decoded;
            type Output = #output;
            const SPEC: #krate::__private::Spec = #spec;
            #local
            #serve
            #own
        }
        #conditions
        #krate::__private::inventory::submit! {
            #krate::__private::Entry::of::<#function>()
        }
    }
}

/// Everything about the function that is no type, as a chain of `const` setters.
fn spec(args: &Args, model: &Model) -> TokenStream {
    let krate = &args.krate;
    let own_name = model.ident.unraw().to_string();
    let name = args.name.as_ref().map_or(own_name, |name| name.value());
    let version = Literal::u32_unsuffixed(args.version);
    let pin = args.pin.as_ref().map(|pin| match pin {
        Pin::Primary => quote!(.pinned(#krate::__private::Pin::Primary)),
        Pin::Region(region) => quote!(.pinned(#krate::__private::Pin::Region(#region))),
    });
    let idempotent = args.idempotent.then(|| quote!(.idempotent()));
    let detached = args.detached.then(|| quote!(.detached()));
    let blocking = args.blocking.as_ref().map(|_| quote!(.blocking()));
    let timeout = args.timeout.map(|timeout| {
        let timeout = duration(krate, timeout);
        quote!(.timeout(#timeout))
    });
    let names: Vec<_> = model
        .arguments()
        .map(|argument| argument.name.unraw().to_string())
        .collect();
    let parameters = (!names.is_empty()).then(|| quote!(.parameters(&[#(#names),*])));
    let types: Vec<_> = model.states().map(|state| &state.ty).collect();
    let states = (!types.is_empty())
        .then(|| quote!(.states(&[#(#krate::__private::StateType::of::<#types>()),*])));
    // `new` remembers where it is called, which is where the attribute stands.
    let new = quote!(#krate::__private::Spec::new(#name, #version));
    quote!(#new #pin #idempotent #detached #blocking #timeout #parameters #states)
}

fn duration(krate: &Path, duration: Duration) -> TokenStream {
    let duration_type = quote!(#krate::__private::Duration);
    if duration.subsec_millis() == 0 {
        let seconds = Literal::u64_unsuffixed(duration.as_secs());
        quote!(#duration_type::from_secs(#seconds))
    } else {
        let milliseconds = Literal::u128_unsuffixed(duration.as_millis());
        quote!(#duration_type::from_millis(#milliseconds))
    }
}

/// Calls the function with what the caller has in hand.
fn local(krate: &Path, model: &Model) -> TokenStream {
    let scope = name::of_variable("scope");
    let names = model.arguments().map(|argument| argument.variable());
    let values = model.parameters.iter().map(|parameter| match parameter {
        Parameter::Argument(argument) => argument.unpack(),
        Parameter::Context => quote!(#scope.context()),
        Parameter::State(state) => {
            let ty = &state.ty;
            if state.shared {
                quote!(#scope.shared_state::<#ty>())
            } else {
                quote!(#scope.state::<#ty>())
            }
        }
    });
    let is_scoped = model.parameters.len() > model.arguments().count();
    let scope = if is_scoped { quote!(#scope) } else { quote!(_) };
    let function = name::of_item(&model.ident);
    let wait = model.is_async.then(|| quote!(.await));
    // A future that is not `Send` is reported at the function's name.
    let place = Span::call_site().located_at(function.span());
    quote_spanned! {place=>
        async fn local(#scope: &#krate::__private::Scope, (#(#names,)*): Self::Args<'_>) -> Self::Output {
            #function(#(#values),*) #wait
        }
    }
}

/// Calls the function with what arrived.
fn serve(krate: &Path, model: &Model) -> TokenStream {
    let scope = name::of_variable("scope");
    let (pattern, value) = if model.arguments().any(|argument| argument.is_lent()) {
        let names = model.arguments().map(|argument| argument.variable());
        let values = model.arguments().map(|argument| argument.lend());
        (quote!((#(#names,)*)), quote!((#(#values,)*)))
    } else {
        let args = name::of_variable("args");
        (quote!(#args), quote!(#args))
    };
    quote! {
        async fn serve(#scope: &#krate::__private::Scope, #pattern: Self::Decoded<'_>) -> Self::Output {
            Self::local(#scope, #value).await
        }
    }
}

/// Takes the arguments as they are, if the caller lends nothing: for functions that leave the caller's task, and
/// for a lone argument, which may be sent as it is.
fn own(args: &Args, model: &Model) -> Option<TokenStream> {
    let leaves = args.detached || args.blocking.is_some();
    let is_alone = model.arguments().count() == 1;
    let krate = &args.krate;
    let result = quote!(#krate::__private::Result);
    let value = name::of_variable("args");
    ((leaves || is_alone) && model.loans() == 0).then(|| {
        quote! {
            fn own(#value: Self::Args<'_>) -> #result<Self::Decoded<'static>, Self::Args<'_>> {
                #result::Ok(#value)
            }
        }
    })
}
