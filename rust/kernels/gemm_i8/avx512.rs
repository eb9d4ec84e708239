//! The AVX-512 VNNI kernel: 64 products an instruction.
//!
//! `dpbusd` multiplies unsigned with signed bytes. So 128 is added to A's codes, and `128 Σ b` is subtracted beforehand:
//! `Σ a b = Σ (a + 128) b - 128 Σ b`.

use core::arch::x86_64::*;

use super::{PANEL_ROWS, PackedA, PanelColumn, TILE_ROWS, Tile};
use crate::simd::Avx512;

/// Offset that makes a code unsigned.
const OFFSET: i32 = 128;

impl Avx512 {
    /// Products of twelve rows of A with a panel of B whose rows have these sums.
    #[inline]
    pub(super) fn gemm_i8_tile(
        self,
        packed_a: &[PackedA],
        columns: &[PanelColumn],
        row_sums: &[i32; PANEL_ROWS],
    ) -> Tile {
        // SAFETY: the witness proves that this CPU has AVX-512F and VNNI.
        unsafe { gemm_i8_tile_avx512(packed_a, columns, row_sums) }
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn gemm_i8_tile_avx512(packed_a: &[PackedA], columns: &[PanelColumn], row_sums: &[i32; PANEL_ROWS]) -> Tile {
    let initial = row_sums.map(|sum| -OFFSET * sum);
    // SAFETY: `initial` is 64 readable bytes, and this load needs no alignment.
    let initial = unsafe { _mm512_loadu_si512(initial.as_ptr().cast()) };
    let offset = _mm512_set1_epi32(i32::from_le_bytes([OFFSET as u8; 4]));
    let mut sums = [initial; TILE_ROWS];
    for (packed, column) in packed_a.iter().zip(columns) {
        // SAFETY: `column` is 64 readable bytes, and this load needs no alignment.
        let b = unsafe { _mm512_loadu_si512(column.as_ptr().cast()) };
        for (sum, a) in sums.iter_mut().zip(packed) {
            let a = _mm512_set1_epi32(i32::from_le_bytes(a.map(i8::cast_unsigned)));
            // Adding 128 to a byte flips its highest bit.
            *sum = _mm512_dpbusd_epi32(*sum, _mm512_xor_si512(a, offset), b);
        }
    }
    let mut tile = [[0; PANEL_ROWS]; TILE_ROWS];
    for (row, sum) in tile.iter_mut().zip(sums) {
        // SAFETY: `row` is 64 writable bytes, and this store needs no alignment.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), sum) };
    }
    tile
}
