//! The reference kernel: specification, fallback and oracle of the others.

use super::{Sums, Table};
use crate::codes::KSUB;
use crate::codes::blocks::{BLOCK_ROWS, GROUP_BYTES};

/// See [`super::PqScanner::scan`].
pub(super) fn scan(blocks: &[u8], table: Table<'_>, sums: &mut [Sums], masks: &mut [u32]) {
    for ((block, sums), mask) in blocks.chunks_exact(table.block_bytes()).zip(sums).zip(masks) {
        *sums = block_sums(block, table);
        *mask = (0..BLOCK_ROWS).fold(0, |mask, row| mask | u32::from(sums[row] >= table.floor) << row);
    }
}

fn block_sums(block: &[u8], table: Table<'_>) -> Sums {
    let mut sums = [-table.zero; BLOCK_ROWS];
    let (groups, stretches) = block.split_at(table.steps.len());
    for (codes, steps) in groups.chunks_exact(GROUP_BYTES).zip(table.steps.chunks_exact(KSUB)) {
        for (row, code) in codes.iter().enumerate() {
            sums[row] += i16::from(steps[usize::from(code & 15)]);
            sums[row + GROUP_BYTES] += i16::from(steps[usize::from(code >> 4)]);
        }
    }
    sums.iter_mut().zip(stretches).for_each(|(sum, &stretch)| *sum = stretched(*sum, stretch));
    sums
}

/// `sum * stretch / 256`, to the nearest integer, halves upwards.
fn stretched(sum: i16, stretch: u8) -> i16 {
    ((i32::from(sum) * i32::from(stretch) + 128) >> 8) as i16
}
