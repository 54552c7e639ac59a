//! The grammar of the attribute: `@selector`, `key = value` and flags, separated by commas.
//!
//! A part that is wrong is reported and skipped, the rest still counts: a typo in `timeout` must not make the
//! stubs disappear and drown its own message in errors at every call.

mod suggest;
mod value;

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Ident, LitStr, Path, Token, parse_quote, token};

use crate::errors::Errors;

pub(crate) use value::name_error;

/// What an attribute says, defaults filled in.
pub(crate) struct Args {
    /// Where the function is pinned.
    pub(crate) pin: Option<Pin>,
    /// The version in the wire identity, at least 1.
    pub(crate) version: u32,
    /// The name in the wire identity, if it is not the function's own.
    pub(crate) name: Option<LitStr>,
    /// Whether running the function twice is harmless.
    pub(crate) idempotent: bool,
    /// Whether the function runs to its end without its caller.
    pub(crate) detached: bool,
    /// The flag `blocking`, kept as a token for an error that needs the function too.
    pub(crate) blocking: Option<Ident>,
    /// The default deadline of the function's calls.
    pub(crate) timeout: Option<Duration>,
    /// Where `fly_rpc` is.
    pub(crate) krate: Path,
}

/// The only region that serves a function.
#[derive(Debug, PartialEq)]
pub(crate) enum Pin {
    /// Wherever the primary is.
    Primary,
    /// This one; a well-formed region.
    Region(String),
}

/// Every key, as errors list them.
const KEYS: [&str; 7] = [
    "version",
    "name",
    "idempotent",
    "timeout",
    "detached",
    "blocking",
    "crate",
];

impl Args {
    /// Reads the attribute's arguments. Mistakes go to `errors`, what is right is kept.
    pub(crate) fn read(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut reader = Reader::default();
        let parts = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let part = reader.part(input).and_then(|()| end_of_part(input));
                if errors.keep(part).is_none() {
                    skip_part(input);
                }
            }
            Ok(())
        };
        let outcome = parts.parse2(tokens);
        errors.keep(outcome);
        reader.args
    }
}

impl Default for Args {
    fn default() -> Self {
        Self {
            pin: None,
            version: 1,
            name: None,
            idempotent: false,
            detached: false,
            blocking: None,
            timeout: None,
            krate: parse_quote!(::fly_rpc),
        }
    }
}

/// The arguments read so far, and which keys they came from.
#[derive(Default)]
struct Reader {
    args: Args,
    seen: Vec<String>,
}

impl Reader {
    fn part(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if input.peek(Token![@]) {
            self.selector(input)
        } else if input.peek(Ident::peek_any) {
            self.key(input)
        } else {
            Err(input.error(format!(
                "expected `@primary`, `@region(\"…\")` or one of {}",
                suggest::list(&KEYS)
            )))
        }
    }

    fn selector(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let at: Token![@] = input.parse()?;
        let selector = input.call(Ident::parse_any).map_err(|_| {
            Error::new(
                at.span,
                "`@` needs a selector: `@primary` or `@region(\"…\")`",
            )
        })?;
        let pin = match selector.to_string().as_str() {
            "primary" => Pin::Primary,
            "region" => Pin::Region(region(&selector, input)?),
            other => return Err(unpinnable(&selector, other)),
        };
        if self.args.pin.is_some() {
            return Err(Error::new(
                selector.span(),
                "a function is pinned once; keep one of the selectors",
            ));
        }
        self.args.pin = Some(pin);
        Ok(())
    }

    fn key(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let key = input.call(Ident::parse_any)?;
        let text = key.to_string();
        if self.seen.contains(&text) {
            return Err(Error::new(
                key.span(),
                format!("`{text}` is already given; keep one of the two"),
            ));
        }
        match text.as_str() {
            "version" => self.args.version = value::version(assigned(&key, "2", input)?)?,
            "name" => self.args.name = Some(value::name(assigned(&key, "\"…\"", input)?)?),
            "timeout" => {
                self.args.timeout = Some(value::timeout(assigned(&key, "\"2s\"", input)?)?);
            }
            "crate" => self.args.krate = value::krate(assigned(&key, "some::path", input)?)?,
            "idempotent" => self.args.idempotent = flag(&key, input)?,
            "detached" => self.args.detached = flag(&key, input)?,
            "blocking" => {
                flag(&key, input)?;
                self.args.blocking = Some(key);
            }
            _ => return Err(suggest::unknown_key(&key, &KEYS)),
        }
        self.seen.push(text);
        Ok(())
    }
}

