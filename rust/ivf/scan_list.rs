//! Scans the codes of one list, or of all routing centroids, into a reservoir of candidates.

use std::ops::Range;

use crate::kernels::fastscan::blocks::{BLOCK_ROWS, block_count};
use crate::kernels::fastscan::{BlockSums, FastScan, ScanTable};
use crate::quantizer::lut::Lut;
use crate::topk::bitmap::{RowBitmap, bits, low_mask};
use crate::topk::reservoir::CandidateReservoir;

/// Blocks scanned before the threshold is read again.
const CHUNK_BLOCKS: usize = 16;

/// With this many allowed rows in a block on average, few blocks have none.
const MIN_ROWS_PER_BLOCK: usize = 2;

/// Adjacent rows whose codes are scanned.
pub(crate) struct ScanRange<'a> {
    /// The blocks that hold the rows; the first and the last may hold others, too.
    pub(crate) blocks: &'a [u8],
    /// Blocks to prefetch meanwhile.
    pub(crate) prefetched: &'a [u8],
    pub(crate) rows: Range<usize>,
    /// Added to every sum: the centroid score in LUT units.
    pub(crate) bias: i32,
    pub(crate) probe: u32,
    pub(crate) filter: Option<&'a RowBitmap>,
    /// Number of allowed rows.
    pub(crate) allowed: usize,
}

/// Push every allowed row of a range that reaches the reservoir's threshold.
pub(crate) fn scan_list(
    fast_scan: FastScan,
    lut: &Lut,
    range: &ScanRange<'_>,
    reservoir: &mut CandidateReservoir,
) {
    let bytes = table_of(lut, 0).block_bytes();
    // Of few allowed rows block by block, to skip those without one.
    let is_sparse = range.allowed * bytes < MIN_ROWS_PER_BLOCK * range.blocks.len();
    let chunk_blocks = if is_sparse { 1 } else { CHUNK_BLOCKS };
    let (mut sums, mut masks) = ([[0; BLOCK_ROWS]; CHUNK_BLOCKS], [0; CHUNK_BLOCKS]);
    let first = range.rows.start / BLOCK_ROWS * BLOCK_ROWS;
    for start in (0..block_count(range.rows.end - first)).step_by(chunk_blocks) {
        let row = first + start * BLOCK_ROWS;
        let Some(threshold) = sum_threshold(reservoir.threshold(), range.bias, lut.max_sum()) else { return };
        if is_sparse && range.allowed(row) == 0 {
            continue;
        }
        let blocks = &range.blocks[start * bytes..range.blocks.len().min((start + chunk_blocks) * bytes)];
        let count = blocks.len() / bytes;
        let prefetched = range.prefetched.get(start * bytes..).unwrap_or(&[]);
        let (sums, masks) = (&mut sums[..count], &mut masks[..count]);
        fast_scan.scan(blocks, table_of(lut, threshold), prefetched, sums, masks);
        for (block, (sums, &mask)) in sums.iter().zip(&*masks).enumerate() {
            if mask != 0 {
                range.push(row + block * BLOCK_ROWS, sums, mask, reservoir);
            }
        }
    }
}

fn table_of(lut: &Lut, threshold: i16) -> ScanTable<'_> {
    ScanTable { entries: lut.entries_u7(), zero_point: lut.zero_point(), threshold }
}

impl ScanRange<'_> {
    /// A bit for each row of the block at `row` that is in this range and allowed.
    #[inline]
    fn allowed(&self, row: usize) -> u32 {
        let before = low_mask(self.rows.start.saturating_sub(row));
        low_mask(self.rows.end - row) & !before & self.filter.map_or(u32::MAX, |filter| filter.mask(row))
    }

    #[inline]
    fn push(&self, row: usize, sums: &BlockSums, mask: u32, reservoir: &mut CandidateReservoir) {
        for bit in bits(mask & self.allowed(row)) {
            reservoir.push(i32::from(sums[bit]) + self.bias, (row + bit) as u32, self.probe);
        }
    }
}

/// Return the smallest sum that reaches the reservoir's threshold; `None` if no sum can.
fn sum_threshold(threshold: i32, bias: i32, max_sum: i32) -> Option<i16> {
    let sum = i64::from(threshold) - i64::from(bias);
    if sum > i64::from(max_sum) { None } else { i16::try_from(sum.max(i64::from(i16::MIN))).ok() }
}
