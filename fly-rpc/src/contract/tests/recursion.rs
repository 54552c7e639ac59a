//! Types inside themselves, and types used more than once.

use std::{collections::HashMap, marker::PhantomData};

use serde::{Deserialize, Serialize};

use super::{contract, fingerprint, refusal, text};
use crate::contract::ContractError;

#[derive(Debug, Serialize, Deserialize)]
enum Expr {
    Add(Box<Expr>, Box<Expr>),
    Neg(Box<Expr>),
    Lit(i64),
}

#[derive(Debug, Serialize, Deserialize)]
struct List {
    value: u8,
    next: Option<Box<List>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Forest {
    trees: Vec<Forest>,
    by_name: HashMap<String, Forest>,
}

#[test]
fn recursion_is_shown_by_name() {
    assert_eq!(
        text::<Expr>(),
        "Expr { Add(Expr, Expr) | Neg(Expr) | Lit(i64) }"
    );
    assert_eq!(text::<List>(), "List { value: u8, next: Option<List> }");
    assert_eq!(
        text::<Forest>(),
        "Forest { trees: [Forest], by_name: {str: Forest} }"
    );
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Nest(Vec<Nest>);

#[test]
fn recursion_without_a_name_is_shown_by_levels() {
    assert_eq!(text::<Nest>(), "[^0]");
}

#[derive(Debug, Serialize, Deserialize)]
struct Statement {
    condition: Option<Condition>,
    body: Vec<Statement>,
    kind: Action,
}

#[derive(Debug, Serialize, Deserialize)]
enum Condition {
    Not(Box<Condition>),
    Holds(Box<Statement>),
    Either {
        left: Box<Condition>,
        right: Box<Condition>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
enum Action {
    Both(Box<Action>, Box<Action>),
    When(Box<Condition>),
    Stop,
}

#[test]
fn mutual_recursion_ends_and_shows_every_variant() {
    assert_eq!(
        text::<Statement>(),
        "Statement { condition: Option<Condition { Not(Condition) | Holds(Statement) | \
         Either { left: Condition, right: Condition } }>, body: [Statement], \
         kind: Action { Both(Action, Action) | When(Condition) | Stop } }"
    );
}

#[derive(Debug, Serialize, Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<T>,
}

#[test]
fn one_generic_type_with_two_arguments_is_two_types() {
    assert_eq!(
        text::<(Page<u16>, Page<String>, Page<u16>)>(),
        "(Page { items: [u16], next: Option<u16> }, Page#2 { items: [str], next: Option<str> }, Page)"
    );
    assert_ne!(fingerprint::<Page<u16>>(), fingerprint::<Page<u32>>());
    assert_ne!(fingerprint::<Page<Page<u16>>>(), fingerprint::<Page<u16>>());
    assert_ne!(
        fingerprint::<(Page<u16>, Page<u32>)>(),
        fingerprint::<(Page<u32>, Page<u16>)>()
    );
}

mod before {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Tree {
        Fork(Vec<Tree>),
        Deep(HashMap<String, Option<Leaf>>),
        End,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Leaf {
        Empty,
        Full { weight: u32, owner: Box<Tree> },
    }
}

mod after {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Tree {
        Fork(Vec<Tree>),
        Deep(HashMap<String, Option<Leaf>>),
        End,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Leaf {
        Empty,
        Full { weight: u64, owner: Box<Tree> },
    }
}

mod moved {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Tree {
        Fork(Vec<Tree>),
        Deep(HashMap<String, Option<Leaf>>),
        End,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) enum Leaf {
        Empty,
        Full {
            weight: u32,
            owner: Box<before::Tree>,
        },
    }
}

#[test]
fn a_change_deep_inside_a_recursive_type_shows() {
    assert_ne!(fingerprint::<before::Tree>(), fingerprint::<after::Tree>());
    assert_ne!(
        fingerprint::<Option<Vec<before::Leaf>>>(),
        fingerprint::<Option<Vec<after::Leaf>>>()
    );
}

#[test]
fn a_type_and_its_copy_in_another_module_are_one_even_when_they_recurse_through_each_other() {
    assert_eq!(fingerprint::<before::Tree>(), fingerprint::<moved::Tree>());
    assert_eq!(text::<before::Tree>(), text::<moved::Tree>());
    assert_eq!(
        fingerprint::<(before::Leaf, before::Leaf)>(),
        fingerprint::<(before::Leaf, moved::Leaf)>()
    );
}

#[derive(Debug, Serialize, Deserialize)]
struct Outer<T> {
    value: T,
    more: Option<T>,
}

#[test]
fn types_of_one_name_in_two_blocks_are_told_apart_by_place() {
    macro_rules! twin {
        ($integer:ty) => {{
            #[derive(Serialize, Deserialize)]
            struct Twin {
                value: $integer,
            }
            PhantomData::<Twin>
        }};
    }
    fn both<A, B>(_: PhantomData<A>, _: PhantomData<B>) -> String
    where
        A: Serialize + serde::de::DeserializeOwned,
        B: Serialize + serde::de::DeserializeOwned,
    {
        assert_eq!(std::any::type_name::<A>(), std::any::type_name::<B>());
        assert_eq!(
            text::<(Vec<A>, Vec<B>, Vec<A>)>(),
            "([Twin { value: u32 }], [Twin#2 { value: f32 }], [Twin])"
        );
        text::<(A, B, Outer<A>, Outer<B>, A)>()
    }
    let text = both(twin!(u32), twin!(f32));
    assert_eq!(
        text,
        "(Twin { value: u32 }, Twin#2 { value: f32 }, Outer { value: Twin, more: Option<Twin> }, \
         Outer#2 { value: Twin#2, more: Option<Twin#2> }, Twin)"
    );
}

#[derive(Debug, Serialize, Deserialize)]
struct Endless {
    next: Box<Endless>,
}

#[derive(Debug, Serialize, Deserialize)]
enum NoEnd {
    Left(Box<NoEnd>),
    Right(Box<NoEnd>),
}

#[test]
fn a_type_that_never_ends_is_refused() {
    for error in [refusal::<Endless>(), refusal::<NoEnd>()] {
        assert!(matches!(error, ContractError::TooDeep { .. }), "{error}");
    }
}

macro_rules! doubling {
    ($($outer:ident $inner:ty;)*) => {$(
        #[derive(Debug, Serialize, Deserialize)]
        struct $outer { left: Option<Box<$inner>>, right: Vec<$inner>, both: ($inner, u8) }
    )*};
}

doubling! {
    D0 D1; D1 D2; D2 D3; D3 D4; D4 D5; D5 D6; D6 D7; D7 D8; D8 D9; D9 Action;
}

#[test]
fn sharing_does_not_multiply_the_work() {
    assert!(contract::<D0>().is_ok());
}

macro_rules! wide {
    ($($field:ident $kind:ident)*) => {
        $(#[derive(Debug, Serialize, Deserialize)]
        enum $kind { A, B(u8), C(u16), D(u32), E(u64), F(i8), G(i16), H { a: i32, b: Option<i64> }, I(String), J(Vec<u32>) })*
        #[derive(Debug, Serialize, Deserialize)]
        struct Wide { $($field: $kind),* }
    };
}

wide! {
    e0 E0 e1 E1 e2 E2 e3 E3 e4 E4 e5 E5 e6 E6 e7 E7 e8 E8 e9 E9 e10 E10 e11 E11 e12 E12 e13 E13 e14 E14
    e15 E15 e16 E16 e17 E17 e18 E18 e19 E19 e20 E20 e21 E21 e22 E22 e23 E23 e24 E24 e25 E25 e26 E26 e27 E27 e28 E28 e29 E29
}

#[test]
fn many_enums_side_by_side_take_as_many_passes_as_the_largest() {
    let text = text::<Wide>();
    assert_eq!(text.matches("H { a: i32, b: Option<i64> }").count(), 30);
    assert_eq!(text.matches("J([u32])").count(), 30);
}

macro_rules! long {
    ($($variant:ident)*) => {
        #[derive(Debug, Serialize, Deserialize)]
        enum Long { $($variant(Box<Long>, u8),)* End }
        const LONG: usize = [$(stringify!($variant)),*].len();
    };
}

long! {
    A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 C0 C1 C2 C3 C4 C5 C6 C7 C8 C9 F0 F1 F2 F3 F4 F5 F6 F7 F8 F9
    G0 G1 G2 G3 G4 G5 G6 G7 G8 G9 H0 H1 H2 H3 H4 H5 H6 H7 H8 H9 I0 I1 I2 I3 I4 I5 I6 I7 I8 I9 J0 J1 J2 J3 J4 J5 J6 J7 J8 J9
    K0 K1 K2 K3 K4 K5 K6 K7 K8 K9 L0 L1 L2 L3 L4 L5 L6 L7 L8 L9 M0 M1 M2 M3 M4 M5 M6 M7 M8 M9 N0 N1 N2 N3 N4 N5 N6 N7 N8 N9
    O0 O1 O2 O3 O4 O5 O6 O7 O8 O9 P0 P1 P2 P3 P4 P5 P6 P7 P8 P9 Q0 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 R0 R1 R2 R3 R4 R5 R6 R7 R8 R9
    S0 S1 S2 S3 S4 S5 S6 S7 S8 S9 T0 T1 T2 T3 T4 T5 T6 T7 T8 T9 U0 U1 U2 U3 U4 U5 U6 U7 U8 U9 V0 V1 V2 V3 V4 V5 V6 V7 V8 V9
}

#[test]
fn two_hundred_recursive_variants_before_the_one_that_ends_are_all_shown() {
    let text = text::<Long>();
    assert_eq!(LONG, 200);
    assert_eq!(text.matches("(Long, u8)").count(), LONG);
    assert!(text.ends_with("| End }"), "{text}");
}
