//! The [`Serializer`] that follows a definition and notes the first place where a value leaves it.

use serde::{Serialize, Serializer, ser};

use self::parts::Parts;
use super::{
    mirror::Mirror,
    shape::{FULL, Form, Id, Kind, Spot},
    tracer::{End, Fault},
};

mod parts;

/// The error of the recording serializer; a difference, if that is the reason, is kept in the [`Mirror`].
#[derive(Debug)]
pub(super) struct Mismatch;

/// Writes one value at one position; with no position everything is accepted, since nothing is known.
#[derive(Debug)]
pub(super) struct Writer<'m, 't> {
    mirror: &'m mut Mirror<'t>,
    spot: Option<Spot>,
}

impl<'m, 't> Writer<'m, 't> {
    pub(super) fn at(mirror: &'m mut Mirror<'t>, spot: Option<Spot>) -> Self {
        Self { mirror, spot }
    }

    /// The definition at this position, if it is known, with its kind.
    fn known(&self) -> Option<(Id, Kind)> {
        let spot = self.spot?;
        let arm = self.mirror.table.arm(spot.definition, spot.arm);
        let edge = arm
            .edges
            .get(spot.slot)
            .filter(|edge| edge.opaque.is_none())?;
        let id = edge.target?;
        Some((id, self.mirror.table.definition(id).kind))
    }

    /// Like `known`, behind any newtypes, which are nothing on the wire.
    fn unwrapped(&mut self) -> Option<(Id, Kind)> {
        loop {
            let (id, kind) = self.known()?;
            let Kind::Newtype(_) = kind else {
                return Some((id, kind));
            };
            self.spot = Some(Spot {
                definition: id,
                arm: 0,
                slot: 0,
            });
        }
    }

    fn differs(self, written: &str) -> Mismatch {
        let (id, kind) = self.known().unwrap_or((0, Kind::Function));
        let difference = format!("{written} is written, {} is read", kind.words());
        self.fault(id, difference)
    }

    fn fault(self, id: Id, difference: String) -> Mismatch {
        let fault = Fault::ShapeDiffers(self.mirror.table.definition(id).rust_name, difference);
        let path = self.mirror.path.iter().copied().chain(self.spot).collect();
        self.mirror.end.get_or_insert(End::Fault(fault, path));
        Mismatch
    }

    fn leaf(mut self, name: &'static str) -> Result<(), Mismatch> {
        match self.unwrapped() {
            None => Ok(()),
            Some((_, Kind::Leaf(read))) if read == name => Ok(()),
            Some(_) => Err(self.differs(&format!("`{name}`"))),
        }
    }

    fn unit(mut self) -> Result<(), Mismatch> {
        match self.unwrapped() {
            None
            | Some((
                _,
                Kind::Leaf("()") | Kind::UnitStruct(_) | Kind::Tuple(0) | Kind::TupleStruct(_, 0),
            )) => Ok(()),
            Some((_, Kind::Struct(_, []))) => Ok(()),
            Some(_) => Err(self.differs("`()`")),
        }
    }

    /// A value inside this one.
    fn inside<T: Serialize + ?Sized>(
        &mut self,
        spot: Option<Spot>,
        value: &T,
    ) -> Result<(), Mismatch> {
        self.mirror.path.extend(self.spot);
        let result = value.serialize(Writer::at(self.mirror, spot));
        if self.spot.is_some() && self.mirror.end.is_none() {
            self.mirror.path.pop();
        }
        result
    }

    /// Several values inside this one, the first in `slot` 0 of `arm`.
    fn parts(self, arm: Option<(Id, usize)>, same: bool) -> Parts<'m, 't> {
        Parts::new(self, arm, same)
    }

    fn product(mut self, len: usize, words: &str) -> Result<Parts<'m, 't>, Mismatch> {
        match self.unwrapped() {
            None => Ok(self.parts(None, false)),
            Some((id, Kind::Tuple(_) | Kind::TupleStruct(..) | Kind::Struct(..))) => {
                Ok(self.parts(Some((id, 0)), false))
            }
            Some((_, Kind::Leaf("()") | Kind::UnitStruct(_))) if len == 0 => {
                Ok(self.parts(None, false))
            }
            Some(_) => Err(self.differs(words)),
        }
    }

    /// A variant, which must be the one that reading takes for this number.
    fn variant(
        mut self,
        index: u32,
        name: &'static str,
        form: Form,
    ) -> Result<Parts<'m, 't>, Mismatch> {
        let (id, variants) = match self.unwrapped() {
            None => return Ok(self.parts(None, false)),
            Some((id, Kind::Enum(_, variants))) => (id, variants),
            Some(_) => return Err(self.differs(&format!("variant `{name}`"))),
        };
        // The list of names that reading knows may have aliases in it, so a name may stand behind its number, never before.
        let index = index as usize;
        let listed = variants.iter().position(|known| *known == name);
        if index >= variants.len() || listed.is_some_and(|listed| listed < index) {
            let number = listed.map_or("not at all".to_owned(), |listed| {
                format!("as number {listed}")
            });
            let difference =
                format!("variant `{name}` is written as number {index} and read {number}");
            return Err(self.fault(id, difference));
        }
        let arm = self.mirror.table.arm_mut(id, index);
        arm.serialized = listed.map(|_| name);
        if arm.form == Form::Unseen {
            return Ok(self.parts(None, false));
        }
        if arm.form.len() != form.len() {
            let difference = format!(
                "variant `{name}` is written with {} parts and read with {}",
                form.len(),
                arm.form.len()
            );
            return Err(self.fault(id, difference));
        }
        Ok(self.parts(Some((id, index)), false))
    }
}

