//! A parameter that travels, and the few ways in which one may.

use syn::{Error, Ident, Pat, PatIdent, PatType, Path, PathArguments, Type, TypeReference};

use crate::types::{self, Place};

/// A parameter that travels.
pub(crate) struct Argument {
    /// Its name, without `mut`.
    pub(crate) name: Ident,
    /// How it travels.
    pub(crate) kind: Kind,
}

/// How an argument travels.
pub(crate) enum Kind {
    /// `T`: moved.
    Owned(Type),
    /// `&str`: borrowed on both sides. Holds the `str`.
    Str(Type),
    /// `&[u8]`: borrowed on both sides. Holds the `[u8]`.
    Bytes(Type),
    /// `Option<&str>`: borrowed on both sides. Holds the `Option`'s path without arguments, and the `str`.
    OptionalStr(Path, Type),
    /// `&[T]`: borrowed from the caller, a `Vec<T>` at the server. Holds the `T`.
    Slice(Type),
    /// `&T`: borrowed from the caller, a `T` at the server.
    Reference(Type),
}

impl Argument {
    pub(super) fn read(parameter: &PatType) -> syn::Result<Self> {
        Ok(Self {
            name: name(&parameter.pat)?,
            kind: Kind::read(&parameter.ty)?,
        })
    }
}

impl Kind {
    fn read(ty: &Type) -> syn::Result<Self> {
        match types::peel(ty) {
            Type::Reference(reference) => Self::borrowed(reference),
            Type::Path(option) => match optional_str(ty) {
                Some(reference) => {
                    types::elided(reference)?;
                    let mut path = option.path.clone();
                    if let Some(last) = path.segments.last_mut() {
                        last.arguments = PathArguments::None;
                    }
                    Ok(Self::OptionalStr(
                        path,
                        types::peel(&reference.elem).clone(),
                    ))
                }
                None => Self::owned(ty),
            },
            _ => Self::owned(ty),
        }
    }

    fn borrowed(reference: &TypeReference) -> syn::Result<Self> {
        types::elided(reference)?;
        let ty = types::peel(&reference.elem);
        match ty {
            Type::Slice(slice) if types::is(&slice.elem, "u8") => Ok(Self::Bytes(ty.clone())),
            Type::Slice(slice) => {
                types::owned(&slice.elem, Place::Argument)?;
                Ok(Self::Slice(slice.elem.as_ref().clone()))
            }
            _ if types::is(ty, "str") => Ok(Self::Str(ty.clone())),
            _ => {
                types::owned(ty, Place::Argument)?;
                Ok(Self::Reference(ty.clone()))
            }
        }
    }

    fn owned(ty: &Type) -> syn::Result<Self> {
        types::owned(ty, Place::Argument)?;
        Ok(Self::Owned(ty.clone()))
    }
}

/// The name that a pattern binds.
fn name(pattern: &Pat) -> syn::Result<Ident> {
    let cure = match pattern {
        Pat::Ident(PatIdent {
            by_ref: None,
            subpat: None,
            ident,
            ..
        }) => return Ok(ident.clone()),
        Pat::Wild(_) => "a parameter is known by its name; give it one that begins with `_`",
        _ => {
            "a parameter is known by its name; give it one, and take it apart with `let` in the body"
        }
    };
    Err(Error::new_spanned(pattern, cure))
}

/// The reference in an `Option<&str>`.
fn optional_str(ty: &Type) -> Option<&TypeReference> {
    match types::peel(types::argument_of(ty, "Option")?) {
        Type::Reference(reference) if types::is(&reference.elem, "str") => Some(reference),
        _ => None,
    }
}
