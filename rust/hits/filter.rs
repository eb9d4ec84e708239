//! Which rows may be found: a bitmap in row order, read by the scan 32 rows at a time.

use std::ops::Range;

use crate::error::{Error, Result};

const WORD: usize = u64::BITS as usize;

/// The allowed rows of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Bit `row % 64` of word `row / 64`; one more word of zeros at the end, so that any 32 bits can be read.
    words: Vec<u64>,
    rows: usize,
    allowed: usize,
}

impl Filter {
    /// Allow the rows for which `allows` is true.
    pub fn new(rows: usize, mut allows: impl FnMut(usize) -> bool) -> Self {
        let mut filter = Self { words: vec![0; rows.div_ceil(WORD) + 1], rows, allowed: 0 };
        for (index, word) in filter.words.iter_mut().enumerate() {
            let start = (index * WORD).min(rows);
            let bits = (start..rows.min(start + WORD)).enumerate();
            *word = bits.fold(0, |word, (bit, row)| word | u64::from(allows(row)) << bit);
        }
        filter.recount();
        filter
    }

    /// Allow the rows whose id has a flag: the row of id `i` is allowed if `flags[i]` is.
    ///
    /// # Errors
    /// [`Error::AllowLength`] if there is not one flag for each id from 0 to the largest.
    pub fn by_id(ids: &[i64], flags: &[bool]) -> Result<Self> {
        let largest = ids.iter().fold(-1_i64, |most, &id| most.max(id));
        let least = ids.iter().fold(0, |least, &id| least.min(id));
        let expected = (largest + 1) as usize;
        if least < 0 {
            return Err(Error::NegativeIds { id: least });
        }
        if flags.len() != expected {
            return Err(Error::AllowLength { expected, got: flags.len() });
        }
        Ok(Self::new(ids.len(), |row| flags[ids[row] as usize]))
    }

    /// Allow the rows whose id is in `wanted`, in any order; ids that no row has are passed over.
    pub fn of_ids(ids: &[i64], wanted: &[i64]) -> Self {
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        Self::new(ids.len(), |row| wanted.binary_search(&ids[row]).is_ok())
    }

    /// Rows of the index.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of allowed rows.
    pub fn allowed(&self) -> usize {
        self.allowed
    }

    /// Take rows out that `other` does not allow.
    ///
    /// # Panics
    /// If it is for another number of rows.
    pub fn restrict(&mut self, other: &Self) {
        assert_eq!(self.rows, other.rows, "the filters are for different indexes");
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
        self.recount();
    }

    /// The flags of 32 rows from `row` on, the first in the lowest bit; 0 for rows past the end.
    #[inline]
    pub fn mask(&self, row: usize) -> u32 {
        let (word, bit) = (row / WORD, row % WORD);
        let pair = u128::from(self.words[word + 1]) << WORD | u128::from(self.words[word]);
        (pair >> bit) as u32
    }

    /// Number of allowed rows among `range`.
    pub fn count(&self, range: Range<usize>) -> usize {
        let masks = range.clone().step_by(32).map(|row| self.mask(row) & first_bits(range.end - row));
        masks.map(|mask| mask.count_ones() as usize).sum()
    }

    /// The allowed rows among `range`, in order.
    pub fn ones(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        range
            .clone()
            .step_by(32)
            .flat_map(move |row| bits(self.mask(row) & first_bits(range.end - row)).map(move |bit| row + bit))
    }

    fn recount(&mut self) {
        self.allowed = self.words.iter().map(|word| word.count_ones() as usize).sum();
    }
}

/// The lowest `count` bits of a mask, all of them from 32 on.
#[inline]
pub(crate) fn first_bits(count: usize) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}

/// Positions of the bits that are set, lowest first.
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
        fn a_bitmap_says_what_the_flags_said(
            flags in prop::collection::vec(any::<bool>(), 0..300),
            cut in (0.0..1.0, 0.0..1.0),
        ) {
            let filter = Filter::new(flags.len(), |row| flags[row]);
            let end = (flags.len() as f64 * cut.0) as usize;
            let range = (end as f64 * cut.1) as usize..end;
            let expected: Vec<usize> = range.clone().filter(|&row| flags[row]).collect();
            prop_assert_eq!(filter.count(range.clone()), expected.len());
            prop_assert_eq!(filter.ones(range).collect::<Vec<_>>(), expected);
            prop_assert_eq!(filter.allowed(), flags.iter().filter(|&&flag| flag).count());
            for row in 0..flags.len() {
                let expected = (0..32).filter(|bit| flags.get(row + bit) == Some(&true));
                prop_assert_eq!(bits(filter.mask(row)).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            }
        }

        #[test]
        fn flags_and_lists_of_ids_say_the_same(flags in prop::collection::vec(any::<bool>(), 0..200)) {
            let ids: Vec<i64> = (0..flags.len() as i64).rev().collect();
            let wanted: Vec<i64> = ids.iter().copied().filter(|&id| flags[id as usize]).chain([-7, 999]).collect();
            let mut filter = Filter::by_id(&ids, &flags).unwrap();
            prop_assert_eq!(&filter, &Filter::of_ids(&ids, &wanted));
            filter.restrict(&Filter::new(ids.len(), |row| row % 2 == 0));
            prop_assert_eq!(filter.allowed(), flags.iter().rev().step_by(2).filter(|&&flag| flag).count());
        }
    }

    #[test]
    fn flags_must_match_the_ids() {
        assert!(matches!(
            Filter::by_id(&[0, 5], &[true; 3]),
            Err(Error::AllowLength { expected: 6, got: 3 })
        ));
        assert!(matches!(Filter::by_id(&[0, -5], &[true; 1]), Err(Error::NegativeIds { id: -5 })));
        assert_eq!(Filter::by_id(&[], &[]).unwrap().allowed(), 0);
    }
}