/// The region in `@region("hkg")`, of which `selector` is the word.
fn region(selector: &Ident, input: ParseStream<'_>) -> syn::Result<String> {
    const CURE: &str = "`@region` takes one region as a string, as in `@region(\"hkg\")`";
    if !input.peek(token::Paren) {
        return Err(Error::new(selector.span(), CURE));
    }
    let content;
    let parentheses = syn::parenthesized!(content in input);
    let operand: TokenStream = content.parse()?;
    match syn::parse2(operand) {
        Ok(literal) => value::region(&literal),
        Err(_) => Err(Error::new(parentheses.span.join(), CURE)),
    }
}

/// Passes the `=` of `key = value`; the value comes next in what is returned.
fn assigned<'a>(
    key: &Ident,
    example: &str,
    input: ParseStream<'a>,
) -> syn::Result<ParseStream<'a>> {
    let equals: Option<Token![=]> = input.parse()?;
    let cure = format!("`{key}` takes a value: `{key} = {example}`");
    match equals {
        Some(equals) if input.is_empty() => Err(Error::new(equals.span, cure)),
        Some(_) => Ok(input),
        None => Err(Error::new(key.span(), cure)),
    }
}

/// A key without a value is there, so it is on.
fn flag(key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
    if input.is_empty() || input.peek(Token![,]) {
        Ok(true)
    } else {
        Err(input.error(format!("`{key}` takes no value: write only `{key}`")))
    }
}

fn end_of_part(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    input
        .parse::<Token![,]>()
        .map(drop)
        .map_err(|error| Error::new(error.span(), "expected a comma before this"))
}

/// Goes on behind the next comma.
fn skip_part(input: ParseStream<'_>) {
    while let Ok(token) = input.parse::<TokenTree>() {
        if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
            break;
        }
    }
}

