//! The AVX2 kernel: 32 products an instruction.
//!
//! `maddubs` multiplies unsigned with signed bytes, so A's sign is moved to B: `a b = |a| (sign(a) b)`.

use core::arch::x86_64::*;

use super::{PANEL_ROWS, PackedA, PanelColumn, TILE_ROWS, Tile};
use crate::simd::Avx2;

/// Rows of A whose sums fit the registers.
const ROWS_TOGETHER: usize = 4;

const _: () = assert!(TILE_ROWS.is_multiple_of(ROWS_TOGETHER));

/// Registers of the sums of a row.
const PAIR: usize = 2;

impl Avx2 {
    /// Products of twelve rows of A with a panel of B.
    #[inline]
    pub(super) fn gemm_i8_tile(self, packed_a: &[PackedA], columns: &[PanelColumn]) -> Tile {
        // SAFETY: the witness proves that this CPU has AVX2.
        unsafe { gemm_i8_tile_avx2(packed_a, columns) }
    }
}

#[target_feature(enable = "avx2")]
fn gemm_i8_tile_avx2(packed_a: &[PackedA], columns: &[PanelColumn]) -> Tile {
    let mut tile = [[0; PANEL_ROWS]; TILE_ROWS];
    for (group, rows) in tile.chunks_exact_mut(ROWS_TOGETHER).enumerate() {
        let mut sums = [[_mm256_setzero_si256(); PAIR]; ROWS_TOGETHER];
        for (packed, column) in packed_a.iter().zip(columns) {
            let b = load(column);
            for (sums, a) in sums.iter_mut().zip(&packed[group * ROWS_TOGETHER..][..ROWS_TOGETHER]) {
                let a = _mm256_set1_epi32(i32::from_le_bytes(a.map(i8::cast_unsigned)));
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = _mm256_add_epi32(*sum, products(a, b));
                }
            }
        }
        for (row, [low, high]) in rows.iter_mut().zip(sums) {
            let (first, second) = row.split_at_mut(PANEL_ROWS / PAIR);
            // SAFETY: `first` is 32 writable bytes, and this store needs no alignment.
            unsafe { _mm256_storeu_si256(first.as_mut_ptr().cast(), low) };
            // SAFETY: `second` is 32 writable bytes, and this store needs no alignment.
            unsafe { _mm256_storeu_si256(second.as_mut_ptr().cast(), high) };
        }
    }
    tile
}

/// Sum four products in each lane; [`super`] proves that two of them fit 16 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn products(a: __m256i, b: __m256i) -> __m256i {
    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
    _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(column: &PanelColumn) -> [__m256i; PAIR] {
    let (first, second) = column.split_at(PANEL_ROWS / PAIR);
    // SAFETY: `first` is 32 readable bytes, and this load needs no alignment.
    let low = unsafe { _mm256_loadu_si256(first.as_ptr().cast()) };
    // SAFETY: `second` is 32 readable bytes, and this load needs no alignment.
    let high = unsafe { _mm256_loadu_si256(second.as_ptr().cast()) };
    [low, high]
}
