//! Requests, answers and cancels: one header has one spelling.

use bytes::{BufMut, Bytes, BytesMut};

use super::Input;
use crate::wire::{
    LENGTH, Request, RequestHead, Response, ResponseFrame, cancel_frame, decode_call_id,
};

/// Which header, then its bytes.
///
/// # Panics
///
/// If a header is read that would have been written otherwise.
pub fn headers(data: &[u8]) {
    let mut input = Input(data);
    let kind = input.byte();
    let body = Bytes::copy_from_slice(input.0);
    match kind % 3 {
        0 => request(body),
        1 => response(body),
        _ => cancel(body),
    }
}

fn request(body: Bytes) {
    let Ok(request) = Request::decode(body.clone()) else {
        return;
    };
    let head = RequestHead {
        function: request.function(),
        version: request.version,
        contract: request.contract,
        trace: request.trace,
        for_primary: request.for_primary,
    };
    let mut again = BytesMut::new();
    let size = request.arguments.len();
    head.put(&mut again, request.call, request.remaining, size);
    again.put_slice(&request.arguments);
    // Flags of the upper half but the first are a newer peer's: read over, and not written.
    let flags = varint_length(request.call);
    let mut expected = body.to_vec();
    expected[flags] &= 0x1f;
    assert_eq!(again[LENGTH + 1..], expected);
}

fn response(body: Bytes) {
    let Ok((call, response)) = Response::decode(body.clone()) else {
        return;
    };
    let again = ResponseFrame::new(call, response.status).with_detail(&response.body);
    assert_eq!(again.finish()[LENGTH + 1..], body);
}

fn cancel(body: Bytes) {
    let Ok(call) = decode_call_id(body.clone()) else {
        return;
    };
    let mut again = BytesMut::new();
    cancel_frame(&mut again, call);
    assert!(body.starts_with(&again[LENGTH + 1..]));
}

fn varint_length(value: u64) -> usize {
    (value.max(1).ilog2() / 7 + 1) as usize
}
