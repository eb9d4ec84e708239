//! Scanning the codes of one list, or of all keys, for a shortlist.

use std::ops::Range;

use crate::codes::blocks::{BLOCK_ROWS, block_count};
use crate::codes::lut::Lut;
use crate::codes::pqscan::{PqScanner, Sums, Table};
use crate::hits::filter::{Filter, bits, first_bits};
use crate::hits::shortlist::Shortlist;

/// Blocks scanned before the floor is looked at again.
const CHUNK_BLOCKS: usize = 16;

/// Rows whose codes are scanned in one go.
pub(crate) struct Part<'a> {
    /// The blocks that hold the rows; the first and the last may hold others, too.
    pub(crate) blocks: &'a [u8],
    /// Blocks to be asked for from memory meanwhile.
    pub(crate) ahead: &'a [u8],
    pub(crate) rows: Range<usize>,
    /// Score of the part itself, in steps.
    pub(crate) bias: i32,
    pub(crate) note: u32,
    pub(crate) filter: Option<&'a Filter>,
}

/// Offer every allowed row of a part to the shortlist.
pub(crate) fn sweep(scanner: PqScanner, lut: &Lut, part: &Part<'_>, shortlist: &mut Shortlist) {
    let bytes = scanned_with(lut, 0).block_bytes();
    // With a filter block by block, to pass over those without an allowed row.
    let chunk_blocks = if part.filter.is_some() { 1 } else { CHUNK_BLOCKS };
    let (mut sums, mut masks) = ([[0; BLOCK_ROWS]; CHUNK_BLOCKS], [0; CHUNK_BLOCKS]);
    let first = part.rows.start / BLOCK_ROWS * BLOCK_ROWS;
    for start in (0..block_count(part.rows.end - first)).step_by(chunk_blocks) {
        let row = first + start * BLOCK_ROWS;
        let Some(floor) = floor_of(shortlist.floor(), part.bias, lut.most()) else { return };
        if part.filter.is_some() && part.allowed(row) == 0 {
            continue;
        }
        let blocks = &part.blocks[start * bytes..part.blocks.len().min((start + chunk_blocks) * bytes)];
        let count = blocks.len() / bytes;
        let ahead = part.ahead.get(start * bytes..).unwrap_or(&[]);
        let (sums, masks) = (&mut sums[..count], &mut masks[..count]);
        scanner.scan(blocks, scanned_with(lut, floor), ahead, sums, masks);
        for (at, (sums, &mask)) in sums.iter().zip(&*masks).enumerate() {
            if mask != 0 {
                part.offer(row + at * BLOCK_ROWS, sums, mask, shortlist);
            }
        }
    }
}

fn scanned_with(lut: &Lut, floor: i16) -> Table<'_> {
    Table { steps: lut.steps(), zero: lut.zero(), floor }
}

impl Part<'_> {
    /// Bits of the rows of a block that are of this part and allowed.
    #[inline]
    fn allowed(&self, row: usize) -> u32 {
        let before = first_bits(self.rows.start.saturating_sub(row));
        first_bits(self.rows.end - row) & !before & self.filter.map_or(u32::MAX, |filter| filter.mask(row))
    }

    #[inline]
    fn offer(&self, row: usize, sums: &Sums, mask: u32, shortlist: &mut Shortlist) {
        for bit in bits(mask & self.allowed(row)) {
            shortlist.offer(i32::from(sums[bit]) + self.bias, (row + bit) as u32, self.note);
        }
    }
}

/// The least sum with which a row of a part beats the floor; none if no sum does.
fn floor_of(floor: i32, bias: i32, most: i32) -> Option<i16> {
    let least = i64::from(floor) - i64::from(bias);
    if least > i64::from(most) { None } else { i16::try_from(least.max(i64::from(i16::MIN))).ok() }
}