fn unpinnable(selector: &Ident, text: &str) -> Error {
    let message = match text {
        "nearest" | "elsewhere" | "any" => format!(
            "`@{text}` is chosen per call, not pinned; remove it here and write `call!(… @{text})`"
        ),
        "node" => "a node is chosen per call, not pinned; remove it here and write \
                   `call!(… @node(id))`"
            .to_owned(),
        _ => format!(
            "unknown selector `@{text}`; a function is pinned by `@primary` or `@region(\"…\")`"
        ),
    };
    Error::new(selector.span(), message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proc_macro2::TokenStream;
    use quote::{ToTokens, quote};

    use super::{Args, Pin};
    use crate::errors::Errors;

    fn read(tokens: TokenStream) -> (Args, Vec<String>) {
        let mut errors = Errors::default();
        let args = Args::read(tokens, &mut errors);
        (args, errors.messages())
    }

    fn valid(tokens: TokenStream) -> Args {
        let (args, errors) = read(tokens);
        assert_eq!(errors, [""; 0]);
        args
    }

    fn only_error(tokens: TokenStream) -> String {
        let (_, errors) = read(tokens);
        let [error] = <[String; 1]>::try_from(errors).unwrap();
        error
    }

    #[test]
    fn nothing_means_the_defaults() {
        let args = valid(quote!());
        assert_eq!(args.pin, None);
        assert_eq!(args.version, 1);
        assert!(args.name.is_none() && args.timeout.is_none() && args.blocking.is_none());
        assert!(!args.idempotent && !args.detached);
        assert_eq!(args.krate.to_token_stream().to_string(), ":: fly_rpc");
    }

    #[test]
    fn every_part_is_understood_in_any_order() {
        let args = valid(quote! {
            crate = self::rpc, blocking, detached, timeout = "1500ms", idempotent, name = "a:b.c-D_1", version = 7u32,
            @region("local-1"),
        });
        assert_eq!(args.pin, Some(Pin::Region("local-1".to_owned())));
        assert_eq!(args.version, 7);
        assert_eq!(args.name.unwrap().value(), "a:b.c-D_1");
        assert!(args.idempotent && args.detached && args.blocking.is_some());
        assert_eq!(args.timeout, Some(Duration::from_millis(1_500)));
        assert_eq!(args.krate.to_token_stream().to_string(), "self :: rpc");
    }

    #[test]
    fn what_follows_a_mistake_still_counts() {
        let (args, errors) =
            read(quote!(version = 0, @primary, timeout = "2x", idempotent = 1, detached));
        assert_eq!(args.pin, Some(Pin::Primary));
        assert!(args.detached);
        assert_eq!(errors.len(), 3, "{errors:?}");
    }

    #[test]
    fn versions_are_whole_numbers_from_one_up() {
        assert_eq!(valid(quote!(version = 4_294_967_295)).version, u32::MAX);
        assert!(only_error(quote!(version = 0)).contains("begin at 1"));
        for wrong in [
            quote!(-1),
            quote!(4_294_967_296),
            quote!(1.0),
            quote!("1"),
            quote!(1u64),
            quote!(one),
        ] {
            let error = only_error(quote!(version = #wrong));
            assert!(error.contains("whole number"), "{wrong}: {error}");
        }
    }

    #[test]
    fn timeouts_have_a_unit_and_are_no_longer_than_five_minutes() {
        let timeout = |text: &str| valid(quote!(timeout = #text)).timeout.unwrap();
        assert_eq!(timeout("1ms"), Duration::from_millis(1));
        assert_eq!(timeout("300s"), Duration::from_secs(300));
        assert_eq!(timeout("5m"), Duration::from_secs(300));
        for wrong in ["", "2", "s", "2 s", "1.5s", "-1s", "2S", "2µs", "2sec"] {
            let error = only_error(quote!(timeout = #wrong));
            assert!(error.contains("with a unit"), "{wrong}: {error}");
        }
        assert!(only_error(quote!(timeout = "0h")).contains("no time at all"));
        for long in ["300001ms", "6m", "1h", "99999999999999999999h"] {
            assert!(
                only_error(quote!(timeout = #long)).contains("5 minutes"),
                "{long}"
            );
        }
    }

    #[test]
    fn names_can_be_printed_anywhere() {
        let longest = "n".repeat(128);
        assert_eq!(
            valid(quote!(name = #longest)).name.unwrap().value(),
            longest
        );
        let longer = "n".repeat(129);
        assert!(only_error(quote!(name = #longer)).contains("at most 128"));
        assert!(only_error(quote!(name = "")).contains("at least one"));
        assert!(only_error(quote!(name = "a/b")).contains("'/'"));
        assert!(only_error(quote!(name = create_post)).contains("is a string"));
    }

    #[test]
    fn regions_are_spelled_as_they_are_compared() {
        let longest = "r".repeat(63);
        assert_eq!(
            valid(quote!(@region(#longest))).pin,
            Some(Pin::Region(longest))
        );
        assert!(only_error(quote!(@region(" HKG "))).contains("`@region(\"hkg\")`"));
        let longer = "r".repeat(64);
        for wrong in ["", "h k", "hkg.", "größe", &longer] {
            let error = only_error(quote!(@region(#wrong)));
            assert!(error.contains("1 to 63"), "{wrong}: {error}");
        }
        for wrong in [
            quote!(@region),
            quote!(@region()),
            quote!(@region(hkg)),
            quote!(@region("a", "b")),
        ] {
            let error = only_error(wrong);
            assert!(error.contains("one region as a string"), "{error}");
        }
    }

    #[test]
    fn a_region_whose_stub_would_mean_something_else_is_refused() {
        assert!(only_error(quote!(@region("primary"))).contains("`@primary`"));
        assert!(only_error(quote!(@region("region"))).contains("rename the region"));
    }

    #[test]
    fn a_selector_that_does_not_pin_is_refused() {
        assert!(only_error(quote!(@any)).contains("chosen per call"));
        assert!(only_error(quote!(@node("id"))).contains("chosen per call"));
        assert!(only_error(quote!(@replica)).contains("unknown selector"));
        assert!(only_error(quote!(@)).contains("needs a selector"));
        assert!(only_error(quote!(@primary, @region("hkg"))).contains("pinned once"));
    }

    #[test]
    fn an_unknown_or_repeated_key_is_refused() {
        assert!(only_error(quote!(verison = 2)).contains("did you mean `version`?"));
        assert!(only_error(quote!(primary)).contains("`@primary`"));
        assert!(only_error(quote!(retries = 3)).contains("`blocking` and `crate`"));
        assert!(only_error(quote!(idempotent, idempotent)).contains("already given"));
        assert!(only_error(quote!("hkg")).contains("expected `@primary`"));
    }

    #[test]
    fn a_value_stands_where_it_belongs() {
        assert!(only_error(quote!(version)).contains("`version = 2`"));
        assert!(only_error(quote!(timeout =)).contains("`timeout = \"2s\"`"));
        assert!(only_error(quote!(blocking = true)).contains("takes no value"));
        assert!(only_error(quote!(crate = "path")).contains("without quotes"));
        assert!(only_error(quote!(@primary detached)).contains("expected a comma"));
    }
}
