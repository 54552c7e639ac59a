//! A JSON value: numbers as they are written, so that none loses a digit, and members in their order.

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As written: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
    Number(String),
    Text(String),
    List(Vec<Self>),
    /// No name comes twice in what is parsed.
    Object(Vec<(String, Self)>),
}

impl Json {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A whole number.
    pub(crate) fn number(number: impl Into<i128>) -> Self {
        Self::Number(number.into().to_string())
    }

    /// `null` for what is not there.
    pub(crate) fn optional(value: Option<Self>) -> Self {
        value.unwrap_or(Self::Null)
    }

    /// An object with these members.
    pub(crate) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        let members = members.into_iter();
        Self::Object(
            members
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// A list of these.
    pub(crate) fn list(values: impl IntoIterator<Item = Self>) -> Self {
        Self::List(values.into_iter().collect())
    }

    /// What it is, for errors: short, whatever it holds.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => format!("the number {}", short(number)),
            Self::Text(text) => format!("the text {}", Self::text(short(text))),
            Self::List(items) => format!("an array of {}", items.len()),
            Self::Object(members) if members.is_empty() => "an empty object".to_owned(),
            Self::Object(members) => {
                let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
                format!("an object with {}", short(&names.join(", ")))
            }
        }
    }
}

/// The beginning of a text, if it is long.
fn short(text: &str) -> String {
    let mut letters = text.chars();
    let beginning: String = letters.by_ref().take(WORDS).collect();
    match letters.next() {
        None => beginning,
        Some(_) => beginning + "…",
    }
}

/// Letters of a value that an error shows.
const WORDS: usize = 40;
