//! The node's own randomness in the shape that foca takes.

use fly_rpc_transport::Randomness;
use rand::TryRng;

/// Random numbers from wherever the node has its own.
pub(super) struct Chance(pub(super) Randomness);

impl TryRng for Chance {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok((self.0.number() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.number())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.0.number().to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}
