//! Exact inner products of float16 rows with an int16 query.
//!
//! A value is a multiple of 2^-24 of magnitude at most 1, and a query's code is an integer. So every partial sum is a
//! multiple of 2^-24 below 2^29 and exact in float64: the order of summation does not matter, and every CPU agrees to the
//! bit.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod scalar;

use crate::kernels::LANES;
#[cfg(target_arch = "x86_64")]
use crate::simd::Isa;
use crate::simd::define_kernel;

/// Bytes of a value.
pub const F16_BYTES: usize = 2;

define_kernel! {
    /// Kernel for inner products of float16 rows with an int16 query. Compilers vectorise the scalar version for NEON.
    DotF16, #[cfg(target_arch = "x86_64")] Avx2
}

impl DotF16 {
    /// Return the sum of products of a row's values (little-endian float16 of magnitude at most 1) with the query's codes.
    ///
    /// # Panics
    /// If the shapes do not agree, or there is no multiple of [`LANES`] codes.
    #[inline]
    pub fn product(&self, row: &[u8], query: &[i16]) -> f64 {
        assert_eq!(row.len(), query.len() * F16_BYTES, "not one float16 per code");
        assert!(query.len().is_multiple_of(LANES), "{} codes are no multiple of {LANES}", query.len());
        #[cfg(target_arch = "x86_64")]
        if let Isa::Avx2(avx2) = self.isa {
            return avx2.dot_f16(row, query);
        }
        scalar::dot_f16(row, query)
    }
}

#[cfg(test)]
mod tests {
    use half::f16;
    use proptest::prelude::*;

    use super::*;
    use crate::matrix::MAX_DIM;
    use crate::quantizer::f16::{decode_f16, encode_f16};

    const ONE: u16 = 0x3c00;

    #[test]
    fn every_float16_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let (got, expected) = (scalar::widen(bits), f16::from_bits(bits).to_f32());
            let same = got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan();
            assert!(same, "{bits:04x}: {got} {expected}");
        }
    }

    #[test]
    fn no_kernel_rounds_at_the_bounds() {
        // The largest possible sum and the smallest possible step, at each position of a step.
        let codes = vec![i16::MIN; MAX_DIM];
        for position in (0..MAX_DIM).step_by(LANES * LANES + 1) {
            let mut row: Vec<u8> = (0..MAX_DIM).flat_map(|_| ONE.to_le_bytes()).collect();
            row[F16_BYTES * position..][..F16_BYTES].copy_from_slice(&1_u16.to_le_bytes());
            let expected = -32768.0 * ((MAX_DIM - 1) as f64 + 2.0_f64.powi(-24));
            for kernel in DotF16::all() {
                assert_eq!(kernel.product(&row, &codes), expected, "{} at {position}", kernel.name());
            }
        }
    }

    #[test]
    fn every_finite_value_counts_the_same_in_each_kernel() {
        let mut codes = [0; LANES];
        for bits in (0..=ONE).chain(0x8000..=0x8000 | ONE) {
            let position = usize::from(bits) % LANES;
            codes.fill(0);
            codes[position] = -12_345;
            let row: Vec<u8> = [bits; LANES].iter().flat_map(|bits| bits.to_le_bytes()).collect();
            let expected = f16::from_bits(bits).to_f64() * -12_345.0;
            for kernel in DotF16::all() {
                assert_eq!(kernel.product(&row, &codes), expected, "{} of {bits:04x}", kernel.name());
            }
        }
    }

    #[test]
    #[should_panic(expected = "not one float16 per code")]
    fn shapes_that_disagree_are_refused() {
        DotF16::fastest().product(&[0; 30], &[0; 16]);
    }

    #[test]
    #[should_panic(expected = "no multiple of 16")]
    fn a_row_with_a_tail_is_refused() {
        DotF16::fastest().product(&[0; 40], &[0; 20]);
    }

    proptest! {
        #[test]
        fn a_product_is_the_exact_sum_in_every_order(
            pairs in prop::collection::vec((-1_f32..=1.0, i16::MIN..=i16::MAX), 1..40)
        ) {
            let pairs: Vec<(f32, i16)> = pairs.iter().copied().cycle().take(16 * pairs.len()).collect();
            let (row, codes): (Vec<f32>, Vec<i16>) = pairs.into_iter().unzip();
            let mut bytes = vec![0; F16_BYTES * row.len()];
            let scale = encode_f16(&row, &mut bytes);
            let steps = |value: f32| (value * 16_777_216.0) as i64;
            let sum: i64 = decode_f16(&bytes).zip(&codes).map(|(value, &code)| steps(value) * i64::from(code)).sum();
            for kernel in DotF16::all() {
                prop_assert_eq!(kernel.product(&bytes, &codes), sum as f64 / 16_777_216.0, "{}", kernel.name());
            }
            for (decoded, value) in decode_f16(&bytes).zip(row) {
                prop_assert!((decoded * scale - value).abs() <= scale * 0.0003);
            }
        }
    }
}
