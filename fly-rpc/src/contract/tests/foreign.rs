//! Types of the standard library and of crates in common use.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    ffi::{CString, OsString},
    marker::PhantomData,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU8, NonZeroU32, Wrapping},
    ops::{Bound, Range, RangeInclusive},
    path::PathBuf,
    rc::Rc,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::{fingerprint, text, trace};

#[test]
fn scalars_and_texts() {
    assert_eq!(
        text::<(
            u8,
            i8,
            u16,
            i16,
            u32,
            i32,
            u64,
            i64,
            u128,
            i128,
            usize,
            isize
        )>(),
        "(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, u64, i64)"
    );
    assert_eq!(
        text::<(bool, char, f32, f64, (), String)>(),
        "(bool, char, f32, f64, (), str)"
    );
}

#[test]
fn pointers_are_transparent() {
    assert_eq!(
        text::<(Box<u8>, Arc<str>, Rc<u16>, Cow<'static, str>, Mutex<i8>)>(),
        "(u8, str, u16, str, i8)"
    );
}

#[test]
fn collections() {
    assert_eq!(
        text::<(Vec<u16>, VecDeque<u16>, HashSet<u16>, BTreeSet<u16>)>(),
        "[[u16]; 4]"
    );
    assert_eq!(
        text::<HashMap<String, Vec<Option<Option<bool>>>>>(),
        "{str: [Option<Option<bool>>]}"
    );
    assert_eq!(
        text::<(BTreeMap<u8, ()>, [u8; 32], [u16; 3], HashSet<()>)>(),
        "({u8: ()}, [u8; 32], (u16, u16, u16), [()])"
    );
    assert_eq!(
        fingerprint::<Vec<String>>(),
        fingerprint::<BTreeSet<Box<str>>>()
    );
    assert_eq!(
        fingerprint::<BTreeMap<u8, u8>>(),
        fingerprint::<HashMap<u8, u8>>()
    );
}

#[test]
fn the_standard_library() {
    assert_eq!(
        text::<(Duration, SystemTime)>(),
        "(Duration { secs: u64, nanos: u32 }, SystemTime { secs_since_epoch: u64, nanos_since_epoch: u32 })"
    );
    assert_eq!(text::<IpAddr>(), "IpAddr { V4([u8; 4]) | V6([u8; 16]) }");
    assert_eq!(
        text::<SocketAddr>(),
        "SocketAddr { V4(([u8; 4], u16)) | V6(([u8; 16], u16)) }"
    );
    assert_eq!(
        text::<(NonZeroU32, NonZeroU8, Wrapping<u8>)>(),
        "(u32, u8, u8)"
    );
    assert_eq!(
        text::<(Range<u8>, RangeInclusive<u8>)>(),
        "(Range { start: u8, end: u8 }, RangeInclusive { start: u8, end: u8 })"
    );
    assert_eq!(
        text::<Bound<u8>>(),
        "Bound { Unbounded | Included(u8) | Excluded(u8) }"
    );
    assert_eq!(
        text::<(PathBuf, CString, PhantomData<u8>)>(),
        "(str, bytes, PhantomData)"
    );
    assert_eq!(
        text::<Result<Ipv4Addr, Option<String>>>(),
        "Result<[u8; 4], Option<str>>"
    );
}

#[cfg(unix)]
#[test]
fn a_variant_of_another_platform_is_none() {
    assert_eq!(text::<OsString>(), "OsString { Unix(bytes) }");
}

#[test]
fn a_byte_string_is_a_sequence_of_bytes() {
    #[derive(Serialize, Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] &'a [u8]);

    let borrowed =
        trace::<(Borrowed<'static>, &'static [u8], &'static str), ()>("f", 1, &["a", "b", "c"])
            .unwrap();
    let owned =
        trace::<(Borrowed<'static>, Vec<u8>, String), ()>("f", 1, &["a", "b", "c"]).unwrap();
    assert_eq!(
        borrowed.text(),
        "f@1(a: Borrowed(bytes), b: bytes, c: str) -> ()"
    );
    assert_eq!(borrowed, owned);
}

#[test]
fn chrono_and_uuid() {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc, Weekday};

    assert_eq!(
        text::<(DateTime<Utc>, NaiveDate, NaiveTime, NaiveDateTime)>(),
        "[str; 4]"
    );
    assert_eq!(text::<Weekday>(), "str");
    assert_eq!(text::<uuid::Uuid>(), "bytes");
    assert_eq!(text::<Option<Vec<uuid::Uuid>>>(), "Option<[bytes]>");
}

#[test]
fn a_timestamp_module_shows_the_number_it_sends() {
    #[derive(Serialize, Deserialize)]
    struct At {
        #[serde(with = "chrono::serde::ts_milliseconds")]
        at: chrono::DateTime<chrono::Utc>,
        #[serde(with = "chrono::serde::ts_seconds_option")]
        until: Option<chrono::DateTime<chrono::Utc>>,
    }
    assert_eq!(text::<At>(), "At { at: i64, until: Option<i64> }");
}

#[test]
fn a_result_of_the_impossible_has_one_side() {
    #[derive(Debug, Serialize, Deserialize)]
    enum Never {}
    assert_eq!(text::<Result<u8, Never>>(), "Result<u8, Never { }>");
    assert_eq!(text::<Vec<Never>>(), "[Never { }]");
}
