//! The other direction: is a value written as its definition says it is read?
//!
//! `Deserialize` alone does not show what `skip_serializing_if` leaves out, or how a hand-written `Serialize` differs. So each value
//! a pass built is written into a [`Writer`] that follows the definitions, and then through postcard and back. What
//! makes no difference on the wire (a tuple for a struct, a newtype or none) is no fault; what a walk never saw is not judged.

use std::panic::{AssertUnwindSafe, catch_unwind};

use postcard::de_flavors::Flavor;
use serde::{Deserialize, Serialize};

use super::{
    recorder::Writer,
    samples,
    shape::{Spot, Table},
    tracer::{End, Fault},
};

/// Compares what `value` writes with the definition at `root`; `unordered` values may change their order on the way.
pub(super) fn verify<T>(
    table: &mut Table,
    root: Spot,
    value: &T,
    unordered: bool,
) -> Result<(), End>
where
    T: Deserialize<'static> + Serialize,
{
    let mut mirror = Mirror {
        table,
        path: Vec::new(),
        end: None,
    };
    // A panic, or an error of the type's own, says nothing about shapes: this value cannot be written, others can.
    let written = catch_unwind(AssertUnwindSafe(|| {
        value.serialize(Writer::at(&mut mirror, Some(root))).is_ok()
    }));
    if !mirror.ends_well(matches!(written, Ok(true)))? {
        return Ok(());
    }
    let returned = catch_unwind(AssertUnwindSafe(|| there_and_back(value, unordered)));
    returned
        .unwrap_or(Ok(()))
        .map_err(|difference| differing(table, root, difference))
}

fn differing(table: &Table, root: Spot, difference: &str) -> End {
    let id = table.edge(root).target.unwrap_or(Table::ROOT);
    let fault = Fault::ShapeDiffers(table.definition(id).rust_name, difference.to_owned());
    End::Fault(fault, vec![root])
}

/// Belt and braces: what postcard reads back must be written the same again.
fn there_and_back<T: Deserialize<'static> + Serialize>(
    value: &T,
    unordered: bool,
) -> Result<(), &'static str> {
    let Ok(bytes) = postcard::to_stdvec(value) else {
        return Ok(());
    };
    let source = Kept {
        bytes: bytes.clone(),
        at: 0,
    };
    let mut deserializer = postcard::Deserializer::from_flavor(source);
    let Ok(again) = T::deserialize(&mut deserializer) else {
        return Err("postcard cannot read what it wrote");
    };
    if !matches!(deserializer.finalize(), Ok(0)) {
        return Err("postcard writes more than it reads");
    }
    match postcard::to_stdvec(&again) {
        Ok(second) if second != bytes && !unordered => {
            Err("postcard reads another value than it wrote")
        }
        _ => Ok(()),
    }
}

/// What a [`Writer`] works on.
#[derive(Debug)]
pub(super) struct Mirror<'t> {
    pub(super) table: &'t mut Table,
    /// The positions that are being written, outermost first.
    pub(super) path: Vec<Spot>,
    /// The first difference.
    pub(super) end: Option<End>,
}

impl Mirror<'_> {
    /// True if the value was written.
    fn ends_well(self, was_written: bool) -> Result<bool, End> {
        self.end.map_or(Ok(was_written), Err)
    }
}

/// Bytes for postcard to read, borrowed for ever because arguments may borrow (`&str`) and their lifetime is not known here.
struct Kept {
    bytes: Vec<u8>,
    at: usize,
}

impl Kept {
    fn take(&mut self, count: usize) -> postcard::Result<&[u8]> {
        let end = self
            .at
            .checked_add(count)
            .ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        let taken = self
            .bytes
            .get(self.at..end)
            .ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.at = end;
        Ok(taken)
    }
}

impl Flavor<'static> for Kept {
    type Remainder = usize;
    type Source = ();

    fn pop(&mut self) -> postcard::Result<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len() - self.at)
    }

    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'static [u8]> {
        self.take(count).map(samples::keep)
    }

    fn try_take_n_temp<'a>(&'a mut self, count: usize) -> postcard::Result<&'a [u8]>
    where
        'static: 'a,
    {
        self.take(count)
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.bytes.len() - self.at)
    }
}
