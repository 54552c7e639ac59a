//! One argument on its way: in the caller's hands, in the tuple that travels, in the tuple that arrives.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Path;

use crate::expand::name;
use crate::model::{Argument, Kind};

impl Argument {
    /// The variable that holds it, wherever it is.
    pub(super) fn variable(&self) -> Ident {
        name::of_argument(&self.name)
    }

    /// Its type as a parameter of a stub.
    pub(super) fn stub_type(&self, loan: Option<&TokenStream>) -> TokenStream {
        match &self.kind {
            Kind::Owned(ty) => quote!(#ty),
            Kind::Str(ty) | Kind::Bytes(ty) | Kind::Reference(ty) => quote!(&#loan #ty),
            Kind::OptionalStr(option, ty) => quote!(#option<&#loan #ty>),
            Kind::Slice(ty) => quote!(&#loan [#ty]),
        }
    }

    /// From a stub's parameter into the tuple that travels.
    pub(super) fn pack(&self, krate: &Path) -> TokenStream {
        let name = self.variable();
        match self.kind {
            Kind::Bytes(_) => quote!(#krate::__private::ByteSlice(#name)),
            _ => quote!(#name),
        }
    }

    /// Its type in the tuple that travels.
    pub(super) fn sent_type(&self, krate: &Path, lifetime: &TokenStream) -> TokenStream {
        match self.kind {
            Kind::Bytes(_) => quote!(#krate::__private::ByteSlice<#lifetime>),
            _ => self.stub_type(Some(lifetime)),
        }
    }

    /// Its type in the tuple that arrives.
    pub(super) fn decoded_type(&self, krate: &Path, lifetime: &TokenStream) -> TokenStream {
        match &self.kind {
            Kind::Slice(ty) => quote!(#krate::__private::Vec<#ty>),
            Kind::Reference(ty) => quote!(#ty),
            _ => self.sent_type(krate, lifetime),
        }
    }

    /// From the tuple that arrives into one as if it had not travelled.
    pub(super) fn lend(&self) -> TokenStream {
        let name = self.variable();
        if self.is_lent() {
            quote!(&#name)
        } else {
            quote!(#name)
        }
    }

    /// From the tuple that travels to the function.
    pub(super) fn unpack(&self) -> TokenStream {
        let name = self.variable();
        match self.kind {
            Kind::Bytes(_) => quote!(#name.0),
            _ => quote!(#name),
        }
    }

    /// Whether what arrives is owned by the server, and lent to the function.
    pub(super) fn is_lent(&self) -> bool {
        matches!(self.kind, Kind::Slice(_) | Kind::Reference(_))
    }
}
