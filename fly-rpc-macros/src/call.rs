//! `call!(path::foo(args) @selector)`: another spelling of `path::foo_on…(args)`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprPath, Ident, Path, Token, token};

/// What `call_in!` does. Its input begins with the path of `fly_rpc` and a comma.
pub(crate) fn call_in(input: TokenStream) -> TokenStream {
    syn::parse2::<Call>(input).map_or_else(Error::into_compile_error, Call::expand)
}

/// A parsed call.
struct Call {
    krate: Path,
    function: ExprPath,
    args: Punctuated<Expr, Token![,]>,
    selectors: Vec<Selector>,
}

/// What stands behind the `@`.
enum Selector {
    Primary,
    Region(Expr),
    Node(Expr),
    Nearest,
    Elsewhere,
    Any,
    Target(Expr),
}

impl Parse for Call {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let krate = input.call(Path::parse_mod_style)?;
        input.parse::<Token![,]>()?;
        if input.is_empty() {
            return Err(Error::new(
                input.span(),
                "nothing to call; write `call!(function(arguments) @primary)`",
            ));
        }
        let called: Expr = input.parse()?;
        let placeless = Error::new_spanned(
            &called,
            format!("where should it run? end the call with {SELECTORS}"),
        );
        let (function, args) = callee(called)?;
        if input.is_empty() {
            return Err(placeless);
        }
        let mut selectors = vec![input.parse()?];
        while input.peek(Token![,]) && input.peek2(Token![@]) {
            input.parse::<Token![,]>()?;
            selectors.push(input.parse()?);
        }
        if !input.is_empty() {
            return Err(input.error("the selector is the end of a call; remove what follows it"));
        }
        Ok(Self {
            krate,
            function,
            args,
            selectors,
        })
    }
}

impl Parse for Selector {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Token![@]) {
            return Err(input.error(format!("expected a selector here: {SELECTORS}")));
        }
        let at: Token![@] = input.parse()?;
        if input.peek(token::Paren) {
            return Ok(Self::Target(operand(input, at.span, "@(target)")?));
        }
        let name = input
            .call(Ident::parse_any)
            .map_err(|_| Error::new(at.span, format!("`@` needs a selector: {SELECTORS}")))?;
        match name.to_string().as_str() {
            "primary" => Ok(Self::Primary),
            "nearest" => Ok(Self::Nearest),
            "elsewhere" => Ok(Self::Elsewhere),
            "any" => Ok(Self::Any),
            "region" => operand(input, name.span(), "@region(\"hkg\")").map(Self::Region),
            "node" => operand(input, name.span(), "@node(id)").map(Self::Node),
            unknown => Err(Error::new(
                name.span(),
                format!("unknown selector `@{unknown}`; the known ones are {SELECTORS}"),
            )),
        }
    }
}

