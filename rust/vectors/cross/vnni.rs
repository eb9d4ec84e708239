//! The AVX-512 VNNI kernel: 64 products an instruction.
//!
//! The instruction takes the left side without a sign, so 128 is added to its codes, and 128 times the sum of the right
//! side's taken away beforehand.

use core::arch::x86_64::*;

use super::{COLUMNS, Column, Stage, TOGETHER, Tile};

/// What makes a code one without a sign.
const OFFSET: i32 = 128;

/// Proof that this CPU has AVX-512 with VNNI: the only way to get one is [`Vnni::detect`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Vnni(());

impl Vnni {
    /// The kernel, if this CPU has AVX-512 with VNNI.
    pub(super) fn detect() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512vnni");
        found.then_some(Self(()))
    }

    /// Products of twelve rows with sixteen, of which `sums` are the sums of the codes.
    #[inline]
    pub(super) fn tile(self, stage: &[Stage], columns: &[Column], sums: &[i32; COLUMNS]) -> Tile {
        // SAFETY: a `Vnni` exists only where `detect` has found AVX-512 and VNNI.
        unsafe { tile_vnni(stage, columns, sums) }
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn tile_vnni(stage: &[Stage], columns: &[Column], sums: &[i32; COLUMNS]) -> Tile {
    let before = sums.map(|sum| -OFFSET * sum);
    // SAFETY: `before` is 64 readable bytes, and this load asks for no alignment.
    let before = unsafe { _mm512_loadu_si512(before.as_ptr().cast()) };
    let offset = _mm512_set1_epi32(i32::from_le_bytes([OFFSET as u8; 4]));
    let mut sums = [before; TOGETHER];
    for (stage, column) in stage.iter().zip(columns) {
        // SAFETY: `column` is 64 readable bytes, and this load asks for no alignment.
        let right = unsafe { _mm512_loadu_si512(column.as_ptr().cast()) };
        for (sum, left) in sums.iter_mut().zip(stage) {
            let left = _mm512_set1_epi32(i32::from_le_bytes(left.map(i8::cast_unsigned)));
            // Adding 128 to a byte turns its highest bit.
            *sum = _mm512_dpbusd_epi32(*sum, _mm512_xor_si512(left, offset), right);
        }
    }
    let mut tile = [[0; COLUMNS]; TOGETHER];
    for (row, sum) in tile.iter_mut().zip(sums) {
        // SAFETY: `row` is 64 writable bytes, and this store asks for no alignment.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), sum) };
    }
    tile
}
