//! The NEON kernel: one subquantizer of a block a step.

use core::arch::aarch64::*;

use super::blocks::{BLOCK_ROWS, GROUP_BYTES};
use super::{BYTE_TERMS, BlockSums, M_MULTIPLE, ScanTable};
use crate::simd::Neon;

type Step = [u8; GROUP_BYTES];

// So that no step is left over.
const _: () = assert!(M_MULTIPLE.is_multiple_of(BYTE_TERMS));

impl Neon {
    /// See [`super::FastScan::scan`].
    #[inline]
    pub(super) fn fastscan(
        self,
        blocks: &[u8],
        table: ScanTable<'_>,
        sums: &mut [BlockSums],
        masks: &mut [u32],
    ) {
        // SAFETY: the witness proves that this CPU has NEON.
        unsafe { fastscan_neon(blocks, table, sums, masks) }
    }
}

#[target_feature(enable = "neon")]
fn fastscan_neon(blocks: &[u8], table: ScanTable<'_>, sums: &mut [BlockSums], masks: &mut [u32]) {
    for ((block, sums), mask) in blocks.chunks_exact(table.block_bytes()).zip(sums).zip(masks) {
        *sums = block_sums(block, table);
        *mask = (0..BLOCK_ROWS).fold(0, |mask, row| mask | u32::from(sums[row] >= table.threshold) << row);
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn block_sums(block: &[u8], table: ScanTable<'_>) -> BlockSums {
    let (groups, corrections) = block.split_at(table.entries.len());
    let (codes, _) = groups.as_chunks::<GROUP_BYTES>();
    let (tables, _) = table.entries.as_chunks::<GROUP_BYTES>();
    let mut wide = [vdupq_n_u16(0); 4];
    let (codes, _) = codes.as_chunks::<BYTE_TERMS>();
    let (tables, _) = tables.as_chunks::<BYTE_TERMS>();
    for (codes, tables) in codes.iter().zip(tables) {
        let [low, high] = byte_sums(codes, tables);
        wide[0] = vaddw_u8(wide[0], vget_low_u8(low));
        wide[1] = vaddw_high_u8(wide[1], low);
        wide[2] = vaddw_u8(wide[2], vget_low_u8(high));
        wide[3] = vaddw_high_u8(wide[3], high);
    }
    let mut sums = [0; BLOCK_ROWS];
    let zero_point = vdupq_n_s16(table.zero_point);
    let (corrections, _) = corrections.as_chunks::<8>();
    for ((eight, lanes), corrections) in sums.as_chunks_mut::<8>().0.iter_mut().zip(wide).zip(corrections) {
        let sums = vsubq_s16(vreinterpretq_s16_u16(lanes), zero_point);
        // `sum * correction / 256`, rounded, as the upper half of `2 * sum * 128 correction`.
        let corrections = vreinterpretq_s16_u16(vshlq_n_u16::<7>(vmovl_u8(load_eight(corrections))));
        let sums = vqrdmulhq_s16(sums, corrections);
        // SAFETY: `eight` is 16 writable bytes.
        unsafe { vst1q_s16(eight.as_mut_ptr(), sums) };
    }
    sums
}

/// Add [`BYTE_TERMS`] lookups in bytes, for each half of the rows.
#[target_feature(enable = "neon")]
#[inline]
fn byte_sums(codes: &[Step; BYTE_TERMS], tables: &[Step; BYTE_TERMS]) -> [uint8x16_t; 2] {
    let mut sums = [vdupq_n_u8(0); 2];
    for (codes, table) in codes.iter().zip(tables) {
        let (codes, table) = (load(codes), load(table));
        let low = vandq_u8(codes, vdupq_n_u8(15));
        sums[0] = vaddq_u8(sums[0], vqtbl1q_u8(table, low));
        sums[1] = vaddq_u8(sums[1], vqtbl1q_u8(table, vshrq_n_u8::<4>(codes)));
    }
    sums
}

#[target_feature(enable = "neon")]
#[inline]
fn load_eight(bytes: &[u8; 8]) -> uint8x8_t {
    // SAFETY: `bytes` is 8 readable bytes.
    unsafe { vld1_u8(bytes.as_ptr()) }
}

#[target_feature(enable = "neon")]
#[inline]
fn load(step: &Step) -> uint8x16_t {
    // SAFETY: `step` is 16 readable bytes.
    unsafe { vld1q_u8(step.as_ptr()) }
}
