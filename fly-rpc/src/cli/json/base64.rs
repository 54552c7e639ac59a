//! Bytes as text, and back: base64 (RFC 4648 §4), padded when written; when read, padded or not, and nothing else
//! than what writing gives.

/// The text of these bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 0x3f;
            let letter = ALPHABET[index as usize];
            text.push(if place > group.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

/// The bytes of this text, if it is one.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let letters = match text.strip_suffix("==").or_else(|| text.strip_suffix('=')) {
        Some(letters) if text.len().is_multiple_of(4) => letters,
        Some(_) => return None,
        None => text,
    };
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for group in letters.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for letter in group {
            let index = ALPHABET.iter().position(|known| known == letter)?;
            bits = bits << 6 | index as u32;
        }
        // What is over at the end must be nothing, or two texts would be the same bytes.
        let (count, over) = match group.len() {
            4 => (3, 0),
            3 => (2, 2),
            2 => (1, 4),
            _ => return None,
        };
        if bits & ((1 << over) - 1) != 0 {
            return None;
        }
        let whole = (bits >> over).to_be_bytes();
        bytes.extend(&whole[4 - count..]);
    }
    Some(bytes)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_standard() {
        let examples = [
            "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy",
        ];
        for (length, text) in examples.into_iter().enumerate() {
            let bytes = &b"foobar"[..length];
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
            assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Some(bytes));
        }
        for wrong in ["Z", "Zh==", "Zm9=", "Zg=", "====", "Zm 9", "Zm9v=", "Zm9-"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_that_of_its_bytes_or_of_none(bytes: Vec<u8>, text in "[A-Za-z0-9+/=]{0,12}") {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
            if let Some(bytes) = decode(&text) {
                let again = encode(&bytes);
                prop_assert_eq!(again.trim_end_matches('='), text.trim_end_matches('='));
            }
        }
    }
}
