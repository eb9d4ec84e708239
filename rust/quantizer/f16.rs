//! float16 rows: each value divided by the row's largest magnitude, which is its scale.

use half::f16;

use crate::kernels::dot_f16::F16_BYTES;
use crate::matrix::max_abs;
use crate::quantizer::row_scales::round_up;

/// Encode one row of finite values into `bytes`, little-endian and padded with zeros, and return its scale.
///
/// A row whose scale would not be a normal number becomes zeros with scale 0.
pub fn encode_f16(row: &[f32], bytes: &mut [u8]) -> f32 {
    let widest = round_up(max_abs(row));
    let scale = if widest.is_normal() { widest } else { 0.0 };
    let divisor = if scale == 0.0 { f32::INFINITY } else { scale };
    let (values, _) = bytes.as_chunks_mut::<F16_BYTES>();
    let (used, padding) = values.split_at_mut(row.len());
    padding.fill([0; F16_BYTES]);
    for (bytes, &value) in used.iter_mut().zip(row) {
        *bytes = f16::from_f32(value / divisor).to_le_bytes();
    }
    scale
}

/// Decode the values of a row, before its scale.
pub fn decode_f16(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<F16_BYTES>().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_normal_scale_become_zero() {
        let mut bytes = [9; 16];
        assert_eq!((encode_f16(&[1e-40, 0.0], &mut bytes), bytes), (0.0, [0; 16]));
    }

    #[test]
    fn every_float16_up_to_1_round_trips_and_ties_go_to_even() {
        let encoded = |value: f32| {
            let mut bytes = [0; 4];
            encode_f16(&[1.0, value], &mut bytes);
            u16::from_le_bytes([bytes[2], bytes[3]])
        };
        let one = f16::ONE.to_bits();
        for bits in 0..=one {
            let value = f16::from_bits(bits).to_f32();
            assert_eq!((encoded(value), encoded(-value)), (bits, bits | 0x8000), "{bits:04x}");
        }
        for bits in 0..one {
            // Both have at most 12 bits: their midpoint is exact.
            let midpoint = (f16::from_bits(bits).to_f32() + f16::from_bits(bits + 1).to_f32()) / 2.0;
            assert_eq!(encoded(midpoint), bits + (bits & 1), "{bits:04x}");
            assert_eq!(encoded(f32::from_bits(midpoint.to_bits() - 1)), bits, "{bits:04x}");
            assert_eq!(encoded(f32::from_bits(midpoint.to_bits() + 1)), bits + 1, "{bits:04x}");
        }
    }
}
