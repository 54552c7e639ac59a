//! The parts of a value, written one after the other.

use serde::{
    Serialize,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::{Mismatch, Writer};
use crate::contract::shape::{Form, Id, Spot};

/// Writes the parts of a value.
#[derive(Debug)]
pub(in crate::contract) struct Parts<'m, 't> {
    writer: Writer<'m, 't>,
    /// Whose parts; unknown if `None`.
    arm: Option<(Id, usize)>,
    slot: usize,
    /// All parts stand in one slot.
    same: bool,
    last_name: Option<usize>,
}

impl<'m, 't> Parts<'m, 't> {
    pub(super) fn new(writer: Writer<'m, 't>, arm: Option<(Id, usize)>, same: bool) -> Self {
        Self {
            writer,
            arm,
            slot: 0,
            same,
            last_name: None,
        }
    }

    pub(super) fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        let spot = self.arm.map(|(definition, arm)| Spot {
            definition,
            arm,
            slot: self.slot,
        });
        self.slot += usize::from(!self.same);
        self.writer.inside(spot, value)
    }

    fn fault(&mut self, difference: String) -> Mismatch {
        let id = self.arm.map_or(0, |(id, _)| id);
        Writer::at(self.writer.mirror, self.writer.spot).fault(id, difference)
    }

    fn named<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Mismatch> {
        if let Some((id, arm)) = self.arm {
            let entry = self.writer.mirror.table.arm_mut(id, arm);
            let fields = if let Form::Struct(fields) = entry.form {
                fields
            } else {
                &[]
            };
            // As with variants: a name may stand behind its place because of aliases, never before it.
            if let Some(listed) = fields.iter().position(|field| *field == name) {
                if listed < self.slot || self.last_name.is_some_and(|last| listed <= last) {
                    let place = self.slot;
                    return Err(self.fault(format!(
                        "field `{name}` is written in place {place} and read in place {listed}"
                    )));
                }
                self.last_name = Some(listed);
                if let Some(edge) = entry.edges.get_mut(self.slot) {
                    edge.serialized = Some(name);
                }
            }
        }
        self.part(value)
    }

    fn left_out(&mut self, name: &'static str) -> Result<(), Mismatch> {
        Err(self.fault(format!(
            "field `{name}` is sometimes left out (`skip_serializing_if`)"
        )))
    }

    /// All parts of a product were written.
    fn complete(mut self) -> Result<(), Mismatch> {
        let Some((id, arm)) = self.arm else {
            return Ok(());
        };
        let arm = self.writer.mirror.table.arm(id, arm);
        let (read, written) = (arm.edges.len(), self.slot);
        if arm.dead || read == written {
            return Ok(());
        }
        Err(self.fault(format!("{written} parts are written, {read} are read")))
    }
}

impl SerializeSeq for Parts<'_, '_> {
    type Ok = ();
    type Error = Mismatch;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        self.part(value)
    }

    fn end(self) -> Result<(), Mismatch> {
        Ok(())
    }
}

impl SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = Mismatch;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Mismatch> {
        self.slot = 0;
        self.part(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        self.part(value)
    }

    fn end(self) -> Result<(), Mismatch> {
        Ok(())
    }
}

macro_rules! products {
    ($($trait:ident $part:ident)*) => {$(
        impl $trait for Parts<'_, '_> {
            type Ok = ();
            type Error = Mismatch;

            fn $part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
                self.part(value)
            }

            fn end(self) -> Result<(), Mismatch> {
                self.complete()
            }
        }
    )*};
}

products! {
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! structs {
    ($($trait:ident)*) => {$(
        impl $trait for Parts<'_, '_> {
            type Ok = ();
            type Error = Mismatch;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Mismatch> {
                self.named(name, value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Mismatch> {
                self.left_out(name)
            }

            fn end(self) -> Result<(), Mismatch> {
                self.complete()
            }
        }
    )*};
}

structs! { SerializeStruct SerializeStructVariant }
