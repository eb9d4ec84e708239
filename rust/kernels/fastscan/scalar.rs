//! The reference kernel: specification, fallback and oracle of the others.

use super::blocks::{BLOCK_ROWS, GROUP_BYTES};
use super::{BlockSums, KSUB, ScanTable};

/// See [`super::FastScan::scan`].
pub(super) fn fastscan(blocks: &[u8], table: ScanTable<'_>, sums: &mut [BlockSums], masks: &mut [u32]) {
    for ((block, sums), mask) in blocks.chunks_exact(table.block_bytes()).zip(sums).zip(masks) {
        *sums = block_sums(block, table);
        *mask = (0..BLOCK_ROWS).fold(0, |mask, row| mask | u32::from(sums[row] >= table.threshold) << row);
    }
}

fn block_sums(block: &[u8], table: ScanTable<'_>) -> BlockSums {
    let mut sums = [-table.zero_point; BLOCK_ROWS];
    let (groups, corrections) = block.split_at(table.entries.len());
    for (codes, entries) in groups.chunks_exact(GROUP_BYTES).zip(table.entries.chunks_exact(KSUB)) {
        for (row, code) in codes.iter().enumerate() {
            sums[row] += i16::from(entries[usize::from(code & 15)]);
            sums[row + GROUP_BYTES] += i16::from(entries[usize::from(code >> 4)]);
        }
    }
    sums.iter_mut().zip(corrections).for_each(|(sum, &correction)| *sum = corrected(*sum, correction));
    sums
}

/// `sum * correction / 256`, to the nearest integer, halves upwards.
fn corrected(sum: i16, correction: u8) -> i16 {
    ((i32::from(sum) * i32::from(correction) + 128) >> 8) as i16
}
