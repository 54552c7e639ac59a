//! Values that would be misread are refused where they are encoded.

use std::fmt;

use serde::{
    Serialize, Serializer,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::{EncodeError, encode};
use crate::registry::ByteSlice;

#[track_caller]
fn refusal(value: &impl Serialize) -> String {
    encode(value).unwrap_err().to_string()
}

#[derive(Serialize)]
struct Options {
    first: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    maybe: Option<u8>,
}

#[test]
fn a_field_that_is_left_out_is_refused_by_name() {
    #[derive(Serialize)]
    enum Tag {
        Rich {
            #[serde(skip_serializing_if = "String::is_empty")]
            text: String,
        },
    }

    let options = |maybe| Options { first: 1, maybe };
    assert_eq!(encode(&options(Some(2))).unwrap(), [1, 1, 2].as_slice());
    assert_eq!(
        refusal(&(7, vec![options(Some(1)), options(None)])),
        "field `maybe` of `Options` is left out, and the other side would read what follows in its \
         place. Cure: no `skip_serializing_if`"
    );
    let text = String::new();
    assert_eq!(
        encode(&Tag::Rich { text }),
        Err(EncodeError::LeftOut {
            whole: super::super::error::Whole::Variant("Tag", "Rich"),
            field: "text"
        })
    );
}

#[test]
fn a_field_that_is_never_written_is_none() {
    #[derive(Serialize)]
    struct OneWay {
        first: u8,
        #[serde(skip_serializing)]
        _password: String,
    }

    let value = OneWay {
        first: 1,
        _password: "secret".to_owned(),
    };
    assert_eq!(encode(&value).unwrap(), [1].as_slice());
}

/// Announces as many parts as the first says and writes as many as the second does.
struct Liar(Form, usize, usize);

#[derive(Clone, Copy)]
enum Form {
    Seq,
    Map,
    Tuple,
    TupleStruct,
    Struct,
    TupleVariant,
    StructVariant,
}

/// Begins, writes the parts, ends.
macro_rules! lie {
    ($written:expr, $begin:expr, $whole:ident::$part:ident $(($name:expr))?) => {{
        let mut parts = $begin?;
        for _ in 0..$written {
            $whole::$part(&mut parts, $($name,)? &1_u8)?;
        }
        $whole::end(parts)
    }};
}

impl Serialize for Liar {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Self(form, len, written) = *self;
        match form {
            Form::Seq => lie!(
                written,
                s.serialize_seq(Some(len)),
                SerializeSeq::serialize_element
            ),
            Form::Map => lie!(
                written,
                s.serialize_map(Some(len)),
                SerializeMap::serialize_entry(&1_u8)
            ),
            Form::Tuple => lie!(
                written,
                s.serialize_tuple(len),
                SerializeTuple::serialize_element
            ),
            Form::TupleStruct => lie!(
                written,
                s.serialize_tuple_struct("Liar", len),
                SerializeTupleStruct::serialize_field
            ),
            Form::Struct => lie!(
                written,
                s.serialize_struct("Liar", len),
                SerializeStruct::serialize_field("a")
            ),
            Form::TupleVariant => lie!(
                written,
                s.serialize_tuple_variant("Liar", 0, "Tuple", len),
                SerializeTupleVariant::serialize_field
            ),
            Form::StructVariant => lie!(
                written,
                s.serialize_struct_variant("Liar", 0, "Struct", len),
                SerializeStructVariant::serialize_field("a")
            ),
        }
    }
}

#[test]
fn what_has_more_or_fewer_parts_than_announced_is_refused() {
    for (form, name) in [
        (Form::Seq, "a sequence"),
        (Form::Map, "a map"),
        (Form::Tuple, "a tuple"),
        (Form::TupleStruct, "`Liar`"),
        (Form::Struct, "`Liar`"),
        (Form::TupleVariant, "`Liar::Tuple`"),
        (Form::StructVariant, "`Liar::Struct`"),
    ] {
        assert!(encode(&Liar(form, 2, 2)).is_ok(), "{name}");
        assert_eq!(
            refusal(&Liar(form, 3, 1)),
            format!("{name} announces 3 parts and has 1")
        );
        assert_eq!(
            refusal(&Liar(form, 1, 2)),
            format!("{name} announces 1 parts and has more")
        );
    }
}

#[test]
fn what_does_not_know_its_length_is_refused() {
    struct Filtered;

    impl Serialize for Filtered {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq((0..9_u8).filter(|byte| byte % 2 == 0))
        }
    }

    assert_eq!(
        refusal(&Filtered),
        "a sequence does not know its length. Cure: collect it into a `Vec` first"
    );
}

#[test]
fn a_key_without_its_value_is_refused() {
    struct Keys(&'static [bool]);

    impl Serialize for Keys {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(1))?;
            for is_key in self.0 {
                match is_key {
                    true => map.serialize_key(&1_u8)?,
                    false => map.serialize_value(&1_u8)?,
                }
            }
            map.end()
        }
    }

    assert!(encode(&Keys(&[true, false])).is_ok());
    for wrong in [
        [true].as_slice(),
        &[false],
        &[true, true],
        &[true, false, false],
    ] {
        assert_eq!(encode(&Keys(wrong)), Err(EncodeError::Unpaired));
    }
}

#[test]
fn a_display_that_changes_is_written_as_it_was_measured() {
    struct Growing(std::cell::Cell<usize>);

    impl fmt::Display for Growing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str(&"x".repeat(self.0.get()))
        }
    }

    impl Serialize for Growing {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    let bytes = encode(&Growing(0.into())).unwrap();
    assert_eq!(postcard::take_from_bytes(&bytes), Ok(("x", [].as_slice())));
}

#[test]
fn the_reason_of_a_type_is_kept() {
    struct Refusing;

    impl Serialize for Refusing {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }

    assert_eq!(refusal(&[Refusing]), "not today");
}

#[test]
fn a_byte_slice_is_its_length_and_itself() {
    let bytes = encode(&ByteSlice(&[7; 300])).unwrap();
    assert_eq!(bytes[..2], [0xac, 0x02]);
    assert_eq!(bytes[2..], [7; 300]);
}
