//! The spellings in which a secret could be found where it does not belong.

use fly_rpc::ClusterSecret;

/// Something that must not be seen, in every spelling in which code shows bytes by mistake.
#[derive(Debug)]
pub struct Spellings(Vec<Vec<u8>>);

impl Spellings {
    /// The bytes themselves, as hexadecimal, as base64 and as Rust shows a list of numbers.
    pub fn of(bytes: &[u8]) -> Self {
        let hex = |upper: bool| -> String {
            let digits = bytes.iter().map(|byte| match upper {
                true => format!("{byte:02X}"),
                false => format!("{byte:02x}"),
            });
            digits.collect()
        };
        let list = format!("{bytes:?}");
        let list = list.trim_matches(['[', ']']);
        // Each phase of base64, as it appears inside a longer text; the ends depend on what is around.
        let base64 = (0..3).map(|phase| {
            let text = base64(&[&vec![0; phase][..], bytes].concat());
            let inner = text.trim_end_matches('=');
            inner[(phase * 4).div_ceil(3)..inner.len() - 2].to_owned()
        });
        let texts = [
            hex(false),
            hex(true),
            list.to_owned(),
            list.replace(", ", ",\n    "),
        ];
        let texts = texts.into_iter().chain(base64);
        let mut all: Vec<Vec<u8>> = texts.map(String::into_bytes).collect();
        all.push(bytes.to_vec());
        Self(all)
    }

    /// Where in `text` it is seen.
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        self.0.iter().find_map(|spelling| {
            text.windows(spelling.len())
                .position(|window| window == spelling)
        })
    }

    /// Every spelling, for the test of the search.
    pub fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

/// The bytes behind a secret.
pub fn bytes_of(secret: &ClusterSecret) -> Vec<u8> {
    let text = secret.reveal();
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
