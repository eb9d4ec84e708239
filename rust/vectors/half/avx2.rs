//! The AVX2 kernel: sixteen halves a step, widened by F16C and summed by FMA in four registers of float64.

use core::arch::x86_64::*;

use super::HALF_BYTES;
use crate::vectors::LANES;

/// Values of a register of float32.
const EIGHT: usize = 8;

const STEP_BYTES: usize = LANES * HALF_BYTES;

const _: () = assert!(LANES == 2 * EIGHT);

/// Proof that this CPU has AVX2, F16C and FMA: the only way to get one is [`Avx2::detect`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The kernel, if this CPU has all three.
    pub(super) fn detect() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("f16c")
            && std::arch::is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }

    /// See [`super::Halves::product`].
    #[inline]
    pub(super) fn product(self, bytes: &[u8], codes: &[i16]) -> f64 {
        // SAFETY: an `Avx2` exists only where `detect` has found AVX2, F16C and FMA.
        unsafe { product_avx2(bytes, codes) }
    }
}

#[target_feature(enable = "avx2,f16c,fma")]
fn product_avx2(bytes: &[u8], codes: &[i16]) -> f64 {
    let mut sums = [_mm256_setzero_pd(); 4];
    for (halves, codes) in bytes.as_chunks::<STEP_BYTES>().0.iter().zip(codes.as_chunks::<LANES>().0) {
        let (halves, _) = halves.as_chunks::<{ EIGHT * HALF_BYTES }>();
        let (codes, _) = codes.as_chunks::<EIGHT>();
        [sums[0], sums[1]] = add_products([sums[0], sums[1]], &halves[0], &codes[0]);
        [sums[2], sums[3]] = add_products([sums[2], sums[3]], &halves[1], &codes[1]);
    }
    fold(_mm256_add_pd(_mm256_add_pd(sums[0], sums[1]), _mm256_add_pd(sums[2], sums[3])))
}

/// Add eight products to the eight lanes of `sums`; `half` proves that no lane rounds.
#[target_feature(enable = "avx2,f16c,fma")]
#[inline]
fn add_products(sums: [__m256d; 2], halves: &[u8; EIGHT * HALF_BYTES], codes: &[i16; EIGHT]) -> [__m256d; 2] {
    // SAFETY: `halves` is 16 readable bytes, and this load asks for no alignment.
    let halves = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
    // SAFETY: `codes` is 16 readable bytes, and this load asks for no alignment.
    let codes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
    let (values, codes) = (_mm256_cvtph_ps(halves), _mm256_cvtepi16_epi32(codes));
    let low = _mm256_cvtps_pd(_mm256_castps256_ps128(values));
    let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(values));
    let low_codes = _mm256_cvtepi32_pd(_mm256_castsi256_si128(codes));
    let high_codes = _mm256_cvtepi32_pd(_mm256_extracti128_si256::<1>(codes));
    [_mm256_fmadd_pd(low, low_codes, sums[0]), _mm256_fmadd_pd(high, high_codes, sums[1])]
}

/// The sum of the four lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn fold(sums: __m256d) -> f64 {
    let pair = _mm_add_pd(_mm256_castpd256_pd128(sums), _mm256_extractf128_pd::<1>(sums));
    _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)))
}
