//! A parameter that the serving node fills in: it is marked, and appears neither in a stub nor on the wire.

use syn::{Attribute, Error, PatType, Type};

use crate::types::{self, Place};

/// A parameter marked `#[state]`.
pub(crate) struct State {
    /// The type it is found by.
    pub(crate) ty: Type,
    /// Whether the function takes an `Arc` of it.
    pub(crate) shared: bool,
}

impl State {
    pub(super) fn read(parameter: &PatType) -> syn::Result<Self> {
        const CURE: &str = "a state is taken as `&T` or `Arc<T>`; write one of the two";
        let state = match types::peel(&parameter.ty) {
            Type::Reference(reference) => {
                types::elided(reference)?;
                Self {
                    ty: types::peel(&reference.elem).clone(),
                    shared: false,
                }
            }
            ty => Self {
                ty: types::argument_of(ty, "Arc")
                    .map(|ty| types::peel(ty).clone())
                    .ok_or_else(|| Error::new_spanned(ty, CURE))?,
                shared: true,
            },
        };
        if matches!(state.ty, Type::Slice(_)) || types::is(&state.ty, "str") {
            return Err(Error::new_spanned(
                &state.ty,
                "a state is found by its type, which has to be `Sized`; wrap it in a struct of your own",
            ));
        }
        types::owned(&state.ty, Place::State)?;
        Ok(state)
    }
}

/// Who fills in a parameter, if it is not the caller.
pub(super) enum Marker {
    /// `#[state]`
    State,
    /// `#[context]`
    Context,
}

impl Marker {
    pub(super) fn read(attrs: &[Attribute]) -> syn::Result<Option<Self>> {
        let mut markers = attrs.iter().filter(|attr| is_marker(attr));
        let Some(marker) = markers.next() else {
            return Ok(None);
        };
        if let Some(second) = markers.next() {
            return Err(Error::new_spanned(
                second,
                "a parameter is filled in once; keep either `#[state]` or `#[context]`",
            ));
        }
        let (name, kind) = if marker.path().is_ident("state") {
            ("state", Self::State)
        } else {
            ("context", Self::Context)
        };
        if marker.meta.require_path_only().is_err() {
            return Err(Error::new_spanned(
                marker,
                format!("the parameter's type says it all: write only `#[{name}]`"),
            ));
        }
        Ok(Some(kind))
    }
}

/// Whether the attribute is one of ours, and therefore unknown to the compiler.
pub(crate) fn is_marker(attr: &Attribute) -> bool {
    attr.path().is_ident("state") || attr.path().is_ident("context")
}

/// Refuses any type but `&CallContext`.
pub(super) fn context(ty: &Type) -> syn::Result<()> {
    match types::peel(ty) {
        Type::Reference(reference)
            if reference.mutability.is_none() && types::is(&reference.elem, "CallContext") =>
        {
            types::elided(reference)
        }
        ty => Err(Error::new_spanned(
            ty,
            "`#[context]` fills in a `&CallContext`; write that type",
        )),
    }
}