impl Call {
    fn expand(self) -> TokenStream {
        let Self {
            krate,
            mut function,
            args,
            mut selectors,
        } = self;
        let (suffix, target) = if selectors.len() == 1 {
            selectors.remove(0).expand(&krate)
        } else {
            let targets = selectors
                .into_iter()
                .map(|selector| selector.target(&krate));
            let first_of = quote!(#krate::Target::first_of([#(#targets),*]),);
            ("_on", Some(first_of))
        };
        if let Some(last) = function.path.segments.last_mut() {
            last.ident = format_ident!("{}{suffix}", last.ident);
        }
        let args = args.iter();
        quote!(#function(#target #(#args),*))
    }
}

impl Selector {
    /// The end of the stub's name, and its first argument with a comma.
    fn expand(self, krate: &Path) -> (&'static str, Option<TokenStream>) {
        match self {
            Self::Primary => ("_on_primary", None),
            Self::Region(region) => ("_on_region", Some(quote!(#region,))),
            Self::Node(node) => (
                "_on",
                Some(quote!(#krate::Target::Node(#krate::__private::Into::into(#node)),)),
            ),
            Self::Nearest => ("_on", Some(quote!(#krate::Target::Nearest,))),
            Self::Elsewhere => ("_on", Some(quote!(#krate::Target::Elsewhere,))),
            Self::Any => ("_on", Some(quote!(#krate::Target::Any,))),
            Self::Target(target) => ("_on", Some(quote!(#target,))),
        }
    }

    /// The target that it stands for.
    fn target(self, krate: &Path) -> TokenStream {
        let into = quote!(#krate::__private::Into::into);
        match self {
            Self::Primary => quote!(#krate::Target::Primary),
            Self::Region(region) => quote!(#krate::Target::Region(#into(#region))),
            Self::Node(node) => quote!(#krate::Target::Node(#into(#node))),
            Self::Nearest => quote!(#krate::Target::Nearest),
            Self::Elsewhere => quote!(#krate::Target::Elsewhere),
            Self::Any => quote!(#krate::Target::Any),
            Self::Target(target) => {
                quote!(#krate::__private::Into::<#krate::Target>::into(#target))
            }
        }
    }
}

/// The function and its arguments.
fn callee(call: Expr) -> syn::Result<(ExprPath, Punctuated<Expr, Token![,]>)> {
    match call {
        Expr::Call(call) => match *call.func {
            Expr::Path(function) => Ok((function, call.args)),
            other => Err(Error::new_spanned(other, NOT_A_CALL)),
        },
        other => Err(Error::new_spanned(&other, instead_of(&other))),
    }
}

/// What to write instead of something that is no call of a function.
fn instead_of(expression: &Expr) -> &'static str {
    match expression {
        Expr::MethodCall(_) => {
            "methods stand behind the call: `call!(function(arguments) @primary).timeout(…)`"
        }
        Expr::Path(_) => {
            "this names a function and does not call it; add its arguments in parentheses"
        }
        Expr::Await(_) => "a call is awaited from outside: `call!(…).await`",
        Expr::Try(_) => "the `?` stands behind the call: `call!(…).await?`",
        _ => NOT_A_CALL,
    }
}

/// The one expression in the parentheses behind a selector.
fn operand(input: ParseStream<'_>, selector: Span, example: &str) -> syn::Result<Expr> {
    let cure = format!("this selector takes one expression, as in `{example}`");
    if !input.peek(token::Paren) {
        return Err(Error::new(selector, cure));
    }
    let content;
    let parentheses = syn::parenthesized!(content in input);
    if content.is_empty() {
        return Err(Error::new(parentheses.span.join(), cure));
    }
    let operand = content.parse()?;
    if content.is_empty() {
        Ok(operand)
    } else {
        Err(content.error(cure))
    }
}

const SELECTORS: &str =
    "`@primary`, `@region(…)`, `@node(…)`, `@nearest`, `@elsewhere`, `@any` or `@(target)`";

const NOT_A_CALL: &str =
    "expected the call of an annotated function, as in `call!(path::function(arguments) @primary)`";

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::call_in;

    fn expand(call: TokenStream) -> String {
        call_in(quote!(::krate, #call)).to_string()
    }

    #[test]
    fn a_selector_chooses_the_stub() {
        let into = "krate :: __private :: Into :: into";
        for (call, stub) in [
            (
                quote!(a::f(1, x) @primary),
                "a :: f_on_primary (1 , x)".to_owned(),
            ),
            (
                quote!(f() @region("hkg")),
                "f_on_region (\"hkg\" ,)".to_owned(),
            ),
            (
                quote!(f(1) @node(id)),
                format!("f_on (:: krate :: Target :: Node (:: {into} (id)) , 1)"),
            ),
            (
                quote!(f(1) @nearest),
                "f_on (:: krate :: Target :: Nearest , 1)".to_owned(),
            ),
            (
                quote!(f(1) @elsewhere),
                "f_on (:: krate :: Target :: Elsewhere , 1)".to_owned(),
            ),
            (
                quote!(f(1,) @any),
                "f_on (:: krate :: Target :: Any , 1)".to_owned(),
            ),
            (quote!(f(1) @(t + 1)), "f_on (t + 1 , 1)".to_owned()),
            (
                quote!(f(1) @region("hkg"), @nearest),
                format!(
                    "f_on (:: krate :: Target :: first_of ([:: krate :: Target :: Region (:: {into} (\"hkg\")) , :: krate :: Target :: Nearest]) , 1)"
                ),
            ),
            (quote!(r#type() @primary), "type_on_primary ()".to_owned()),
        ] {
            assert_eq!(expand(call), stub);
        }
    }

    #[test]
    fn everything_else_is_answered_with_the_cure() {
        for (call, cure) in [
            (quote!(), "nothing to call"),
            (quote!(f()), "where should it run?"),
            (quote!(f), "add its arguments"),
            (quote!(f @primary), "add its arguments"),
            (
                quote!(f().timeout(t) @primary),
                "methods stand behind the call",
            ),
            (quote!(f().await @primary), "awaited from outside"),
            (quote!(f()? @primary), "stands behind the call"),
            (quote!((f)() @primary), "path::function(arguments)"),
            (quote!(1 @primary), "path::function(arguments)"),
            (quote!(f() primary), "expected a selector here"),
            (quote!(f() @), "needs a selector"),
            (quote!(f() @closest), "unknown selector"),
            (quote!(f() @region), "takes one expression"),
            (quote!(f() @node()), "takes one expression"),
            (quote!(f() @(a, b)), "takes one expression"),
            (quote!(f() @primary, 1), "remove what follows"),
        ] {
            let expansion = expand(call.clone());
            assert!(expansion.contains("compile_error"), "{call}: {expansion}");
            assert!(expansion.contains(cure), "{call}: {expansion}");
        }
    }
}
