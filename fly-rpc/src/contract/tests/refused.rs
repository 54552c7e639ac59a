//! What postcard would misread or fail on is refused by name, before anything is sent.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeTuple};

use super::{refusal, text};
use crate::contract::{ContractError, trace};

#[track_caller]
fn needs_self_describing<T: Serialize + serde::de::DeserializeOwned + std::fmt::Debug>() {
    let error = refusal::<T>();
    assert!(
        matches!(error, ContractError::NeedsSelfDescribing { .. }),
        "{error}"
    );
}

#[track_caller]
fn shape_differs<T: Serialize + serde::de::DeserializeOwned + std::fmt::Debug>(because: &str) {
    let error = refusal::<T>();
    assert!(
        matches!(error, ContractError::ShapeDiffers { .. }),
        "{error}"
    );
    assert!(error.to_string().contains(because), "{error}");
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    A(u8),
    B(String),
}

#[test]
fn what_needs_a_format_that_describes_itself() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Internal {
        A { a: u8 },
        B { b: u16 },
    }
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "type", content = "value")]
    enum Adjacent {
        A(u8),
        B { b: u16 },
        C,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Inner {
        b: u8,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Flattened {
        a: u8,
        #[serde(flatten)]
        inner: Inner,
    }
    impl Serialize for serde_any::Any {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_unit()
        }
    }
    mod serde_any {
        use super::*;

        #[derive(Debug)]
        pub(super) struct Any;

        impl<'de> Deserialize<'de> for Any {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
            }
        }
    }
    needs_self_describing::<Untagged>();
    needs_self_describing::<Internal>();
    needs_self_describing::<Adjacent>();
    needs_self_describing::<Flattened>();
    needs_self_describing::<Vec<Option<serde_any::Any>>>();
}

#[test]
fn postcard_itself_cannot_read_adjacent_tags() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "type", content = "value")]
    enum Adjacent {
        A(u8),
    }
    let bytes = postcard::to_stdvec(&Adjacent::A(1)).unwrap();
    assert!(postcard::from_bytes::<Adjacent>(&bytes).is_err());
}

#[test]
fn an_error_names_the_function_the_way_and_the_type() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Post {
        tags: Vec<Tag>,
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum Tag {
        Plain(String),
        Rich { text: Untagged },
    }
    let error = trace::<(u8, Post), ()>("create_post", 2, &["author", "post"])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(
            "create_post@2, argument `post`, field `Post.tags`, variant `Tag::Rich`: `"
        ),
        "{error}"
    );
    let error = trace::<(), Result<Untagged, ()>>("f", 1, &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("f@1, the return value, variant `Result::Ok`: `"),
        "{error}"
    );
}

#[test]
fn fields_that_are_left_out() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Options {
        #[serde(skip_serializing_if = "Option::is_none")]
        maybe: Option<u8>,
        last: u8,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Lists {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        list: Vec<u8>,
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum Deep {
        End,
        Here {
            #[serde(default, skip_serializing_if = "String::is_empty")]
            text: String,
            more: Option<Box<Options>>,
        },
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct OneWay {
        first: u8,
        #[serde(skip_serializing, default)]
        #[expect(dead_code, reason = "it is read and never written")]
        password: String,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct OtherWay {
        #[serde(skip_deserializing)]
        computed: String,
        first: u8,
    }
    shape_differs::<Options>("field `maybe` is sometimes left out");
    shape_differs::<Lists>("field `list` is sometimes left out");
    shape_differs::<Vec<Deep>>("field `maybe` is sometimes left out");
    shape_differs::<OneWay>("1 parts are written, 2 are read");
    shape_differs::<OtherWay>("`str` is written, `u8` is read");
}

#[test]
fn skipped_variants_shift_the_numbers_of_those_behind() {
    #[derive(Debug, Serialize, Deserialize)]
    enum Shifted {
        A(u8),
        #[serde(skip)]
        #[expect(dead_code, reason = "it is there to be skipped")]
        Internal,
        C(u8),
        D(u8),
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum OneWay {
        A(u8),
        #[serde(skip_deserializing)]
        #[expect(dead_code, reason = "it is there to be skipped")]
        Internal(u8),
        C(u8),
    }
    #[derive(Debug, Serialize, Deserialize)]
    enum Masked {
        #[serde(alias = "A0")]
        A(u8),
        #[serde(skip)]
        #[expect(dead_code, reason = "it is there to be skipped")]
        Internal,
        C(u8),
    }
    shape_differs::<Shifted>("variant `C` is written as number 2");
    shape_differs::<OneWay>("variant `C` is written as number 2");
    shape_differs::<Option<Masked>>("postcard cannot read what it wrote");
}

mod next {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        (value + 1).serialize(serializer)
    }
}

#[test]
fn writing_another_type_than_is_read() {
    #[derive(Debug, Serialize, Deserialize)]
    struct OneWith {
        #[serde(serialize_with = "as_text")]
        number: u32,
    }
    fn as_text<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct SameShape {
        #[serde(serialize_with = "next::serialize")]
        number: u32,
    }
    shape_differs::<OneWith>("`str` is written, `u32` is read");
    shape_differs::<SameShape>("postcard reads another value than it wrote");
}

#[test]
fn hand_written_impls_that_change_places() {
    #[derive(Debug, Deserialize)]
    struct Swapped {
        a: u8,
        b: u8,
    }
    impl Serialize for Swapped {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct;
            let mut parts = serializer.serialize_struct("Swapped", 2)?;
            parts.serialize_field("b", &self.b)?;
            parts.serialize_field("a", &self.a)?;
            parts.end()
        }
    }
    shape_differs::<Swapped>("field `a` is written in place 1 and read in place 0");
}

#[test]
fn a_sequence_without_its_length() {
    #[derive(Debug, Deserialize)]
    struct Lazy(Vec<u8>);
    impl Serialize for Lazy {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().filter(|byte| **byte < 200))
        }
    }
    shape_differs::<Lazy>("a sequence without its length is written");
}

#[test]
fn a_tuple_for_a_struct_is_the_same_on_the_wire() {
    #[derive(Debug, Deserialize)]
    struct Point {
        x: u8,
        y: u16,
    }
    impl Serialize for Point {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut parts = serializer.serialize_tuple(2)?;
            parts.serialize_element(&self.x)?;
            parts.serialize_element(&self.y)?;
            parts.end()
        }
    }
    assert_eq!(text::<Point>(), "Point { x: u8, y: u16 }");
}
