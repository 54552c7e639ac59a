//! A function's arguments and values as bytes, with the function's name in the log when one cannot
//! travel.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    codec::{self, Encoded},
    error::RpcError,
    fence::{Panicked, discard, fence},
    node::Node,
    registry::{Function, Spec},
};

/// The arguments as bytes; they have done their work then.
pub(crate) fn encode<F: Function>(args: F::Args<'_>) -> Result<Encoded, RpcError> {
    let args = if codec::is_bytes::<F::Decoded<'static>>() {
        match F::own(args) {
            Ok(mut values) => {
                let encoded = codec::arguments_in(&mut values);
                discard(values);
                return encoded.ok_or(RpcError::Encode);
            }
            Err(args) => args,
        }
    } else {
        args
    };
    let encoded = coded(&F::SPEC, ARGUMENTS_OUT, || codec::encode(&args));
    discard(args);
    encoded.map(Encoded::from).ok_or(RpcError::Encode)
}

/// The arguments from a request, unless they cannot be read, which is then in the log.
pub(crate) fn arguments<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    bounds: codec::Bounds,
    spec: &Spec,
) -> Option<T> {
    coded(spec, ARGUMENTS_IN, || codec::decode(bytes, bounds))
}

/// What `encode` makes of an answer, unless it cannot travel, which is then in the log.
pub(crate) fn answer<T>(
    spec: &Spec,
    encode: impl FnOnce() -> Result<T, codec::EncodeError>,
) -> Option<T> {
    coded(spec, ANSWER_OUT, encode)
}

/// A function's value from an answer.
pub(crate) fn decode<T: DeserializeOwned + 'static>(
    answer: &Bytes,
    spec: &Spec,
    node: &Node,
) -> Result<T, RpcError> {
    let bounds = || (&node.inner().limits).into();
    codec::whole(answer)
        .or_else(|| coded(spec, ANSWER_IN, || codec::decode(answer, bounds())))
        .ok_or(RpcError::BadResponse)
}

/// A value there and back, as if it had come from elsewhere.
pub(crate) fn through_the_codec<T: Serialize + DeserializeOwned + 'static>(
    value: T,
    spec: &Spec,
    node: &Node,
) -> Result<T, RpcError> {
    let encoded = answer(spec, || codec::encode(&value));
    discard(value);
    decode(&encoded.ok_or(RpcError::BadResponse)?, spec, node)
}

/// What is done, for the log.
#[derive(Clone, Copy, Debug)]
struct Coding {
    what: &'static str,
    participle: &'static str,
    gerund: &'static str,
    /// A failure says something of whoever sent the bytes, which may be anybody; an answer was asked for.
    is_theirs: bool,
}

const ARGUMENTS_OUT: Coding = Coding {
    what: "the arguments",
    participle: "encoded",
    gerund: "encoding",
    is_theirs: false,
};
const ARGUMENTS_IN: Coding = Coding {
    what: "the arguments",
    participle: "decoded",
    gerund: "decoding",
    is_theirs: true,
};
const ANSWER_OUT: Coding = Coding {
    what: "an answer",
    participle: "encoded",
    gerund: "encoding",
    is_theirs: false,
};
const ANSWER_IN: Coding = Coding {
    what: "an answer",
    participle: "decoded",
    gerund: "decoding",
    is_theirs: false,
};

/// What `code` gives; `None` if it fails or panics, which is then in the log.
fn coded<T, E: fmt::Display>(
    spec: &Spec,
    coding: Coding,
    code: impl FnOnce() -> Result<T, E>,
) -> Option<T> {
    match fence(code) {
        Ok(Ok(coded)) => return Some(coded),
        Ok(Err(error)) => coding.log_error(spec, &error),
        Err(panicked) => coding.log_panic(spec, &panicked),
    }
    None
}

impl Coding {
    #[cold]
    fn log_error(self, spec: &Spec, error: &dyn fmt::Display) {
        let Self {
            what, participle, ..
        } = self;
        let Spec { name, version, .. } = *spec;
        if self.is_theirs {
            tracing::debug!(function = name, version, %error, "{what} cannot be {participle}");
        } else {
            tracing::error!(function = name, version, %error, "{what} cannot be {participle}");
        }
    }

    #[cold]
    fn log_panic(self, spec: &Spec, panicked: &Panicked) {
        let Self { what, gerund, .. } = self;
        let Spec { name, version, .. } = *spec;
        let panic = panicked.message();
        tracing::error!(function = name, version, panic, "{gerund} {what} panicked");
    }
}
