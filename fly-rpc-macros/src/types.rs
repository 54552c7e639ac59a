//! What a type may contain, given where it stands.
//!
//! An argument is decoded on another node and an answer on this one: neither can borrow from where it came from,
//! except as one of the few whole parameters that [`model`](crate::model) knows how to lend.

use quote::ToTokens;
use syn::visit::Visit;
use syn::{
    Error, GenericArgument, Lifetime, ParenthesizedGenericArguments, PathArguments, PathSegment,
    Token, Type, TypeFnPtr, TypeImplTrait, TypeInfer, TypeNever, TypeParamBound, TypeReference,
    TypeTraitObject,
};

/// Where a type stands, which decides what to do instead.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// In a parameter that travels.
    Argument,
    /// In what a `#[state]` refers to.
    State,
    /// In the return type.
    Return,
}

/// Refuses a type that borrows, or that is not one type.
pub(crate) fn owned(ty: &Type, place: Place) -> syn::Result<()> {
    let mut search = Search { place, found: None };
    search.visit_type(ty);
    search.found.map_or(Ok(()), Err)
}

/// The type inside parentheses and the invisible groups of `macro_rules!`.
pub(crate) fn peel(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

/// Whether the type is a path that ends in `name`, without arguments.
pub(crate) fn is(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == name && last.arguments.is_none())
}

/// The `T` of a path that ends in `name<T>`.
pub(crate) fn argument_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let last = last_segment(ty).filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner),
        _ => None,
    }
}

/// The error for a lifetime that has a name.
pub(crate) fn named_lifetime(lifetime: &Lifetime) -> Error {
    Error::new_spanned(
        lifetime,
        format!(
            "`{lifetime}` cannot be promised by another node; leave the lifetime out, as in `&str`"
        ),
    )
}

/// Refuses `&'a T` and `&mut T`.
pub(crate) fn elided(reference: &TypeReference) -> syn::Result<()> {
    if let Some(lifetime) = &reference.lifetime {
        return Err(named_lifetime(lifetime));
    }
    match reference.mutability {
        Some(mutability) => Err(changes_do_not_travel(mutability)),
        None => Ok(()),
    }
}

fn changes_do_not_travel(mutability: Token![mut]) -> Error {
    Error::new(
        mutability.span,
        "changes do not travel back to the caller; take the value owned and return the new one",
    )
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match peel(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Keeps the first thing in a type that it cannot have.
struct Search {
    place: Place,
    found: Option<Error>,
}

impl Search {
    fn refuse(&mut self, tokens: impl ToTokens, what: &str, cure: &str) {
        let message = format!("{what}; {cure}");
        self.found
            .get_or_insert_with(|| Error::new_spanned(tokens, message));
    }

    fn borrow(&mut self, tokens: &impl ToTokens) {
        let (what, cure) = match self.place {
            Place::Argument => (
                "a borrow inside of a type cannot be decoded on another node",
                "take it owned (`String`, `Vec<T>`), or as a parameter of its own: `&str`, `&[u8]`, `&[T]`, `&T` \
                 or `Option<&str>`",
            ),
            Place::State => (
                "a state lives as long as its node and borrows nothing",
                "keep what it refers to in an `Arc`",
            ),
            Place::Return => (
                "the answer comes from another node and borrows nothing",
                "return it owned (`String`, `Vec<T>`)",
            ),
        };
        self.refuse(tokens, what, cure);
    }
}

impl<'ast> Visit<'ast> for Search {
    fn visit_type_reference(&mut self, ty: &'ast TypeReference) {
        self.borrow(ty);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        self.borrow(lifetime);
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        let what = "`impl Trait` is not one type, and both nodes must agree on one";
        let cure = match self.place {
            Place::Return if ty.bounds.iter().any(is_future) => {
                "make the function an `async fn` that returns the future's output"
            }
            _ => "name the type",
        };
        self.refuse(ty, what, cure);
    }

    fn visit_type_trait_object(&mut self, ty: &'ast TypeTraitObject) {
        let (what, cure) = match self.place {
            Place::State => (
                "a state is found by its type, and this one could be any",
                "wrap it in a struct of your own, and take that as the state",
            ),
            Place::Return => (
                "a trait object cannot be decoded on another node",
                "return a type that derives `Serialize` and `Deserialize`; for errors, an enum",
            ),
            Place::Argument => (
                "a trait object cannot be decoded on another node",
                "take a type that derives `Serialize` and `Deserialize`",
            ),
        };
        self.refuse(ty, what, cure);
    }

    fn visit_type_never(&mut self, ty: &'ast TypeNever) {
        self.refuse(
            ty,
            "a function that never returns never answers",
            "return `()`, or start what runs for ever as a task",
        );
    }

    fn visit_type_infer(&mut self, ty: &'ast TypeInfer) {
        self.refuse(
            ty,
            "`_` is not one type, and both nodes must agree on one",
            "name the type",
        );
    }

    // The references in `fn(&T)` and `Fn(&T)` borrow nothing that the type holds.
    fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}
}

fn is_future(bound: &TypeParamBound) -> bool {
    match bound {
        TypeParamBound::Trait(bound) => {
            let last = bound.path.segments.last();
            last.is_some_and(|last| last.ident == "Future")
        }
        _ => false,
    }
}
