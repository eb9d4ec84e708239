//! float16: rows whose values are kept as halves of a row's largest magnitude, and their products with a query.
//!
//! A value is a multiple of 2^-24 and at most 1, a query's code an integer, so every partial sum of a product is a multiple
//! of 2^-24 below 2^29 and exact in float64: the order of summation does not matter, and every CPU agrees to the bit.
//! A [`Halves`] is a kernel that this CPU can run; the scalar one is the specification of the others.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod scalar;

use crate::vectors::LANES;

/// Bytes of a value.
pub const HALF_BYTES: usize = 2;

/// Keep one row of finite values, little-endian and padded with zeros to `bytes`, and return its scale: its largest
/// magnitude. A row whose scale would not be a normal number becomes zeros with scale 0.
pub fn encode_halves(row: &[f32], bytes: &mut [u8]) -> f32 {
    let widest = row.iter().fold(0.0_f32, |widest, value| widest.max(value.abs()));
    let scale = if widest.is_normal() { widest } else { 0.0 };
    let divisor = if scale == 0.0 { f32::INFINITY } else { scale };
    let (halves, _) = bytes.as_chunks_mut::<HALF_BYTES>();
    let (used, padding) = halves.split_at_mut(row.len());
    padding.fill([0; HALF_BYTES]);
    for (half, &value) in used.iter_mut().zip(row) {
        *half = narrowed(value / divisor).to_le_bytes();
    }
    scale
}

/// The values of a row, before its scale.
pub fn halves(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<HALF_BYTES>().0.iter().map(|&half| f32::from_bits(widened(u16::from_le_bytes(half))))
}

/// A kernel for products of halves that this CPU is known to run. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Halves {
    kernel: Kernel,
}

#[derive(Clone, Copy, Debug)]
enum Kernel {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
}

impl Halves {
    /// The fastest kernel that this CPU runs.
    pub fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = avx2::Avx2::detect() {
            return Self { kernel: Kernel::Avx2(kernel) };
        }
        Self::scalar()
    }

    /// The reference kernel, which runs everywhere. Compilers vectorise it for NEON.
    pub fn scalar() -> Self {
        Self { kernel: Kernel::Scalar }
    }

    /// Name of the kernel: `avx2` or `scalar`.
    pub fn name(&self) -> &'static str {
        match self.kernel {
            Kernel::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(_) => "avx2",
        }
    }

    /// The sum of products of a row's values, before its scale, with as many codes of a query: a multiple of
    /// [`LANES`] of them.
    ///
    /// # Panics
    /// If the shapes do not agree.
    #[inline]
    pub fn product(&self, bytes: &[u8], codes: &[i16]) -> f64 {
        assert_eq!(bytes.len(), codes.len() * HALF_BYTES, "not one half per code");
        assert!(codes.len().is_multiple_of(LANES), "{} codes are no multiple of {LANES}", codes.len());
        match self.kernel {
            Kernel::Scalar => scalar::product(bytes, codes),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(kernel) => kernel.product(bytes, codes),
        }
    }
}

/// Bits of the float16 nearest to a value of magnitude at most 1, ties to even.
fn narrowed(value: f32) -> u16 {
    /// Adding this to a magnitude below 2^-14 leaves multiples of 2^-24, which are float16's subnormals.
    const SUBNORMAL: f32 = 0.5;
    const LEAST_NORMAL: u32 = (127 - 14) << 23;
    let sign = (value.to_bits() >> 16 & 0x8000) as u16;
    let magnitude = value.to_bits() & 0x7fff_ffff;
    let half = if magnitude < LEAST_NORMAL {
        (f32::from_bits(magnitude) + SUBNORMAL).to_bits() - SUBNORMAL.to_bits()
    } else {
        let odd = magnitude >> 13 & 1;
        (magnitude - ((127 - 15) << 23) + 0xfff + odd) >> 13
    };
    sign | half as u16
}

