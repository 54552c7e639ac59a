//! What stands in for metrics without the feature `metrics`: nothing, at no cost.

use std::marker::PhantomData;

use fly_rpc_transport::Status;
use tokio::time::Instant;

use super::end::End;
use crate::registry::Registered;

#[derive(Debug)]
pub(crate) struct Meters;

impl Meters {
    pub(crate) fn new(_functions: &'static [Registered]) -> Self {
        Self
    }

    pub(super) fn call(&self, _place: Option<usize>, _now: Instant) -> CallMeter<'_> {
        CallMeter(PhantomData)
    }

    pub(super) fn serve(&self, _place: usize, _received: usize) -> ServeMeter {
        ServeMeter
    }

    pub(crate) fn refused(&self, _status: Status) {}
}

#[derive(Debug)]
pub(super) struct CallMeter<'a>(PhantomData<&'a ()>);

impl CallMeter<'_> {
    pub(super) const IS_ON: bool = false;

    pub(super) fn here(&self) {}

    pub(super) fn elsewhere(&self, _again: bool, _sent: usize) {}

    pub(super) fn received(&self, _bytes: usize) {}

    pub(super) fn end(&self, _end: End) {}
}

#[derive(Debug)]
pub(super) struct ServeMeter;

impl ServeMeter {
    pub(super) fn end(&self, _end: End, _sent: usize) {}
}
