//! The AVX-512 VNNI kernel: 32 codes an instruction, four rows at once.

use core::arch::x86_64::*;

use crate::kernels::{CACHE_LINE_BYTES, prefetch_line};
use crate::simd::Avx512;

/// Codes of a step.
const STEP: usize = 32;

/// Codes that may be left over after the last step.
const TAIL: usize = STEP / 2;

/// Rows that share each load of the query.
const ROWS_TOGETHER: usize = 4;

/// Distance of the software prefetch, as in the AVX2 kernel.
const PREFETCH_BYTES: usize = 8192;

impl Avx512 {
    /// See [`super::DotI8::products`].
    #[inline]
    pub(super) fn dot_i8(self, codes: &[i8], query: &[i16], products: &mut [i32]) {
        // SAFETY: the witness proves that this CPU has AVX-512F, BW and VNNI.
        unsafe { dot_i8_avx512(codes, query, products) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn dot_i8_avx512(codes: &[i8], query: &[i16], products: &mut [i32]) {
    let stride = query.len();
    let (quads, singles) = products.as_chunks_mut::<ROWS_TOGETHER>();
    let (quad_codes, single_codes) = codes.split_at(quads.len() * ROWS_TOGETHER * stride);
    for (products, rows) in quads.iter_mut().zip(quad_codes.chunks_exact(ROWS_TOGETHER * stride)) {
        *products = four_products(rows, query);
    }
    for (product, row) in singles.iter_mut().zip(single_codes.chunks_exact(stride)) {
        *product = one_product(row, query);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
fn four_products(rows: &[i8], query: &[i16]) -> [i32; ROWS_TOGETHER] {
    let (first, second) = rows.split_at(2 * query.len());
    let (a, b) = first.split_at(query.len());
    let (c, d) = second.split_at(query.len());
    let mut sums = [_mm512_setzero_si512(); ROWS_TOGETHER];
    let (steps, tail) = query.as_chunks::<STEP>();
    let rows_of_steps = steps_of(a).iter().zip(steps_of(b)).zip(steps_of(c)).zip(steps_of(d));
    for (step, ((((a, b), c), d), query)) in rows_of_steps.zip(steps).enumerate() {
        // Four rows are as many pairs of cache lines as they have steps.
        let ahead = PREFETCH_BYTES + 2 * step * CACHE_LINE_BYTES;
        prefetch_line(rows.as_ptr().wrapping_add(ahead).cast());
        prefetch_line(rows.as_ptr().wrapping_add(ahead + CACHE_LINE_BYTES).cast());
        let query = load_query(query);
        sums[0] = add_products(sums[0], a, query);
        sums[1] = add_products(sums[1], b, query);
        sums[2] = add_products(sums[2], c, query);
        sums[3] = add_products(sums[3], d, query);
    }
    if let Some(tail) = tail.first_chunk::<TAIL>() {
        let query = load_tail(tail);
        for (sum, row) in sums.iter_mut().zip([a, b, c, d]) {
            *sum = add_tail(*sum, row, query);
        }
    }
    sums.map(|sum| _mm512_reduce_add_epi32(sum))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
fn one_product(row: &[i8], query: &[i16]) -> i32 {
    let (steps, tail) = query.as_chunks::<STEP>();
    // Two sums, because an addition waits for the one before it. Variables and no array: an array with a computed index
    // would be in memory, and every step would wait for a store.
    let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    let (pairs, single) = steps.as_chunks::<2>();
    let (row_pairs, row_single) = steps_of(row).as_chunks::<2>();
    for ([a, b], [query_a, query_b]) in row_pairs.iter().zip(pairs) {
        even = add_products(even, a, load_query(query_a));
        odd = add_products(odd, b, load_query(query_b));
    }
    for (row, query) in row_single.iter().zip(single) {
        even = add_products(even, row, load_query(query));
    }
    if let Some(tail) = tail.first_chunk::<TAIL>() {
        odd = add_tail(odd, row, load_tail(tail));
    }
    _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd))
}

fn steps_of(row: &[i8]) -> &[[i8; STEP]] {
    row.as_chunks().0
}

/// Add 32 products to the 16 lanes of `sum`; the bounds of [`super`] prove that no lane overflows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
fn add_products(sum: __m512i, codes: &[i8; STEP], query: __m512i) -> __m512i {
    // SAFETY: `codes` is 32 readable bytes, and this load needs no alignment.
    let codes = unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) };
    _mm512_dpwssd_epi32(sum, _mm512_cvtepi8_epi16(codes), query)
}

/// Add the products of the last 16 codes of a row; `query` is zero from the 17th code on.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
fn add_tail(sum: __m512i, row: &[i8], query: __m512i) -> __m512i {
    let Some(codes) = row.last_chunk::<TAIL>() else { return sum };
    // SAFETY: `codes` is 16 readable bytes, and this load needs no alignment.
    let codes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
    _mm512_dpwssd_epi32(sum, _mm512_cvtepi8_epi16(_mm256_zextsi128_si256(codes)), query)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_query(query: &[i16; STEP]) -> __m512i {
    // SAFETY: `query` is 64 readable bytes, and this load needs no alignment.
    unsafe { _mm512_loadu_si512(query.as_ptr().cast()) }
}

/// Load the last 16 codes of a query, and zeros.
#[target_feature(enable = "avx512f")]
#[inline]
fn load_tail(tail: &[i16; TAIL]) -> __m512i {
    // SAFETY: `tail` is 32 readable bytes, and this load needs no alignment.
    let tail = unsafe { _mm256_loadu_si256(tail.as_ptr().cast()) };
    _mm512_zextsi256_si512(tail)
}
