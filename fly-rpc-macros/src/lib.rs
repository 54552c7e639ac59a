//! The macros of `fly-rpc`. Use them through that crate, which re-exports them.
//!
//! An expansion goes through one file for each step: `args` reads the attribute, `item` the function,
//! `model` classifies its parameters, `check` refuses what cannot work, `expand` writes the code. No step
//! stops at its first error, and whatever happens the user's function comes out unchanged (`fallback`), so that
//! an editor still understands the file while a line of it is half typed.
//!
//! All logic lives in `fly-rpc`. What is generated only names things, by absolute paths, in
//! `fly_rpc::__private`.

mod args;
mod call;
mod check;
mod errors;
mod expand;
mod fallback;
mod item;
mod model;
mod types;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

#[doc = include_str!("region_rpc.md")]
#[proc_macro_attribute]
pub fn region_rpc(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::region_rpc(attribute.into(), item.into()).into()
}

/// What `fly_rpc::call!` expands to; it puts the path of `fly_rpc` and a comma in front of what it was given.
#[doc(hidden)]
#[proc_macro]
pub fn call_in(input: TokenStream) -> TokenStream {
    call::call_in(input.into()).into()
}
