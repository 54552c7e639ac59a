//! A W3C trace context as requests carry it: 26 bytes (PROTOCOL.md, *Request*).
//!
//! It is the same whether this build exports spans or not. A hop that knows nothing of traces hands on
//! what it got, parent included, so that the tree is not cut there.

/// A trace context that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceContext([u8; SIZE]);

impl TraceContext {
    /// Reads what a peer sent. `None` if no trace is meant by it: the version that W3C forbids, or an id
    /// of zeros. The call concerns neither, so nobody is told.
    pub(crate) fn read(bytes: [u8; SIZE]) -> Option<Self> {
        let context = Self(bytes);
        let is_sound =
            bytes[0] != FORBIDDEN && context.trace() != [0; 16] && context.parent() != [0; 8];
        is_sound.then_some(context)
    }

    /// What a request carries.
    pub(crate) fn bytes(self) -> [u8; SIZE] {
        self.0
    }

    pub(super) fn trace(self) -> [u8; 16] {
        self.part(TRACE)
    }

    pub(super) fn parent(self) -> [u8; 8] {
        self.part(PARENT)
    }

    fn part<const N: usize>(self, at: usize) -> [u8; N] {
        std::array::from_fn(|byte| self.0[at + byte])
    }
}

#[cfg(feature = "opentelemetry")]
impl TraceContext {
    /// Of this trace, whose next span is a child of `parent`.
    pub(super) fn new(trace: [u8; 16], parent: [u8; 8], flags: u8) -> Option<Self> {
        let mut bytes = [0; SIZE];
        bytes[TRACE..PARENT].copy_from_slice(&trace);
        bytes[PARENT..FLAGS].copy_from_slice(&parent);
        bytes[FLAGS] = flags;
        Self::read(bytes)
    }

    /// All eight, those that this build does not know included.
    pub(super) fn flags(self) -> u8 {
        self.0[FLAGS]
    }
}

const SIZE: usize = 26;
const TRACE: usize = 1;
const PARENT: usize = 17;
#[cfg(feature = "opentelemetry")]
const FLAGS: usize = 25;
/// The one version that no trace context has.
const FORBIDDEN: u8 = 0xff;

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> [u8; SIZE] {
        std::array::from_fn(|at| at as u8)
    }

    #[test]
    fn what_is_sound_comes_out_as_it_went_in() {
        let context = TraceContext::read(sound()).expect("sound");
        assert_eq!(context.bytes(), sound());
        assert_eq!(context.trace()[0], 1);
        assert_eq!(context.parent(), [17, 18, 19, 20, 21, 22, 23, 24]);
    }

    #[test]
    fn a_later_version_is_handed_on_and_the_forbidden_one_is_ignored() {
        let with_version = |version| {
            let mut bytes = sound();
            bytes[0] = version;
            TraceContext::read(bytes)
        };
        assert!(with_version(7).is_some());
        assert_eq!(with_version(0xff), None);
    }

    #[test]
    fn an_id_of_zeros_is_no_trace() {
        for id in [TRACE..PARENT, PARENT..SIZE - 1] {
            let mut bytes = sound();
            bytes[id].fill(0);
            assert_eq!(TraceContext::read(bytes), None);
        }
    }

    #[cfg(feature = "opentelemetry")]
    #[test]
    fn what_is_written_is_read_with_all_its_flags() {
        let context = TraceContext::new([3; 16], [5; 8], 0b1000_0011).expect("sound");
        assert_eq!(context.trace(), [3; 16]);
        assert_eq!(context.parent(), [5; 8]);
        assert_eq!(context.flags(), 0b1000_0011);
        assert_eq!(TraceContext::new([0; 16], [5; 8], 1), None);
    }
}
