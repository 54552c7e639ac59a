//! The spellings in which a secret could be found where it does not belong.

use fly_rpc::ClusterSecret;

/// Something that must not be seen, in every spelling in which code shows bytes by mistake.
#[derive(Debug)]
pub struct Spellings(Vec<Vec<u8>>);

impl Spellings {
    /// The bytes themselves, as hexadecimal, as base64, and as Rust shows lists of numbers.
    pub fn of(bytes: &[u8]) -> Self {
        let hex = bytes.iter().map(|byte| format!("{byte:02x}"));
        let upper = bytes.iter().map(|byte| format!("{byte:02X}"));
        let lists = [
            format!("{bytes:?}"),
            format!("{bytes:x?}"),
            format!("{bytes:02x?}"),
            format!("{bytes:02X?}"),
        ];
        let lists = lists.map(|list| list.trim_matches(['[', ']']).to_owned());
        // In a longer text base64 has three phases, and both ends depend on what is around.
        let base64 = (0..3).map(|phase: usize| {
            let text = base64(&[&vec![0; phase][..], bytes].concat());
            let whole = text.trim_end_matches('=');
            whole[(phase * 4).div_ceil(3)..whole.len() - 2].to_owned()
        });
        let texts = [hex.collect(), upper.collect()].into_iter();
        let texts = texts.chain(lists).chain(base64).map(String::into_bytes);
        Self(
            texts
                .chain([bytes.to_vec()])
                .map(|text| dense(&text))
                .collect(),
        )
    }

    /// What stands around the first place at which it is seen. Blanks and line breaks do not hide it.
    pub fn find(&self, text: &[u8]) -> Option<String> {
        let text = dense(text);
        let at = self.0.iter().find_map(|spelling| {
            let mut windows = text.windows(spelling.len());
            windows.position(|window| window == spelling)
        })?;
        let around = &text[at.saturating_sub(300)..text.len().min(at + 100)];
        Some(String::from_utf8_lossy(around).into_owned())
    }

    /// Every spelling, for the test of the search.
    pub fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

fn dense(text: &[u8]) -> Vec<u8> {
    let dense = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    dense.copied().collect()
}

/// The bytes behind a secret.
pub fn bytes_of(secret: &ClusterSecret) -> Vec<u8> {
    from_base64(&secret.reveal())
}

/// The bytes that base64 stands for.
pub fn from_base64(text: &str) -> Vec<u8> {
    let digits = text.bytes().filter_map(|letter| {
        let place = ALPHABET.iter().position(|known| *known == letter)?;
        u32::try_from(place).ok()
    });
    let digits: Vec<u32> = digits.collect();
    let groups = digits.chunks(4).flat_map(|group| {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    });
    groups.collect()
}

/// Bytes as base64 (RFC 4648 §4).
pub fn base64(bytes: &[u8]) -> String {
    let groups = bytes.chunks(3).flat_map(|group| {
        let mut filled = [0; 3];
        filled[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, filled[0], filled[1], filled[2]]);
        let digit = move |place: usize| match place <= group.len() {
            true => char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]),
            false => '=',
        };
        (0..4).map(digit)
    });
    groups.collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
