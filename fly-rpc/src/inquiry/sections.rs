//! Questions and answers as bytes: numbered sections, of which the unknown are skipped (PROTOCOL.md, *Inquiries*).

/// Sections being written.
#[derive(Debug, Default)]
pub(crate) struct Sections(Vec<u8>);

impl Sections {
    pub(crate) fn bytes(&mut self, number: u64, bytes: &[u8]) {
        put(&mut self.0, number);
        put(&mut self.0, bytes.len() as u64);
        self.0.extend(bytes);
    }

    pub(crate) fn text(&mut self, number: u64, text: &str) {
        self.bytes(number, text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: u64, value: u64) {
        let mut bytes = Vec::new();
        put(&mut bytes, value);
        self.bytes(number, &bytes);
    }

    /// An empty section, if it is so.
    pub(crate) fn flag(&mut self, number: u64, is_so: bool) {
        if is_so {
            self.bytes(number, &[]);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Sections that came from a peer.
#[derive(Debug)]
pub(crate) struct Parts<'a>(Vec<(u64, &'a [u8])>);

impl<'a> Parts<'a> {
    /// `None` if these are no sections.
    pub(crate) fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let mut parts = Vec::new();
        while !bytes.is_empty() {
            let number = take(&mut bytes)?;
            let length = usize::try_from(take(&mut bytes)?).ok()?;
            let (part, rest) = bytes.split_at_checked(length)?;
            parts.push((number, part));
            bytes = rest;
        }
        Some(Self(parts))
    }

    /// Every section of this number, in their order.
    pub(crate) fn all(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        let parts = self.0.iter();
        parts.filter_map(move |(other, part)| (*other == number).then_some(*part))
    }

    pub(crate) fn bytes(&self, number: u64) -> Option<&'a [u8]> {
        self.all(number).next()
    }

    pub(crate) fn text(&self, number: u64) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(number)?).ok()
    }

    pub(crate) fn number(&self, number: u64) -> Option<u64> {
        // What stands behind it is a newer peer's.
        take(&mut self.bytes(number)?)
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sections_come_back_and_unknown_ones_are_in_nobodys_way() {
        let mut sections = Sections::default();
        sections.text(1, "iad");
        sections.number(1 << 40, u64::MAX);
        sections.flag(3, true);
        sections.flag(4, false);
        sections.text(1, "second");
        let bytes = sections.finish();
        let parts = Parts::read(&bytes).expect("sections");
        assert_eq!(parts.text(1), Some("iad"));
        assert_eq!(parts.all(1).count(), 2);
        assert_eq!(parts.number(1 << 40), Some(u64::MAX));
        assert_eq!((parts.bytes(3), parts.bytes(4)), (Some(&[][..]), None));
    }

    proptest! {
        #[test]
        fn garbage_is_sections_or_none(bytes: Vec<u8>) {
            if let Some(parts) = Parts::read(&bytes) {
                let _ = (parts.text(1), parts.number(1));
            }
        }
    }
}