/// Bits of the float32 that equals the float16 of these bits. Without branches, so that it is vectorised everywhere.
#[inline(always)]
pub(crate) fn widened(half: u16) -> u32 {
    /// 2^112: what the exponents' bias differs by. The product is exact, for subnormal float16 too.
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    /// The first magnitude beyond float16's finite ones.
    const BEYOND: f32 = 65536.0;
    let half = u32::from(half);
    let magnitude = f32::from_bits((half & 0x7fff) << 13) * REBIAS;
    let special = if magnitude >= BEYOND { 0x7f80_0000 } else { 0 };
    magnitude.to_bits() | special | (half & 0x8000) << 16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::MAX_DIM;

    const ONE: u16 = 0x3c00;

    /// By the definition of the format.
    fn half_to_single(half: u16) -> f32 {
        let (sign, exponent, fraction) = (half >> 15, i32::from(half >> 10 & 31), f32::from(half & 1023));
        let magnitude = match exponent {
            0 => fraction * 2.0_f32.powi(-24),
            31 if fraction == 0.0 => f32::INFINITY,
            31 => f32::NAN,
            _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
        };
        if sign == 1 { -magnitude } else { magnitude }
    }

    #[test]
    fn every_half_is_widened_exactly() {
        for half in 0..=u16::MAX {
            let (got, expected) = (f32::from_bits(widened(half)), half_to_single(half));
            let same = got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan();
            assert!(same, "{half:04x}: {got} {expected}");
        }
    }

    #[test]
    fn every_half_is_narrowed_to_itself_and_ties_go_to_even() {
        for half in 0..=ONE {
            let value = half_to_single(half);
            assert_eq!((narrowed(value), narrowed(-value)), (half, half | 0x8000), "{half:04x}");
        }
        for half in 0..ONE {
            // Both have at most 12 bits: their middle is exact.
            let middle = (half_to_single(half) + half_to_single(half + 1)) / 2.0;
            assert_eq!(narrowed(middle), half + (half & 1), "{half:04x}");
            assert_eq!(narrowed(f32::from_bits(middle.to_bits() - 1)), half, "{half:04x}");
            assert_eq!(narrowed(f32::from_bits(middle.to_bits() + 1)), half + 1, "{half:04x}");
        }
    }

    #[test]
    fn rows_without_a_normal_scale_become_zero() {
        let mut bytes = [9; 16];
        assert_eq!((encode_halves(&[1e-40, 0.0], &mut bytes), bytes), (0.0, [0; 16]));
    }

    #[test]
    fn no_kernel_rounds_at_the_bounds() {
        // The largest sum there may be, and beside it the smallest step, at each place of a step.
        let codes = vec![i16::MIN; MAX_DIM];
        for at in (0..MAX_DIM).step_by(LANES * LANES + 1) {
            let mut bytes: Vec<u8> = (0..MAX_DIM).flat_map(|_| ONE.to_le_bytes()).collect();
            bytes[HALF_BYTES * at..][..HALF_BYTES].copy_from_slice(&1_u16.to_le_bytes());
            let expected = -32768.0 * ((MAX_DIM - 1) as f64 + 2.0_f64.powi(-24));
            for kernel in [Halves::scalar(), Halves::fastest()] {
                assert_eq!(kernel.product(&bytes, &codes), expected, "{} at {at}", kernel.name());
            }
        }
    }

    #[test]
    fn every_finite_half_counts_the_same_in_each_kernel() {
        let mut codes = [0; LANES];
        for half in (0..=ONE).chain(0x8000..=0x8000 | ONE) {
            let at = usize::from(half) % LANES;
            codes.fill(0);
            codes[at] = -12_345;
            let bytes: Vec<u8> = [half; LANES].iter().flat_map(|half| half.to_le_bytes()).collect();
            let expected = f64::from(half_to_single(half)) * -12_345.0;
            for kernel in [Halves::scalar(), Halves::fastest()] {
                assert_eq!(kernel.product(&bytes, &codes), expected, "{} of {half:04x}", kernel.name());
            }
        }
    }

    #[test]
    #[should_panic(expected = "not one half per code")]
    fn shapes_that_disagree_are_refused() {
        Halves::fastest().product(&[0; 30], &[0; 16]);
    }

    #[test]
    #[should_panic(expected = "no multiple of 16")]
    fn a_row_with_a_tail_is_refused() {
        Halves::fastest().product(&[0; 40], &[0; 20]);
    }

    proptest! {
        #[test]
        fn a_product_is_the_exact_sum_in_every_order(
            pairs in prop::collection::vec((-1_f32..=1.0, i16::MIN..=i16::MAX), 1..40)
        ) {
            let pairs: Vec<(f32, i16)> = pairs.iter().copied().cycle().take(16 * pairs.len()).collect();
            let (row, codes): (Vec<f32>, Vec<i16>) = pairs.into_iter().unzip();
            let mut bytes = vec![0; HALF_BYTES * row.len()];
            let scale = encode_halves(&row, &mut bytes);
            let steps = |half: f32| (half * 16_777_216.0) as i64;
            let sum: i64 = halves(&bytes).zip(&codes).map(|(half, &code)| steps(half) * i64::from(code)).sum();
            for kernel in [Halves::scalar(), Halves::fastest()] {
                prop_assert_eq!(kernel.product(&bytes, &codes), sum as f64 / 16_777_216.0, "{}", kernel.name());
            }
            for (half, value) in halves(&bytes).zip(row) {
                prop_assert!((half * scale - value).abs() <= scale * 0.0003);
            }
        }
    }
}
