//! The AVX2 kernel: 32 products an instruction, of magnitudes on the left with what has taken over their signs.

use core::arch::x86_64::*;

use super::{COLUMNS, Column, Stage, TOGETHER, Tile};
use crate::cpu::Avx2;

/// Rows on the left whose sums fit the registers.
const ROWS: usize = 4;

const _: () = assert!(TOGETHER.is_multiple_of(ROWS));

/// Registers of the sums of a row.
const PAIR: usize = 2;

impl Avx2 {
    /// Products of twelve rows with sixteen.
    #[inline]
    pub(super) fn tile(self, stage: &[Stage], columns: &[Column]) -> Tile {
        // SAFETY: an `Avx2` exists only where `detect` has found AVX2.
        unsafe { tile_avx2(stage, columns) }
    }
}

#[target_feature(enable = "avx2")]
fn tile_avx2(stage: &[Stage], columns: &[Column]) -> Tile {
    let mut tile = [[0; COLUMNS]; TOGETHER];
    for (place, rows) in tile.chunks_exact_mut(ROWS).enumerate() {
        let mut sums = [[_mm256_setzero_si256(); PAIR]; ROWS];
        for (stage, column) in stage.iter().zip(columns) {
            let right = load(column);
            for (sums, left) in sums.iter_mut().zip(&stage[place * ROWS..][..ROWS]) {
                let left = _mm256_set1_epi32(i32::from_le_bytes(left.map(i8::cast_unsigned)));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = _mm256_add_epi32(*sum, products(left, right));
                }
            }
        }
        for (row, [low, high]) in rows.iter_mut().zip(sums) {
            let (first, second) = row.split_at_mut(COLUMNS / PAIR);
            // SAFETY: `first` is 32 writable bytes, and this store asks for no alignment.
            unsafe { _mm256_storeu_si256(first.as_mut_ptr().cast(), low) };
            // SAFETY: `second` is 32 writable bytes, and this store asks for no alignment.
            unsafe { _mm256_storeu_si256(second.as_mut_ptr().cast(), high) };
        }
    }
    tile
}

/// Four products each, summed: two of them fit 16 bits, as is proved beside the shapes.
#[target_feature(enable = "avx2")]
#[inline]
fn products(left: __m256i, right: __m256i) -> __m256i {
    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(left), _mm256_sign_epi8(right, left));
    _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(column: &Column) -> [__m256i; PAIR] {
    let (first, second) = column.split_at(COLUMNS / PAIR);
    // SAFETY: `first` is 32 readable bytes, and this load asks for no alignment.
    let low = unsafe { _mm256_loadu_si256(first.as_ptr().cast()) };
    // SAFETY: `second` is 32 readable bytes, and this load asks for no alignment.
    let high = unsafe { _mm256_loadu_si256(second.as_ptr().cast()) };
    [low, high]
}
