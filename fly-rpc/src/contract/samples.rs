//! The values with which a walk tries its luck at types that validate what they read.
//!
//! The first of each list serves nearly every type; the others are there for those that refuse it. Each was added for
//! a kind of type in common use, which its neighbour names.

/// Most to try at one position before what stands there is called opaque: each list once through with one sample
/// everywhere, and as often again with another sample at each leaf (for pairs that must differ, or be in order).
pub(super) const ATTEMPTS: usize = 2 * STRINGS.len();

/// From this attempt on, leaves of one attempt get different samples.
pub(super) const SPREAD: usize = STRINGS.len();

/// Numbers of elements for sequences.
pub(super) const LENGTHS: [usize; 7] = [1, 2, 3, 4, 8, 16, 32];

/// Strings; the longest list.
pub(super) const STRINGS: [&str; 26] = [
    "a",                                                                // a name
    "",                                                                 // what must be empty
    "0",                                                                // a number
    "1.5",                                                              // a decimal
    "2024-02-29T12:30:45Z",                 // a point in time (RFC 3339)
    "2024-02-29",                           // a date
    "12:30:45",                             // a time of day
    "2024-02-29T12:30:45",                  // a date and time without zone
    "https://a.example/b",                  // a URL
    "1.2.3",                                // a version
    "127.0.0.1",                            // an address
    "::1",                                  // an address (IPv6)
    "127.0.0.1:80",                         // a socket address
    "67e55044-10b1-426f-9247-bb680e5fe0c8", // a UUID
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",           // a ULID
    "a@b.example",                          // an e-mail address
    "a.example",                            // a host name
    "text/plain",                           // a media type
    "en-GB",                                // a language
    "Monday",                               // a day of the week
    "January",                              // a month
    "EUR",                                  // a currency, a code of three letters
    "Europe/London",                        // a time zone
    "+442079460958",                        // a telephone number
    "abcdefghijkl",                         // a secret of a minimal length
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", // a digest in hexadecimal
];

/// Whole numbers; a type takes those that fit it.
pub(super) const INTEGERS: [i128; 16] = [
    1,
    0,
    2,
    -1,
    3,
    4,
    7,
    8,
    10,
    16,
    32,
    64,
    100,
    1_000,
    65_536,
    1_700_000_000,
];

/// Numbers that are not whole.
pub(super) const FLOATS: [f64; 5] = [1.0, 0.0, 0.5, -1.0, 100.0];

/// Characters.
pub(super) const CHARS: [char; 4] = ['a', '0', 'A', ' '];

/// Byte strings: a text, then the sizes of addresses, identifiers, keys and signatures.
pub(super) const BYTES: [&[u8]; 9] = [
    b"a", b"", &[0; 4], &[0; 8], &[1; 12], &[1; 16], &[1; 20], &[1; 32], &[1; 64],
];

/// `bytes` for ever. What a walk lent out is found among the samples; what a type made up itself is copied and kept, a few
/// bytes once for each function.
pub(super) fn keep(bytes: &[u8]) -> &'static [u8] {
    let strings = STRINGS.iter().map(|text| text.as_bytes());
    match strings.chain(BYTES).find(|sample| *sample == bytes) {
        Some(sample) => sample,
        None => Box::leak(bytes.into()),
    }
}
