//! Errors are collected, so that one build shows every mistake.

use proc_macro2::TokenStream;
use syn::Error;

/// The mistakes found so far, in the order of the source.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    /// Adds a mistake.
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value of `result`, or `None` after its error was added.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Adds the mistakes of a later step.
    pub(crate) fn append(&mut self, later: Self) {
        if let Some(errors) = later.0 {
            self.push(errors);
        }
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// One `compile_error!` for each mistake.
    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.0.map(Error::into_compile_error).unwrap_or_default()
    }
}

#[cfg(test)]
impl Errors {
    /// The messages, for assertions.
    pub(crate) fn messages(self) -> Vec<String> {
        let errors = self.0.into_iter().flatten();
        errors.map(|error| error.to_string()).collect()
    }
}
