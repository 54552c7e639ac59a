//! The functions that callers see: one for each way to say where, or the one of the pin.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use crate::args::{Args, Pin};
use crate::expand::{function, inherit, name};
use crate::item::Item;
use crate::model::Model;

/// One of a function's stubs.
pub(crate) struct Stub<'a> {
    function: &'a Ident,
    args: &'a Args,
    route: Route<'a>,
}

/// How a stub says where its call goes.
enum Route<'a> {
    /// By a parameter, any target.
    Target,
    /// By its name, the primary.
    Primary,
    /// By a parameter, a region.
    Region,
    /// By its name, the region of the pin.
    Pinned(&'a str),
}

/// The stubs that a function of this name gets.
pub(crate) fn stubs<'a>(function: &'a Ident, args: &'a Args) -> impl Iterator<Item = Stub<'a>> {
    let routes = match &args.pin {
        None => vec![Route::Target, Route::Primary, Route::Region],
        Some(Pin::Primary) => vec![Route::Primary],
        Some(Pin::Region(region)) => vec![Route::Pinned(region)],
    };
    routes.into_iter().map(move |route| Stub {
        function,
        args,
        route,
    })
}

/// All stubs of a function, with their bodies.
pub(super) fn expand(item: &Item, args: &Args, model: &Model) -> TokenStream {
    stubs(&model.ident, args)
        .map(|stub| stub.expand(item, model))
        .collect()
}

impl Stub<'_> {
    /// The function's name and a suffix.
    pub(crate) fn ident(&self) -> Ident {
        let function = self.function;
        match self.route {
            Route::Target => format_ident!("{}_on", function),
            Route::Primary => format_ident!("{}_on_primary", function),
            Route::Region => format_ident!("{}_on_region", function),
            Route::Pinned(region) => format_ident!("{}_on_{}", function, region.replace('-', "_")),
        }
    }

    /// The parameter in front of the function's own, and a comma.
    pub(crate) fn selector(&self) -> Option<TokenStream> {
        let krate = &self.args.krate;
        let (name, ty) = match self.route {
            Route::Target => (name::of_variable("target"), quote!(Target)),
            Route::Region => (name::of_variable("region"), quote!(Region)),
            Route::Primary | Route::Pinned(_) => return None,
        };
        Some(quote!(#name: impl #krate::__private::Into<#krate::#ty>,))
    }

    fn expand(&self, item: &Item, model: &Model) -> TokenStream {
        // As a person would write it: a lifetime has a name only where elision does not say which one is meant.
        let (generics, loan, lifetime) = match model.loans() {
            0 => (None, None, quote!('static)),
            1 => (None, None, quote!('_)),
            _ => (Some(quote!(<'call>)), Some(quote!('call)), quote!('call)),
        };
        let parameters = model.arguments().map(|argument| {
            let (name, ty) = (argument.variable(), argument.stub_type(loan.as_ref()));
            quote!(#name: #ty)
        });
        let docs = self.docs(model);
        let conditions = inherit::conditions(&item.attrs);
        let deprecation = inherit::deprecation(&item.attrs);
        let lints = inherit::lints(&item.attrs);
        let length = self.length(model);
        let (vis, ident, selector) = (&item.vis, self.ident(), self.selector());
        let (krate, output) = (&self.args.krate, &model.output);
        let body = self.body(model);
        quote! {
            #[doc = #docs]
            #conditions
            #deprecation
            #lints
            #length
            #vis fn #ident #generics(#selector #(#parameters),*) -> #krate::Call<#lifetime, #output> {
                #body
            }
        }
    }

    fn body(&self, model: &Model) -> TokenStream {
        let krate = &self.args.krate;
        let (target, region) = (name::of_variable("target"), name::of_variable("region"));
        match self.route {
            Route::Target => self.call(&quote!(#target), model),
            Route::Primary => self.call(&quote!(#krate::Target::Primary), model),
            Route::Region => {
                let call = self.call(&quote!(#target), model);
                quote! {
                    let #target = #krate::Target::Region(#krate::__private::Into::into(#region));
                    #call
                }
            }
            Route::Pinned(name) => {
                let region = quote!(#krate::__private::Into::into(#name));
                self.call(&quote!(#krate::Target::Region(#region)), model)
            }
        }
    }

    /// The call itself; beside a stub for any target the others only choose the target.
    fn call(&self, target: &TokenStream, model: &Model) -> TokenStream {
        if self.args.pin.is_none() && !matches!(self.route, Route::Target) {
            let general = name::of_item(&format_ident!("{}_on", self.function));
            let names = model.arguments().map(|argument| argument.variable());
            return quote!(#general(#target #(, #names)*));
        }
        let krate = &self.args.krate;
        let function = function::ident(self.function);
        let values = model.arguments().map(|argument| argument.pack(krate));
        quote!(#krate::__private::call::<#function>(#target, (#(#values,)*)))
    }

    /// One line: what it calls, where, and how often.
    fn docs(&self, model: &Model) -> String {
        let (name, version) = (model.ident.unraw(), self.args.version);
        let place = match self.route {
            Route::Target => "on a node of `target`",
            Route::Primary => "in the primary region",
            Route::Region => "in `region`",
            Route::Pinned(region) => &format!("in region `{region}`"),
        };
        let delivery = if self.args.idempotent {
            "possibly more than once"
        } else {
            "at most once"
        };
        format!(" Calls [`{name}()`] (version {version}) {place}, {delivery}.")
    }

    /// Our parameter must not be the one too many for a lint that the user's function has satisfied.
    fn length(&self, model: &Model) -> Option<TokenStream> {
        let parameters = model.arguments().count() + usize::from(self.selector().is_some());
        (parameters > CLIPPY_ARGUMENTS_MAX).then(|| quote!(#[allow(clippy::too_many_arguments)]))
    }
}

/// The default of clippy's `too-many-arguments-threshold`.
const CLIPPY_ARGUMENTS_MAX: usize = 7;
