//! The user's attributes that what is generated inherits.
//!
//! It comes and goes with the function (`#[cfg]`), and may use what the function may use: who allows a lint for a type
//! of the signature cannot do so again for code that is not in sight.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// `#[cfg]`: for everything.
pub(crate) fn conditions(attrs: &[Attribute]) -> TokenStream {
    select(attrs, |name| (name == "cfg").then_some("cfg"))
}

/// `#[allow]`, and `#[expect]` as `#[allow]`: for everything that names the function's types.
pub(super) fn lints(attrs: &[Attribute]) -> TokenStream {
    select(attrs, |name| {
        matches!(name, "allow" | "expect").then_some("allow")
    })
}

/// `#[deprecated]`: for the stubs.
pub(super) fn deprecation(attrs: &[Attribute]) -> TokenStream {
    select(attrs, |name| (name == "deprecated").then_some("deprecated"))
}

/// The attributes, also inside of `#[cfg_attr]`, for which `rename` gives a name.
fn select(attrs: &[Attribute], rename: fn(&str) -> Option<&'static str>) -> TokenStream {
    let metas = attrs.iter().filter_map(|attr| pick(&attr.meta, rename));
    metas.map(|meta| quote!(#[#meta])).collect()
}

fn pick(meta: &Meta, rename: fn(&str) -> Option<&'static str>) -> Option<TokenStream> {
    let name = meta.path().get_ident()?.to_string();
    if name == "cfg_attr" {
        return pick_conditional(meta, rename);
    }
    let name = format_ident!("{}", rename(&name)?);
    Some(match meta {
        Meta::Path(_) => quote!(#name),
        Meta::List(list) => {
            let tokens = &list.tokens;
            quote!(#name(#tokens))
        }
        Meta::NameValue(pair) => {
            let value = &pair.value;
            quote!(#name = #value)
        }
    })
}

/// What is left of a `cfg_attr`.
fn pick_conditional(meta: &Meta, rename: fn(&str) -> Option<&'static str>) -> Option<TokenStream> {
    let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
    let parts = meta.require_list().ok()?.parse_args_with(parser).ok()?;
    let mut parts = parts.iter();
    let condition = parts.next()?;
    let kept: Vec<_> = parts.filter_map(|part| pick(part, rename)).collect();
    (!kept.is_empty()).then(|| quote!(cfg_attr(#condition, #(#kept),*)))
}

#[cfg(test)]
mod tests {
    use syn::{Attribute, parse_quote};

    use super::{conditions, deprecation, lints};

    #[test]
    fn conditions_are_found_inside_of_conditional_attributes() {
        let attrs: Vec<Attribute> = vec![
            parse_quote!(#[doc = "text"]),
            parse_quote!(#[cfg(unix)]),
            parse_quote!(#[cfg_attr(all(a, b), inline, cfg(c), cfg_attr(d, cold, cfg(e)))]),
            parse_quote!(#[cfg_attr(x, must_use)]),
        ];
        assert_eq!(
            conditions(&attrs).to_string(),
            "# [cfg (unix)] # [cfg_attr (all (a , b) , cfg (c) , cfg_attr (d , cfg (e)))]"
        );
    }

    #[test]
    fn an_expected_lint_is_allowed_where_it_may_not_show() {
        let attrs: Vec<Attribute> = vec![
            parse_quote!(#[allow(a)]),
            parse_quote!(#[expect(b, reason = "c")]),
            parse_quote!(#[deny(d)]),
        ];
        assert_eq!(
            lints(&attrs).to_string(),
            r#"# [allow (a)] # [allow (b , reason = "c")]"#
        );
    }

    #[test]
    fn a_deprecation_is_kept_with_its_note() {
        let attrs: Vec<Attribute> = vec![
            parse_quote!(#[deprecated]),
            parse_quote!(#[deprecated = "old"]),
            parse_quote!(#[cfg_attr(x, deprecated(note = "old"))]),
        ];
        assert_eq!(
            deprecation(&attrs).to_string(),
            r#"# [deprecated] # [deprecated = "old"] # [cfg_attr (x , deprecated (note = "old"))]"#
        );
        assert!(conditions(&attrs).is_empty());
    }
}
