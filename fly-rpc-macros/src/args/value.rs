//! The values of the attribute's keys: each is checked here, so that the rest need not doubt it.

use std::time::Duration;

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitInt, LitStr, Path, Token};

/// `version = 2`: a `u32` of at least 1.
pub(super) fn version(input: ParseStream<'_>) -> syn::Result<u32> {
    const CURE: &str = "`version` is a whole number from 1 to 4294967295, as in `version = 2`";
    let literal: LitInt = input
        .parse()
        .map_err(|error| Error::new(error.span(), CURE))?;
    let is_plain = matches!(literal.suffix(), "" | "u32");
    match literal.base10_parse() {
        Ok(0) => Err(Error::new(
            literal.span(),
            "versions begin at 1; write `version = 1` or leave it out",
        )),
        Ok(version) if is_plain => Ok(version),
        _ => Err(Error::new(literal.span(), CURE)),
    }
}

/// `name = "create_post"`: what can be printed in logs, metrics and errors without quoting.
pub(super) fn name(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let literal = string(input, "`name` is a string, as in `name = \"create_post\"`")?;
    match name_error(&literal.value()) {
        Some(error) => Err(Error::new(literal.span(), error)),
        None => Ok(literal),
    }
}

/// What is wrong with a name, with the cure.
pub(crate) fn name_error(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if name.is_empty() {
        Some("a name needs at least one character; leave `name` out for the function's own".into())
    } else if name.len() > NAME_BYTES_MAX {
        let length = name.len();
        Some(format!(
            "a name has at most {NAME_BYTES_MAX} characters, this one has {length}; shorten it"
        ))
    } else {
        let wrong = name.chars().find(|c| !allowed(*c))?;
        Some(format!(
            "a name is made of `A-Z a-z 0-9 _ . : -`; {wrong:?} cannot be in it"
        ))
    }
}

/// `@region("hkg")`: 1–63 of `a-z 0-9 - _`.
pub(super) fn region(literal: &LitStr) -> syn::Result<String> {
    let region = literal.value();
    let spelled = region.trim().to_ascii_lowercase();
    let refuse = |message: String| Err(Error::new(literal.span(), message));
    if !is_region(&spelled) {
        return refuse(format!(
            "a region is 1 to {REGION_BYTES_MAX} of `a-z 0-9 - _`, as in `@region(\"hkg\")`"
        ));
    }
    if spelled != region {
        return refuse(format!(
            "a region is written in lower case and without spaces: `@region(\"{spelled}\")`"
        ));
    }
    match region.as_str() {
        "primary" => refuse(
            "a stub for this region would be taken for that of `@primary`; if the primary is meant, \
             write `@primary`"
                .into(),
        ),
        "region" => refuse(
            "a stub for this region would be taken for that of `@region(…)` at a call; rename the region"
                .into(),
        ),
        _ => Ok(region),
    }
}

fn is_region(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    (1..=REGION_BYTES_MAX).contains(&text.len()) && text.chars().all(allowed)
}

/// `timeout = "2s"`: a whole number and a unit.
pub(super) fn timeout(input: ParseStream<'_>) -> syn::Result<Duration> {
    const CURE: &str =
        "`timeout` is a whole number with a unit (`ms`, `s`, `m` or `h`), as in `timeout = \"2s\"`";
    let literal = string(input, CURE)?;
    match parse_timeout(&literal.value()) {
        None => Err(Error::new(literal.span(), CURE)),
        Some(Duration::ZERO) => Err(Error::new(
            literal.span(),
            "with no time at all every call would fail; leave `timeout` out for the node's default",
        )),
        Some(timeout) if timeout > TIMEOUT_MAX => Err(Error::new(
            literal.span(),
            "the longest deadline that travels is 5 minutes: `timeout = \"5m\"`",
        )),
        Some(timeout) => Ok(timeout),
    }
}

/// `None` if it is not a number and a unit; a number too large to count is a very long time.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    if number.is_empty() {
        return None;
    }
    let number = number.parse().unwrap_or(u64::MAX);
    Some(Duration::from_millis(number.saturating_mul(milliseconds)))
}

/// `crate = some::path`.
pub(super) fn krate(input: ParseStream<'_>) -> syn::Result<Path> {
    const CURE: &str = "`crate` is a path without quotes, as in `crate = some::path`";
    if input.peek(Ident::peek_any) || input.peek(Token![::]) {
        input.call(Path::parse_mod_style)
    } else {
        Err(input.error(CURE))
    }
}

fn string(input: ParseStream<'_>, cure: &str) -> syn::Result<LitStr> {
    input
        .parse()
        .map_err(|error| Error::new(error.span(), cure))
}

/// Names travel in every request and stand in every log line: long enough for a path, short enough to read.
const NAME_BYTES_MAX: usize = 128;

/// A region is one DNS label.
const REGION_BYTES_MAX: usize = 63;

/// The library clamps every deadline that arrives to this; a longer one would promise what it cannot keep.
const TIMEOUT_MAX: Duration = Duration::from_secs(5 * 60);
