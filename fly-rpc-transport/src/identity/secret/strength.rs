//! Is a secret visibly not random?
//!
//! Randomness cannot be tested, but the ways in which people make up secrets can: one thing
//! repeated, a row of the keyboard, words. Each test refuses random bytes with a probability that
//! follows from counting; together it is under 2^-40 for 32 bytes, and less for more. Passing
//! proves nothing, which is why the refusal names a generator instead of a rule to satisfy.
//!
//! | test | on the bytes | on the base64 symbols |
//! |---|---|---|
//! | few different values | 2^-51 | 2^-59 |
//! | few different steps from one value to the next | 2^-47 | 2^-58 |
//! | one pattern repeated | 2^-127 | 2^-125 |
//! | ASCII text | 2^-44 | |
//! | words typed as base64 | | 2^-41 |

use super::SecretError;

/// Refuses what is visibly not random, of 32 bytes or more. `symbols` are its base64 symbols, if it
/// has any.
pub(super) fn check(bytes: &[u8], symbols: &[u8]) -> Result<(), SecretError> {
    check_pattern(bytes, u8::MAX, FEW_BYTES)?;
    check_pattern(symbols, 63, FEW_SYMBOLS)?;
    if is_ascii_text(bytes) || reads_as_words(symbols) {
        return Err(SecretError::Text);
    }
    Ok(())
}

/// Refuses patterns in values of the range `0..=mask`, which is one less than a power of two.
fn check_pattern(values: &[u8], mask: u8, few: usize) -> Result<(), SecretError> {
    if values.is_empty() {
        return Ok(());
    }
    if distinct(values.iter().copied()) <= few {
        return Err(SecretError::FewValues);
    }
    let steps = values
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]) & mask);
    if distinct(steps) <= few {
        return Err(SecretError::Sequence);
    }
    let repeats = |period| values[period..] == values[..values.len() - period];
    if (1..=values.len() / 2).any(repeats) {
        return Err(SecretError::Repeated);
    }
    Ok(())
}

fn distinct(values: impl Iterator<Item = u8>) -> usize {
    let mut seen = [false; 256];
    values.for_each(|value| seen[usize::from(value)] = true);
    seen.iter().filter(|&&seen| seen).count()
}

/// A random byte is one of these 98 with a probability of 0.38: 32 of them with 2^-44.
fn is_ascii_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r'))
}

/// Whether words were typed where base64 was asked for: such a text decodes to bytes that look
/// random.
///
/// A likelihood test. [`surprise`] gives each symbol log2 of how much more frequent it is in
/// writing than in random base64, as whole numbers for which the frequencies in writing still sum
/// up to 1. Whatever such a model is, random symbols reach a sum of `n` with a probability of at
/// most 2^-n (Markov's inequality).
fn reads_as_words(symbols: &[u8]) -> bool {
    let swap_case = |symbol: u8| match symbol {
        0..=25 => symbol + 26,
        26..=51 => symbol - 26,
        other => other,
    };
    let score = |of: &dyn Fn(u8) -> u8| {
        symbols
            .iter()
            .map(|&symbol| surprise(of(symbol)))
            .sum::<i32>()
    };
    score(&|symbol| symbol) >= WORDS || score(&swap_case) >= WORDS
}

/// Frequency in writing over frequency in random base64, as log2: 9 letters × 4 + 17 × 1 + 26
/// capitals × ¼ + 10 digits × ¼ + 2 signs × 1 = 64, so the model's frequencies sum up to 1.
fn surprise(symbol: u8) -> i32 {
    match symbol {
        0..=25 | 52..=61 => -2,
        62.. => 0,
        lower => match lower - 26 + b'a' {
            b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'h' => 2,
            _ => 0,
        },
    }
}

/// C(256, 15) × (15/256)^31 < 2^-47, where 31 is the number of steps between 32 bytes.
const FEW_BYTES: usize = 15;

/// C(64, 12) × (12/64)^41 < 2^-57, where 41 is the number of steps between the 42 whole symbols of
/// 32 bytes.
const FEW_SYMBOLS: usize = 12;

/// 2 × 2^-42 = 2^-41 for the two readings, in small letters and in capitals.
const WORDS: i32 = 42;

#[cfg(test)]
mod tests {
    use super::super::encoding::{decode, encode_base64};
    use super::*;

    fn checked(text: &str) -> Result<(), SecretError> {
        let decoded = decode(text).unwrap();
        assert!(
            decoded.bytes.len() >= 32,
            "{text} is {} bytes",
            decoded.bytes.len()
        );
        check(&decoded.bytes, &decoded.symbols)
    }

    #[test]
    fn few_values_are_not_random() {
        let hex_of_hex = "33".repeat(20) + &"3761".repeat(10);
        for text in ["0".repeat(64), "A".repeat(43), "01".repeat(32), hex_of_hex] {
            assert_eq!(checked(&text), Err(SecretError::FewValues), "{text}");
        }
    }

    #[test]
    fn a_sequence_is_not_random() {
        let counting: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let by_three: String = (0..40_u8)
            .rev()
            .map(|n| format!("{:02x}", n.wrapping_mul(3)))
            .collect();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for text in [&counting, &by_three, alphabet] {
            assert_eq!(checked(text), Err(SecretError::Sequence), "{text}");
        }
    }

    #[test]
    fn a_repeated_pattern_is_not_random() {
        let twenty_random_bytes = "9f86d081884c7d659a2feaa0c55ad0157db3e4f2".repeat(2);
        // In bytes this one repeats only after 33, beyond its end.
        let typed = "Xk29vQ7pLw3ZsR8tBn4Ghm".repeat(2);
        for text in [twenty_random_bytes, typed] {
            assert_eq!(checked(&text), Err(SecretError::Repeated), "{text}");
        }
    }

    #[test]
    fn text_in_any_encoding_is_not_random() {
        let words = "The quick brown fox jumps over the lazy dog; 1234";
        let as_hex: String = words.bytes().map(|byte| format!("{byte:02x}")).collect();
        let hexadecimal_as_base64 = encode_base64(b"9f86d081884c7d659a2feaa0c55ad0157db3e4f2");
        for text in [
            encode_base64(words.as_bytes()).as_str(),
            &as_hex,
            &hexadecimal_as_base64,
        ] {
            assert_eq!(checked(text), Err(SecretError::Text), "{text}");
        }
    }

    #[test]
    fn words_that_happen_to_be_base64_are_not_random() {
        for text in [
            "correcthorsebatterystaplecorrecthorsebatteryAAAA",
            "thisisthesecretofourproductionclusterdonotshare1",
            "this-is-the-secret-of-our-production-cluster-026",
            "THISISTHESECRETOFOURPRODUCTIONCLUSTERDONOTSHARE1",
            "ThisIsTheVerySecretPassphraseOfOurProductionClusterDoNotShareItx",
        ] {
            assert_eq!(checked(text), Err(SecretError::Text), "{text}");
        }
    }

    #[test]
    fn the_model_of_writing_is_a_probability_distribution() {
        let sum: f64 = (0..64)
            .map(|symbol| f64::from(surprise(symbol)).exp2() / 64.0)
            .sum();
        assert!(sum <= 1.0, "{sum}");
    }

    #[test]
    fn random_secrets_pass() {
        for length in (32..64).cycle().take(20_000) {
            let mut bytes = vec![0; length];
            rand::fill(&mut bytes[..]);
            let decoded = decode(&encode_base64(&bytes)).unwrap();
            assert_eq!(check(&decoded.bytes, &decoded.symbols), Ok(()), "{bytes:?}");
        }
    }
}
