//! The programs that are built: functions of the shapes that services have, in modules of ten.

use std::fmt::Write;

/// What is done to each function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// An ordinary function.
    Plain,
    /// Annotated; nobody in this program calls it through a stub.
    Served,
    /// Annotated, and called once through a stub.
    Called,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Served, Self::Called];

    /// What the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Served => "annotated",
            Self::Called => "annotated and called",
        }
    }
}

/// The source of a program of `functions` functions, a multiple of ten.
pub fn program(variant: Variant, functions: usize) -> String {
    let modules = functions / SHAPES.len();
    let mut source = String::from(HEAD);
    for number in 0..modules {
        module(&mut source, variant, number);
    }
    let tables: Vec<String> = (0..modules)
        .map(|number| format!("    keep::hold(&m{number}::KEPT);\n"))
        .collect();
    source.push_str(&MAIN.replace("    // every module\n", &tables.concat()));
    source
}

fn module(source: &mut String, variant: Variant, number: usize) {
    let mut body = TYPES.to_owned();
    let mut kept = String::new();
    for (index, shape) in SHAPES.iter().enumerate() {
        let name = format!("f{number}_{index}");
        if variant != Variant::Plain {
            writeln!(body, "    #[fly_rpc::region_rpc]").expect(INFALLIBLE);
        }
        let (signature, block) = shape.signature.split_once(" = ").expect("a body");
        let (keyword, rest) = signature.split_once("NAME").expect("a name");
        writeln!(body, "    pub {keyword}{name}{rest} {{ {block} }}").expect(INFALLIBLE);
        let arguments = shape.arguments;
        let wait = if keyword.starts_with("async") {
            ".await"
        } else {
            ""
        };
        let call = match variant {
            Variant::Plain | Variant::Served => format!("{name}({arguments}){wait}"),
            Variant::Called => format!("{name}_on_primary({arguments}).await.is_ok()"),
        };
        writeln!(
            kept,
            "        || super::keep::kept(async {{ super::keep::value({call}); }}),"
        )
        .expect(INFALLIBLE);
    }
    let length = SHAPES.len();
    writeln!(
        source,
        "pub mod m{number} {{\n{body}\n    pub const KEPT: [fn() -> super::keep::Kept; {length}] = [\n{kept}    ];\n}}"
    )
    .expect(INFALLIBLE);
}

/// A function: what stands before and after its name, its body, and arguments to call it with.
struct Shape {
    signature: &'static str,
    arguments: &'static str,
}

const SHAPES: [Shape; 10] = [
    Shape {
        signature: "async fn NAME(author: u64, body: &str) -> Result<Row, Failure> = if body.is_empty() { return Err(Failure::Empty); } Ok(Row::new(author, body))",
        arguments: "7, \"a body\"",
    },
    Shape {
        signature: "async fn NAME(id: u64) -> Option<Row> = (id % 2 == 0).then(|| Row::new(id, \"even\"))",
        arguments: "8",
    },
    Shape {
        signature: "fn NAME(text: &str) -> String = text.to_uppercase()",
        arguments: "\"loud\"",
    },
    Shape {
        signature: "async fn NAME(bytes: &[u8], seed: u32) -> Result<u64, Failure> = if bytes.is_empty() { return Err(Failure::Empty); } Ok(bytes.iter().fold(u64::from(seed), |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)))",
        arguments: "b\"bytes\", 3",
    },
    Shape {
        signature: "async fn NAME(row: Row) -> Result<(), Failure> = if row.id == 0 { Err(Failure::NotFound { id: row.id }) } else { Ok(()) }",
        arguments: "Row::new(1, \"one\")",
    },
    Shape {
        signature: "async fn NAME(after: u64, most: u32) -> Vec<Row> = (0..u64::from(most)).map(|id| Row::new(after + id, \"next\")).collect()",
        arguments: "1, 2",
    },
    Shape {
        signature: "async fn NAME(row: &Row, force: bool) -> Result<Row, Failure> = if force { Ok(row.clone()) } else { Err(Failure::NotFound { id: row.id }) }",
        arguments: "&Row::new(1, \"one\"), true",
    },
    Shape {
        signature: "async fn NAME(name: String, referrer: Option<u64>) -> bool = !name.is_empty() && referrer.is_some()",
        arguments: "String::from(\"name\"), Some(1)",
    },
    Shape {
        signature: "async fn NAME(ids: Vec<u64>) -> Vec<Option<Row>> = ids.into_iter().map(|id| (id > 1).then(|| Row::new(id, \"found\"))).collect()",
        arguments: "vec![1, 2, 3]",
    },
    Shape {
        signature: "async fn NAME(at: (f64, f64), level: Level) -> Result<f64, String> = match level { Level::Free => Err(String::from(\"free\")), Level::Paid { plan } => Ok(at.0 * at.1 + f64::from(plan)) }",
        arguments: "(1.0, 2.0), Level::Paid { plan: 3 }",
    },
];

/// What the functions of one module share.
const TYPES: &str = "\
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    pub struct Row { pub id: u64, pub title: String, pub tags: Vec<String>, pub score: f64, pub parent: Option<u64> }
    impl Row {
        fn new(id: u64, title: &str) -> Self {
            Self { id, title: title.to_owned(), tags: vec![title.to_owned()], score: 1.0, parent: None }
        }
    }
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    pub enum Level { Free, Paid { plan: u8 } }
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    pub enum Failure { Empty, NotFound { id: u64 }, Busy(String) }
";

const HEAD: &str = "\
#![allow(dead_code, unused_imports)]
mod keep {
    //! Holds on to functions, so that the linker may not drop them.
    pub type Kept = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    pub fn kept(future: impl Future<Output = ()> + Send + 'static) -> Kept { Box::pin(future) }
    pub fn value<T>(value: T) { std::hint::black_box(value); }
    pub fn hold(table: &[fn() -> Kept]) { std::hint::black_box(table); }
}
";

const MAIN: &str = "\
#[tokio::main]
async fn main() {
    // every module
    let node = fly_rpc::Node::builder().start().await.expect(\"a node\");
    node.shutdown().await;
}
";

const INFALLIBLE: &str = "a string takes whatever is written to it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variants_differ_in_the_attribute_and_the_calls_only() {
        let plain = program(Variant::Plain, 20);
        let served = program(Variant::Served, 20);
        assert_eq!(served.matches("region_rpc").count(), 20);
        let stripped: Vec<&str> = served
            .lines()
            .filter(|line| !line.contains("region_rpc"))
            .collect();
        assert_eq!(stripped, plain.lines().collect::<Vec<_>>());
        let called = program(Variant::Called, 20);
        assert_eq!(called.matches("_on_primary").count(), 20);
    }
}
