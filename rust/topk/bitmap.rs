//! The bitmap of allowed rows, read by the scan 32 rows at a time.

use std::ops::Range;

const WORD: usize = u64::BITS as usize;

/// The allowed rows of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowBitmap {
    /// Bit `row % 64` of word `row / 64`; one more word of zeros at the end, so that any 32 bits can be read.
    words: Vec<u64>,
    rows: usize,
    allowed: usize,
}

impl RowBitmap {
    /// Allow the rows for which `allows` is true.
    pub fn new(rows: usize, mut allows: impl FnMut(usize) -> bool) -> Self {
        let mut words = vec![0_u64; rows.div_ceil(WORD) + 1];
        for (index, word) in words.iter_mut().enumerate() {
            let start = (index * WORD).min(rows);
            let bits = (start..rows.min(start + WORD)).enumerate();
            *word = bits.fold(0, |word, (bit, row)| word | u64::from(allows(row)) << bit);
        }
        let allowed = words.iter().map(|word| word.count_ones() as usize).sum();
        Self { words, rows, allowed }
    }

    /// Allow the rows whose flag is not 0: one byte for each row.
    pub fn of_flags(flags: &[u8]) -> Self {
        let mut words: Vec<u64> = flags.chunks(WORD).map(word_of_flags).collect();
        words.push(0);
        let allowed = words.iter().map(|word| word.count_ones() as usize).sum();
        Self { words, rows: flags.len(), allowed }
    }

    /// Allow these rows, in any order; each must be below `rows`.
    pub fn of_rows(rows: usize, allowed: impl Iterator<Item = usize>) -> Self {
        let mut words = vec![0_u64; rows.div_ceil(WORD) + 1];
        allowed.for_each(|row| words[row / WORD] |= 1 << (row % WORD));
        let allowed = words.iter().map(|word| word.count_ones() as usize).sum();
        Self { words, rows, allowed }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of allowed rows.
    pub fn allowed(&self) -> usize {
        self.allowed
    }

    /// Return the bits of 32 rows from `row` on, the first in the lowest bit; 0 for rows past the end.
    #[inline]
    pub fn mask(&self, row: usize) -> u32 {
        let (word, bit) = (row / WORD, row % WORD);
        let pair = u128::from(self.words[word + 1]) << WORD | u128::from(self.words[word]);
        (pair >> bit) as u32
    }

    /// Number of allowed rows in `range`.
    pub fn count(&self, range: Range<usize>) -> usize {
        let masks = range.clone().step_by(32).map(|row| self.mask(row) & low_mask(range.end - row));
        masks.map(|mask| mask.count_ones() as usize).sum()
    }

    /// Number of allowed rows before each of these rows, which rise and are at most [`RowBitmap::rows`].
    pub fn counts_before(&self, rows: impl Iterator<Item = usize>) -> Vec<u32> {
        let (mut word, mut before) = (0, 0);
        let count = |row: usize| {
            let passed = &self.words[word..row / WORD];
            before += passed.iter().map(|word| word.count_ones()).sum::<u32>();
            word = row / WORD;
            before + (self.words[word] & ((1 << (row % WORD)) - 1)).count_ones()
        };
        rows.map(count).collect()
    }

    /// The allowed rows in `range`, in order.
    pub fn ones(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        range
            .clone()
            .step_by(32)
            .flat_map(move |row| bits(self.mask(row) & low_mask(range.end - row)).map(move |bit| row + bit))
    }
}

/// Pack up to 64 flags, the first into the lowest bit, eight at a time.
fn word_of_flags(flags: &[u8]) -> u64 {
    const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // Multiplied with 0 or 1 in each byte, it moves the bit of byte `i` to bit `56 + i`, and no two products meet.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, rest) = flags.as_chunks::<8>();
    let packed = eights.iter().enumerate().fold(0, |word, (index, flags)| {
        let bytes = u64::from_le_bytes(*flags);
        // The highest bit of each byte that is not 0: adding 127 carries into it, unless it was set before.
        let high_bits = (((bytes & LOW_BITS) + LOW_BITS) | bytes) & !LOW_BITS;
        word | ((high_bits >> 7).wrapping_mul(GATHER) >> 56) << (8 * index)
    });
    let start = 8 * eights.len();
    rest.iter()
        .enumerate()
        .fold(packed, |word, (index, &flag)| word | u64::from(flag != 0) << (start + index))
}

/// A mask of the lowest `count` bits; all of them from 32 on.
#[inline]
pub(crate) fn low_mask(count: usize) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}

/// Positions of the set bits, lowest first.
#[inline]
pub(crate) fn bits(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros() as usize;
        (mask != 0).then(|| {
            mask &= mask - 1;
            bit
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bitmap_agrees_with_its_flags(
            flags in prop::collection::vec(any::<bool>(), 0..300),
            cut in (0.0..1.0, 0.0..1.0),
        ) {
            let bitmap = RowBitmap::new(flags.len(), |row| flags[row]);
            let end = (flags.len() as f64 * cut.0) as usize;
            let range = (end as f64 * cut.1) as usize..end;
            let expected: Vec<usize> = range.clone().filter(|&row| flags[row]).collect();
            prop_assert_eq!(bitmap.count(range.clone()), expected.len());
            let before = |row: usize| flags[..row].iter().filter(|&&flag| flag).count() as u32;
            let counts = bitmap.counts_before([range.start, range.start, range.end].into_iter());
            prop_assert_eq!(counts, [before(range.start), before(range.start), before(range.end)]);
            prop_assert_eq!(bitmap.ones(range).collect::<Vec<_>>(), expected);
            prop_assert_eq!(bitmap.allowed(), flags.iter().filter(|&&flag| flag).count());
            for row in 0..flags.len() {
                let expected = (0..32).filter(|bit| flags.get(row + bit) == Some(&true));
                prop_assert_eq!(bits(bitmap.mask(row)).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            }
            let bytes: Vec<u8> = flags.iter().zip((1..=255).cycle()).map(|(&flag, byte)| u8::from(flag) * byte).collect();
            prop_assert_eq!(&bitmap, &RowBitmap::of_flags(&bytes));
            let rows = (0..flags.len()).rev().filter(|&row| flags[row]);
            prop_assert_eq!(&bitmap, &RowBitmap::of_rows(flags.len(), rows));
        }
    }
}
