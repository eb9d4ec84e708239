//! The AVX2 kernel: 16 codes a step, four rows at once.

use core::arch::x86_64::*;

use crate::kernels::{CACHE_LINE_BYTES, LANES, prefetch_line};
use crate::simd::Avx2;

/// Rows that share each load of the query, and whose sums are folded together.
const ROWS_TOGETHER: usize = 4;

/// Distance of the software prefetch. The hardware prefetcher stops at the end of a page; with this a scan of rows in
/// memory took half the time.
const PREFETCH_BYTES: usize = 8192;

const _: () = assert!(ROWS_TOGETHER * LANES == CACHE_LINE_BYTES);

impl Avx2 {
    /// See [`super::DotI8::products`].
    #[inline]
    pub(super) fn dot_i8(self, codes: &[i8], query: &[i16], products: &mut [i32]) {
        // SAFETY: the witness proves that this CPU has AVX2.
        unsafe { dot_i8_avx2(codes, query, products) }
    }
}

#[target_feature(enable = "avx2")]
fn dot_i8_avx2(codes: &[i8], query: &[i16], products: &mut [i32]) {
    let stride = query.len();
    let (query, _) = query.as_chunks::<LANES>();
    let (quads, singles) = products.as_chunks_mut::<ROWS_TOGETHER>();
    let (quad_codes, single_codes) = codes.split_at(quads.len() * ROWS_TOGETHER * stride);
    for (products, rows) in quads.iter_mut().zip(quad_codes.chunks_exact(ROWS_TOGETHER * stride)) {
        *products = four_products(rows, query);
    }
    for (product, row) in singles.iter_mut().zip(single_codes.chunks_exact(stride)) {
        *product = one_product(row, query);
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn four_products(rows: &[i8], query: &[[i16; LANES]]) -> [i32; ROWS_TOGETHER] {
    let (steps, _) = rows.as_chunks::<LANES>();
    let (first, second) = steps.split_at(2 * query.len());
    let (a, b) = first.split_at(query.len());
    let (c, d) = second.split_at(query.len());
    let mut sums = [_mm256_setzero_si256(); ROWS_TOGETHER];
    for (step, ((((a, b), c), d), query)) in a.iter().zip(b).zip(c).zip(d).zip(query).enumerate() {
        // Four rows are as many cache lines as they have steps, so each step prefetches one line: a burst of prefetches
        // would be dropped.
        prefetch_line(rows.as_ptr().wrapping_add(PREFETCH_BYTES + step * CACHE_LINE_BYTES).cast());
        let query = load_query(query);
        sums[0] = add_products(sums[0], a, query);
        sums[1] = add_products(sums[1], b, query);
        sums[2] = add_products(sums[2], c, query);
        sums[3] = add_products(sums[3], d, query);
    }
    fold(sums)
}

#[target_feature(enable = "avx2")]
#[inline]
fn one_product(row: &[i8], query: &[[i16; LANES]]) -> i32 {
    let (steps, _) = row.as_chunks::<LANES>();
    let mut sum = _mm256_setzero_si256();
    for (step, query) in steps.iter().zip(query) {
        sum = add_products(sum, step, load_query(query));
    }
    let zero = _mm256_setzero_si256();
    fold([sum, zero, zero, zero])[0]
}

/// Add 16 products to the 8 lanes of `sum`; the bounds of [`super`] prove that no lane overflows.
#[target_feature(enable = "avx2")]
#[inline]
fn add_products(sum: __m256i, codes: &[i8; LANES], query: __m256i) -> __m256i {
    // SAFETY: `codes` is 16 readable bytes, and this load needs no alignment.
    let codes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
    _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepi8_epi16(codes), query))
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_query(query: &[i16; LANES]) -> __m256i {
    // SAFETY: `query` is 32 readable bytes, and this load needs no alignment.
    unsafe { _mm256_loadu_si256(query.as_ptr().cast()) }
}

/// Sum the lanes of each of the four registers.
#[target_feature(enable = "avx2")]
#[inline]
fn fold(sums: [__m256i; ROWS_TOGETHER]) -> [i32; ROWS_TOGETHER] {
    let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
    let folded = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
    let mut out = [0; ROWS_TOGETHER];
    // SAFETY: `out` is 16 writable bytes, and this store needs no alignment.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), folded) };
    out
}
