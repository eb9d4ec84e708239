//! The reference kernel: specification, fallback and oracle of the others.

use super::Sums;
use crate::blocks::{BLOCK_ROWS, GROUP_BYTES};
use crate::lists::KSUB;

/// See [`super::PqScanner::scan`].
pub(super) fn scan(blocks: &[u8], steps: &[u8], floor: u16, sums: &mut [Sums], masks: &mut [u32]) {
    for ((block, sums), mask) in blocks.chunks_exact(steps.len()).zip(sums).zip(masks) {
        *sums = block_sums(block, steps);
        *mask = (0..BLOCK_ROWS).fold(0, |mask, row| mask | u32::from(sums[row] >= floor) << row);
    }
}

fn block_sums(block: &[u8], steps: &[u8]) -> Sums {
    let mut sums = [0; BLOCK_ROWS];
    for (codes, table) in block.chunks_exact(GROUP_BYTES).zip(steps.chunks_exact(KSUB)) {
        for (row, code) in codes.iter().enumerate() {
            sums[row] += u16::from(table[usize::from(code & 15)]);
            sums[row + GROUP_BYTES] += u16::from(table[usize::from(code >> 4)]);
        }
    }
    sums
}
