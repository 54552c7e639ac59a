//! A walk over DER (ITU-T X.690), for the one extension whose every entry we must see, and for the subject.
//!
//! `webpki` lists the names of a certificate but leaves out those that it does not understand, so a
//! certificate with one good name and three strange ones looks as if it had one. It has already
//! parsed, bounded and verified whatever is read here; this reader still trusts nothing, and takes
//! only what DER allows: short tags, definite lengths, no shorter way to write them.

/// What is left to read of some DER.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// What is left, as it is.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The next element's tag and contents, or `None` if there is none or it is malformed.
    pub(super) fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        if tag & LONG_TAG == LONG_TAG {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => match rest.split_first()? {
                (&length @ 0x80.., rest) => (usize::from(length), rest),
                _ => return None,
            },
            0x82..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                if digits.first() == Some(&0) {
                    return None;
                }
                let length = digits.iter().try_fold(0_usize, |length, &digit| {
                    length.checked_mul(256)?.checked_add(usize::from(digit))
                })?;
                (length, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element()
            .filter(|&(found, _)| found == tag)
            .map(|(_, contents)| contents)
    }

    /// A walk inside the next element, which must have this tag.
    pub(super) fn inside(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(Self)
    }

    /// Skips the next element if it has this tag.
    pub(super) fn skip_optional(&mut self, tag: u8) -> Option<()> {
        if self.0.first() == Some(&tag) {
            self.element()?;
        }
        Some(())
    }
}

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of a primitive element `[number]`.
pub(super) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The tag of a constructed element `[number]`.
pub(super) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// These five bits announce a tag of several bytes; no certificate has one where we look.
const LONG_TAG: u8 = 0x1f;

#[cfg(test)]
mod tests {
    use super::*;

    fn element(bytes: &[u8]) -> Option<(u8, usize)> {
        let mut reader = Reader::new(bytes);
        let (tag, contents) = reader.element()?;
        assert!(reader.is_empty());
        Some((tag, contents.len()))
    }

    fn with_header(header: &[u8], length: usize) -> Vec<u8> {
        [header, &vec![0; length]].concat()
    }

    #[test]
    fn lengths_are_read_in_each_of_their_forms() {
        assert_eq!(element(&[0x30, 0x00]), Some((SEQUENCE, 0)));
        assert_eq!(
            element(&with_header(&[0x04, 0x7f], 0x7f)),
            Some((OCTET_STRING, 0x7f))
        );
        assert_eq!(
            element(&with_header(&[0x04, 0x81, 0x80], 0x80)),
            Some((OCTET_STRING, 0x80))
        );
        let long = with_header(&[0x04, 0x82, 0x01, 0x00], 0x100);
        assert_eq!(element(&long), Some((OCTET_STRING, 0x100)));
    }

    #[test]
    fn what_der_does_not_allow_is_refused() {
        let refused: [&[u8]; 9] = [
            &[],
            &[0x30],
            &[0x30, 0x01],
            &[0x1f, 0x01, 0x00],
            &[0x30, 0x80, 0x00, 0x00],
            &[0x30, 0x81, 0x01, 0x00],
            &[0x30, 0x82, 0x00, 0x01, 0x00],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x85, 0x01, 0x00, 0x00, 0x00, 0x00],
        ];
        for bytes in refused {
            assert_eq!(Reader::new(bytes).element(), None, "{bytes:02x?}");
        }
    }
}
