//! The AVX2 kernel: sixteen values a step, widened by F16C and summed by FMA in four registers of float64.

use core::arch::x86_64::*;

use crate::kernels::LANES;
use crate::kernels::dot_f16::F16_BYTES;
use crate::simd::Avx2;

/// Values of a register of float32.
const EIGHT: usize = 8;

const STEP_BYTES: usize = LANES * F16_BYTES;

const _: () = assert!(LANES == 2 * EIGHT);

impl Avx2 {
    /// See [`super::DotF16::product`].
    #[inline]
    pub(super) fn dot_f16(self, row: &[u8], query: &[i16]) -> f64 {
        // SAFETY: the witness proves that this CPU has AVX2, F16C and FMA.
        unsafe { dot_f16_avx2(row, query) }
    }
}

#[target_feature(enable = "avx2,f16c,fma")]
fn dot_f16_avx2(row: &[u8], query: &[i16]) -> f64 {
    let mut sums = [_mm256_setzero_pd(); 4];
    for (values, codes) in row.as_chunks::<STEP_BYTES>().0.iter().zip(query.as_chunks::<LANES>().0) {
        let (values, _) = values.as_chunks::<{ EIGHT * F16_BYTES }>();
        let (codes, _) = codes.as_chunks::<EIGHT>();
        [sums[0], sums[1]] = add_products([sums[0], sums[1]], &values[0], &codes[0]);
        [sums[2], sums[3]] = add_products([sums[2], sums[3]], &values[1], &codes[1]);
    }
    fold(_mm256_add_pd(_mm256_add_pd(sums[0], sums[1]), _mm256_add_pd(sums[2], sums[3])))
}

/// Add eight products to the eight lanes of `sums`; [`super`] proves that no lane rounds.
#[target_feature(enable = "avx2,f16c,fma")]
#[inline]
fn add_products(sums: [__m256d; 2], values: &[u8; EIGHT * F16_BYTES], codes: &[i16; EIGHT]) -> [__m256d; 2] {
    // SAFETY: `values` is 16 readable bytes, and this load needs no alignment.
    let values = unsafe { _mm_loadu_si128(values.as_ptr().cast()) };
    // SAFETY: `codes` is 16 readable bytes, and this load needs no alignment.
    let codes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
    let (values, codes) = (_mm256_cvtph_ps(values), _mm256_cvtepi16_epi32(codes));
    let low = _mm256_cvtps_pd(_mm256_castps256_ps128(values));
    let high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(values));
    let low_codes = _mm256_cvtepi32_pd(_mm256_castsi256_si128(codes));
    let high_codes = _mm256_cvtepi32_pd(_mm256_extracti128_si256::<1>(codes));
    [_mm256_fmadd_pd(low, low_codes, sums[0]), _mm256_fmadd_pd(high, high_codes, sums[1])]
}

/// Sum the four lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn fold(sums: __m256d) -> f64 {
    let pair = _mm_add_pd(_mm256_castpd256_pd128(sums), _mm256_extractf128_pd::<1>(sums));
    _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)))
}
