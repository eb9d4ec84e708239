//! The AVX2 kernel: 16 codes a step, four rows at once.

use core::arch::x86_64::*;

use crate::cpu::Avx2;
use crate::vectors::LANES;

/// Rows that share each load of the query, and whose sums are folded together.
const TOGETHER: usize = 4;

/// How far ahead of the rows being scored the codes to come are asked for. The CPU's own prefetching stops at
/// the end of a page; with this a scan from memory took half the time.
const AHEAD_BYTES: usize = 8192;

const CACHE_LINE_BYTES: usize = 64;

const _: () = assert!(TOGETHER * LANES == CACHE_LINE_BYTES);

impl Avx2 {
    /// See [`super::Scanner::products`].
    #[inline]
    pub(super) fn products(self, codes: &[i8], query: &[i16], products: &mut [i32]) {
        // SAFETY: an `Avx2` exists only where `detect` has found AVX2.
        unsafe { products_avx2(codes, query, products) }
    }
}

#[target_feature(enable = "avx2")]
fn products_avx2(codes: &[i8], query: &[i16], products: &mut [i32]) {
    let stride = query.len();
    let (query, _) = query.as_chunks::<LANES>();
    let (fours, rest) = products.as_chunks_mut::<TOGETHER>();
    let (quads, tail) = codes.split_at(fours.len() * TOGETHER * stride);
    for (four, rows) in fours.iter_mut().zip(quads.chunks_exact(TOGETHER * stride)) {
        *four = four_products(rows, query);
    }
    for (product, row) in rest.iter_mut().zip(tail.chunks_exact(stride)) {
        *product = one_product(row, query);
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn four_products(rows: &[i8], query: &[[i16; LANES]]) -> [i32; TOGETHER] {
    let (steps, _) = rows.as_chunks::<LANES>();
    let (first, second) = steps.split_at(2 * query.len());
    let (a, b) = first.split_at(query.len());
    let (c, d) = second.split_at(query.len());
    let mut sums = [_mm256_setzero_si256(); TOGETHER];
    for (step, ((((a, b), c), d), query)) in a.iter().zip(b).zip(c).zip(d).zip(query).enumerate() {
        prefetch(rows, step);
        let query = load_query(query);
        sums[0] = add_products(sums[0], a, query);
        sums[1] = add_products(sums[1], b, query);
        sums[2] = add_products(sums[2], c, query);
        sums[3] = add_products(sums[3], d, query);
    }
    fold(sums)
}

/// Ask for one cache line of the codes to come. Four rows are as many lines as they have steps, so each step
/// asks for one: asked for all at once, most would be dropped.
#[inline]
fn prefetch(rows: &[i8], step: usize) {
    let line = rows.as_ptr().wrapping_add(AHEAD_BYTES + step * CACHE_LINE_BYTES);
    // SAFETY: a prefetch is a hint that may name any address: it neither reads nor faults.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line) };
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

/// Add 16 products to the 8 lanes of `sum`; `vectors` proves that no lane overflows.
#[target_feature(enable = "avx2")]
#[inline]
fn add_products(sum: __m256i, codes: &[i8; LANES], query: __m256i) -> __m256i {
    // SAFETY: `codes` is 16 readable bytes, and this load asks for no alignment.
    let codes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
    _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepi8_epi16(codes), query))
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_query(query: &[i16; LANES]) -> __m256i {
    // SAFETY: `query` is 32 readable bytes, and this load asks for no alignment.
    unsafe { _mm256_loadu_si256(query.as_ptr().cast()) }
}

/// The sum of the lanes of each of the four.
#[target_feature(enable = "avx2")]
#[inline]
fn fold(sums: [__m256i; TOGETHER]) -> [i32; TOGETHER] {
    let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
    let folded = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
    let mut out = [0; TOGETHER];
    // SAFETY: `out` is 16 writable bytes, and this store asks for no alignment.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), folded) };
    out
}
