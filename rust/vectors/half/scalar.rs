//! The obvious version: the specification of the other kernel, and its stand-in.

use super::{HALF_BYTES, widened};
use crate::vectors::LANES;

/// See [`super::Halves::product`].
pub(super) fn product(bytes: &[u8], codes: &[i16]) -> f64 {
    let (halves, _) = bytes.as_chunks::<HALF_BYTES>();
    let mut sums = [0.0; LANES];
    for (halves, codes) in halves.as_chunks::<LANES>().0.iter().zip(codes.as_chunks::<LANES>().0) {
        for ((sum, &half), &code) in sums.iter_mut().zip(halves).zip(codes) {
            *sum += f64::from(f32::from_bits(widened(u16::from_le_bytes(half)))) * f64::from(code);
        }
    }
    sums.iter().sum()
}
