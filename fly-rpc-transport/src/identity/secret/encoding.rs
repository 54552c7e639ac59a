//! Base64 and hexadecimal, as small as a secret needs them.
//!
//! Not constant-time, and it need not be: a secret is read once at start-up, from the process's own
//! environment, and nobody who could time that is kept out by it. Every buffer is wiped when
//! dropped and is as large as it gets from the beginning, so that no copy is left behind by
//! growing.

use zeroize::Zeroizing;

/// A decoded text.
pub(super) struct Decoded {
    /// What the text stands for.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Its whole base64 symbols, 0 to 63 each; empty if it was hexadecimal.
    pub(super) symbols: Zeroizing<Vec<u8>>,
}

/// Decodes hexadecimal, or else base64 in either alphabet, padded or not. Line breaks are skipped.
///
/// An even number of hexadecimal digits is always hexadecimal: as base64 of 32 random bytes or more
/// such a text has a probability under 2^-66.
pub(super) fn decode(text: &str) -> Option<Decoded> {
    let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
    digits.extend(text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')));

    if let Some(bytes) = decode_hex(&digits) {
        let symbols = Zeroizing::new(Vec::new());
        return Some(Decoded { bytes, symbols });
    }
    decode_base64(&digits)
}

/// Encodes as base64 in the standard alphabet, padded (RFC 4648 §4).
pub(super) fn encode_base64(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(3) * 4));
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            text.push(if at <= chunk.len() {
                char::from(ALPHABET[(group >> (18 - 6 * at)) as usize & 63])
            } else {
                '='
            });
        }
    }
    text
}

fn decode_hex(digits: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for &[high, low] in pairs {
        let value = char::from(high).to_digit(16)? << 4 | char::from(low).to_digit(16)?;
        bytes.push(u8::try_from(value).ok()?);
    }
    Some(bytes)
}

fn decode_base64(digits: &[u8]) -> Option<Decoded> {
    let unpadded = match digits {
        [unpadded @ .., b'=', b'='] | [unpadded @ .., b'='] => unpadded,
        unpadded => unpadded,
    };
    let is_padded = unpadded.len() < digits.len();
    if is_padded && !digits.len().is_multiple_of(4) {
        return None;
    }

    let mut symbols = Zeroizing::new(Vec::with_capacity(unpadded.len()));
    let mut bytes = Zeroizing::new(Vec::with_capacity(unpadded.len()));
    let (mut bits, mut pending) = (0_u32, 0_u32);
    for &digit in unpadded {
        let symbol = symbol(digit)?;
        symbols.push(symbol);
        bits = bits << 6 | u32::from(symbol);
        pending += 6;
        if pending >= 8 {
            pending -= 8;
            bytes.push((bits >> pending) as u8);
            bits &= (1 << pending) - 1;
        }
    }
    // What is left over must be nothing: fewer than six bits, all zero. Else the text was cut or
    // mistyped.
    if pending >= 6 || bits != 0 {
        return None;
    }
    if pending > 0 {
        symbols.pop();
    }
    Some(Decoded { bytes, symbols })
}

/// The six bits of one digit, in either alphabet (RFC 4648 §4 and §5).
fn symbol(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// The standard alphabet (RFC 4648 §4).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Option<Vec<u8>> {
        decode(text).map(|decoded| decoded.bytes.to_vec())
    }

    #[test]
    fn base64_gives_the_vectors_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(*encode_base64(plain.as_bytes()), text);
            assert_eq!(bytes(text).unwrap(), plain.as_bytes(), "{text}");
            assert_eq!(
                bytes(text.trim_end_matches('=')).unwrap(),
                plain.as_bytes(),
                "{text}"
            );
        }
    }

    #[test]
    fn every_byte_survives_in_every_position() {
        for length in 0..=4 {
            for byte in 0..=255 {
                let plain = vec![byte; length];
                let text = encode_base64(&plain);
                // Not `decode`, for which "0000" is hexadecimal.
                assert_eq!(*decode_base64(text.as_bytes()).unwrap().bytes, plain);
            }
        }
    }

    #[test]
    fn what_is_neither_hexadecimal_nor_base64_is_refused() {
        for text in [
            "Z", "Zg=", "Zg===", "Zm9v=", "=", "Zh", "Zm9", "Zm 9v", "Zm9v!", "é", "Zg==Zg==",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn both_alphabets_are_read_and_line_breaks_are_skipped() {
        assert_eq!(bytes("+/+/").unwrap(), bytes("-_-_").unwrap());
        assert_eq!(bytes("Zm9v\r\nYmFy\n").unwrap(), b"foobar");
        assert_eq!(bytes("00fF\n10").unwrap(), [0x00, 0xff, 0x10]);
    }
}
