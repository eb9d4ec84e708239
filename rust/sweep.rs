//! Scanning the codes of one list, or of all keys, for a shortlist.

use std::ops::Range;

use crate::blocks::{BLOCK_ROWS, block_count};
use crate::filter::{Filter, bits, first_bits};
use crate::lut::Lut;
use crate::pqscan::{PqScanner, Sums};
use crate::shortlist::Shortlist;

/// Blocks scanned before the floor is looked at again.
const CHUNK_BLOCKS: usize = 16;

/// Rows whose codes are scanned in one go.
pub(crate) struct Part<'a> {
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
    let bytes = lut.steps().len();
    // With a filter block by block, to pass over those without an allowed row.
    let chunk_blocks = if part.filter.is_some() { 1 } else { CHUNK_BLOCKS };
    let (mut sums, mut masks) = ([[0; BLOCK_ROWS]; CHUNK_BLOCKS], [0; CHUNK_BLOCKS]);
    for start in (0..block_count(part.rows.len())).step_by(chunk_blocks) {
        let row = part.rows.start + start * BLOCK_ROWS;
        let Some(floor) = floor_of(shortlist.floor(), part.bias, lut.most()) else { return };
        if part.filter.is_some() && part.allowed(row) == 0 {
            continue;
        }
        let blocks = &part.blocks[start * bytes..part.blocks.len().min((start + chunk_blocks) * bytes)];
        let count = blocks.len() / bytes;
        let ahead = part.ahead.get(start * bytes..).unwrap_or(&[]);
        let (sums, masks) = (&mut sums[..count], &mut masks[..count]);
        scanner.scan(blocks, lut.steps(), floor, ahead, sums, masks);
        for (at, (sums, &mask)) in sums.iter().zip(&*masks).enumerate() {
            if mask != 0 {
                part.offer(row + at * BLOCK_ROWS, sums, mask, shortlist);
            }
        }
    }
}

impl Part<'_> {
    /// Bits of the rows of a block that are there and allowed.
    #[inline]
    fn allowed(&self, row: usize) -> u32 {
        first_bits(self.rows.end - row) & self.filter.map_or(u32::MAX, |filter| filter.mask(row))
    }

    #[inline]
    fn offer(&self, row: usize, sums: &Sums, mask: u32, shortlist: &mut Shortlist) {
        for bit in bits(mask & self.allowed(row)) {
            shortlist.offer(i32::from(sums[bit]) + self.bias, (row + bit) as u32, self.note);
        }
    }
}

/// The least sum with which a row of a part beats the floor; none if no sum does.
fn floor_of(floor: i32, bias: i32, most: u32) -> Option<u16> {
    let least = (i64::from(floor) - i64::from(bias)).max(0);
    if least > i64::from(most) { None } else { u16::try_from(least).ok() }
}