impl Kind {
    /// This kind in an error.
    fn words(self) -> String {
        match self {
            Self::Function => "a function".to_owned(),
            Self::Leaf(name) => format!("`{name}`"),
            Self::UnitStruct(name)
            | Self::Newtype(name)
            | Self::TupleStruct(name, _)
            | Self::Struct(name, _) => {
                format!("struct `{name}`")
            }
            Self::Option => "an option".to_owned(),
            Self::Seq => "a sequence".to_owned(),
            Self::Map => "a map".to_owned(),
            Self::Tuple(len) => format!("a tuple of {len}"),
            Self::Enum(name, _) => format!("enum `{name}`"),
        }
    }
}

impl Form {
    /// Parts of a variant. With aliases among the names of a struct there may be fewer: only the walk knows.
    fn len(self) -> usize {
        match self {
            Self::Unseen | Self::Unit => 0,
            Self::Newtype => 1,
            Self::Tuple(len) => len,
            Self::Struct(_) => usize::MAX,
        }
    }
}

macro_rules! leaves {
    ($($serialize:ident $leaf:ident)*) => {$(
        fn $serialize(self, _value: $leaf) -> Result<(), Mismatch> {
            self.leaf(stringify!($leaf))
        }
    )*};
}

impl<'m, 't> Serializer for Writer<'m, 't> {
    type Ok = ();
    type Error = Mismatch;
    type SerializeSeq = Parts<'m, 't>;
    type SerializeTuple = Parts<'m, 't>;
    type SerializeTupleStruct = Parts<'m, 't>;
    type SerializeTupleVariant = Parts<'m, 't>;
    type SerializeMap = Parts<'m, 't>;
    type SerializeStruct = Parts<'m, 't>;
    type SerializeStructVariant = Parts<'m, 't>;

    fn is_human_readable(&self) -> bool {
        false
    }

    leaves! {
        serialize_bool bool
        serialize_i8 i8
        serialize_i16 i16
        serialize_i32 i32
        serialize_i64 i64
        serialize_i128 i128
        serialize_u8 u8
        serialize_u16 u16
        serialize_u32 u32
        serialize_u64 u64
        serialize_u128 u128
        serialize_f32 f32
        serialize_f64 f64
        serialize_char char
    }

    fn serialize_str(self, _value: &str) -> Result<(), Mismatch> {
        self.leaf("str")
    }

    fn serialize_bytes(mut self, _value: &[u8]) -> Result<(), Mismatch> {
        match self.unwrapped() {
            Some((definition, Kind::Seq)) => {
                // The same bytes on the wire, if the elements are bytes.
                let spot = Some(Spot {
                    definition,
                    arm: FULL,
                    slot: 0,
                });
                Writer::at(self.mirror, spot).leaf("u8")
            }
            _ => self.leaf("bytes"),
        }
    }

    fn serialize_none(mut self) -> Result<(), Mismatch> {
        match self.unwrapped() {
            None | Some((_, Kind::Option)) => Ok(()),
            Some(_) => Err(self.differs("an option")),
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), Mismatch> {
        match self.unwrapped() {
            None => self.inside(None, value),
            Some((definition, Kind::Option)) => self.inside(
                Some(Spot {
                    definition,
                    arm: FULL,
                    slot: 0,
                }),
                value,
            ),
            Some(_) => Err(self.differs("an option")),
        }
    }

    fn serialize_unit(self) -> Result<(), Mismatch> {
        self.unit()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Mismatch> {
        self.unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Mismatch> {
        self.variant(index, variant, Form::Unit).map(drop)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Mismatch> {
        // Whether or not it is read as a newtype: what is inside will look for itself.
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Mismatch> {
        self.variant(index, variant, Form::Newtype)?.part(value)
    }

    fn serialize_seq(mut self, len: Option<usize>) -> Result<Parts<'m, 't>, Mismatch> {
        if len.is_none() {
            return Err(self.differs("a sequence without its length"));
        }
        match self.unwrapped() {
            None => Ok(self.parts(None, true)),
            Some((id, Kind::Seq)) => Ok(self.parts(Some((id, FULL)), true)),
            // `&[u8]` is written as a sequence and read as bytes, which are the same on the wire.
            Some((_, Kind::Leaf("bytes"))) => Ok(self.parts(None, true)),
            Some(_) => Err(self.differs("a sequence")),
        }
    }

    fn serialize_tuple(self, len: usize) -> Result<Parts<'m, 't>, Mismatch> {
        self.product(len, &format!("a tuple of {len}"))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Parts<'m, 't>, Mismatch> {
        self.product(len, &format!("struct `{name}`"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'m, 't>, Mismatch> {
        self.variant(index, variant, Form::Tuple(len))
    }

    fn serialize_map(mut self, len: Option<usize>) -> Result<Parts<'m, 't>, Mismatch> {
        if len.is_none() {
            return Err(self.differs("a map without its length"));
        }
        match self.unwrapped() {
            None => Ok(self.parts(None, false)),
            Some((id, Kind::Map)) => Ok(self.parts(Some((id, FULL)), false)),
            Some(_) => Err(self.differs("a map")),
        }
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Parts<'m, 't>, Mismatch> {
        self.product(len, &format!("struct `{name}`"))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Parts<'m, 't>, Mismatch> {
        self.variant(index, variant, Form::Struct(&[]))
    }
}

impl ser::Error for Mismatch {
    fn custom<T: std::fmt::Display>(_message: T) -> Self {
        Self
    }
}

impl std::error::Error for Mismatch {}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a made-up value was not written")
    }
}
