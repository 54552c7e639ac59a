//! The arguments of a function, one by one.
//!
//! A tuple's `Deserialize` reads them in a row, and when one accepts no sample, it never comes to
//! those behind. Here each is met by itself.

use std::{any::type_name, convert::Infallible};

use serde::{Deserialize, Serialize};

/// The arguments of a function: a tuple of at most sixteen values that are read and written.
/// Sealed: what implements it is listed here.
pub trait Arguments<'a>: Deserialize<'a> + Serialize + Sealed {
    /// Shows the type of each to `watch`, first to last, until it has seen enough.
    ///
    /// # Errors
    /// The end that `watch` put to it.
    fn each<W: Watch<'a>>(watch: &mut W) -> Result<(), W::End>;
}

/// What looks at arguments one by one.
pub trait Watch<'a> {
    /// Why it does not want to see more.
    type End;

    /// The argument at this place is a `T`.
    ///
    /// # Errors
    /// If it does not want to see more.
    fn argument<T: Deserialize<'a> + Serialize>(&mut self, index: usize) -> Result<(), Self::End>;
}

/// The Rust names of the arguments' types, for errors.
pub(super) fn type_names<'a, A: Arguments<'a>>() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);

    impl<'a> Watch<'a> for Names {
        type End = Infallible;

        fn argument<T: Deserialize<'a> + Serialize>(
            &mut self,
            _index: usize,
        ) -> Result<(), Infallible> {
            self.0.push(type_name::<T>());
            Ok(())
        }
    }

    let mut names = Names(Vec::new());
    match A::each(&mut names) {
        Ok(()) => names.0,
    }
}

/// Tuples, which no other crate can add to.
pub trait Sealed {}

impl Sealed for () {}

impl<'a> Arguments<'a> for () {
    fn each<W: Watch<'a>>(_watch: &mut W) -> Result<(), W::End> {
        Ok(())
    }
}

macro_rules! tuples {
    ($($($argument:ident $index:literal)*;)*) => {$(
        impl<$($argument),*> Sealed for ($($argument,)*) {}

        impl<'a, $($argument),*> Arguments<'a> for ($($argument,)*)
        where
            $($argument: Deserialize<'a> + Serialize,)*
        {
            fn each<W: Watch<'a>>(watch: &mut W) -> Result<(), W::End> {
                $(watch.argument::<$argument>($index)?;)*
                Ok(())
            }
        }
    )*};
}

tuples! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15;
}
