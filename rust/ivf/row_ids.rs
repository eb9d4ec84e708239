//! From ids to rows: made once for an index, so that a filter costs time for what it allows and not for every row.

use crate::error::{Error, FilterUnit, Result};
use crate::topk::bitmap::{RowBitmap, bits};

/// Ids are looked up in an array if it has at most this many entries a row, else by binary search.
const MAX_ENTRIES_PER_ROW: usize = 4;

/// The entry of a number that is no id.
const NO_ROW: u32 = u32::MAX;

/// The row of each id.
#[derive(Debug)]
pub(crate) struct RowIds {
    rows: usize,
    smallest: i64,
    /// Ids from 0 to the largest, for which a caller passes flags.
    flags: usize,
    lookup: Lookup,
}

#[derive(Debug)]
enum Lookup {
    /// The row of each number from the smallest id on, [`NO_ROW`] for one that is no id.
    Dense(Vec<u32>),
    /// (id, row) by rising id.
    Sorted(Vec<(i64, u32)>),
}

impl RowIds {
    /// Index the ids of all rows, shape (rows,), distinct.
    pub(crate) fn new(ids: &[i64]) -> Self {
        let largest = ids.iter().fold(-1_i64, |max, &id| max.max(id));
        let smallest = ids.iter().copied().min().unwrap_or(0);
        let entries = ids.iter().copied().max().map_or(0, |max| i128::from(max) - i128::from(smallest) + 1);
        let lookup = if entries <= (MAX_ENTRIES_PER_ROW * ids.len()) as i128 {
            let mut rows = vec![NO_ROW; entries as usize];
            ids.iter().zip(0..).for_each(|(&id, row)| rows[(id - smallest) as usize] = row);
            Lookup::Dense(rows)
        } else {
            let mut pairs: Vec<(i64, u32)> = ids.iter().copied().zip(0..).collect();
            pairs.sort_unstable();
            Lookup::Sorted(pairs)
        };
        Self { rows: ids.len(), smallest, flags: (i128::from(largest) + 1) as usize, lookup }
    }

    fn row_of(&self, id: i64) -> Option<usize> {
        match &self.lookup {
            Lookup::Dense(rows) => {
                let index = usize::try_from(id.checked_sub(self.smallest)?).ok()?;
                rows.get(index).filter(|&&row| row != NO_ROW).map(|&row| row as usize)
            }
            Lookup::Sorted(pairs) => {
                let index = pairs.binary_search_by_key(&id, |&(id, _)| id).ok()?;
                Some(pairs[index].1 as usize)
            }
        }
    }

    /// Allow the rows of these ids, in any order; ids without a row are ignored.
    pub(crate) fn of_ids(&self, allowed: &[i64]) -> RowBitmap {
        RowBitmap::of_rows(self.rows, allowed.iter().filter_map(|&id| self.row_of(id)))
    }

    /// Allow the rows whose id has a flag: the row of id `i` is allowed if `flags[i]` is.
    ///
    /// # Errors
    /// [`Error::FilterLength`] if there is not one flag for each id from 0 to the largest; [`Error::NegativeIds`].
    pub(crate) fn of_flags(&self, flags: &[bool]) -> Result<RowBitmap> {
        self.check(FilterUnit::Ids, self.flags, flags.len())?;
        let ids = (0_i64..).zip(flags).filter(|&(_, &flag)| flag);
        Ok(RowBitmap::of_rows(self.rows, ids.filter_map(|(id, _)| self.row_of(id))))
    }

    /// Allow the rows whose id has a bit: that of id `i` is bit `i % 8`, from the lowest on, of byte `i / 8`.
    ///
    /// # Errors
    /// [`Error::FilterLength`] if there is not one bit for each id from 0 to the largest; [`Error::NegativeIds`].
    pub(crate) fn of_bits(&self, bytes: &[u8]) -> Result<RowBitmap> {
        self.check(FilterUnit::Bytes, self.flags.div_ceil(8), bytes.len())?;
        let ids = (0_i64..).step_by(8).zip(bytes).filter(|&(_, &byte)| byte != 0);
        let ids = ids.flat_map(|(first, &byte)| bits(u32::from(byte)).map(move |bit| first + bit as i64));
        Ok(RowBitmap::of_rows(self.rows, ids.filter_map(|id| self.row_of(id))))
    }

    fn check(&self, by: FilterUnit, expected: usize, got: usize) -> Result<()> {
        if self.smallest < 0 {
            return Err(Error::NegativeIds { id: self.smallest });
        }
        if got == expected { Ok(()) } else { Err(Error::FilterLength { by, expected, got }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_flags_and_bits_give_the_same_bitmap(
            flags in prop::collection::vec(any::<bool>(), 0..200),
            step in prop_oneof![Just(1_usize), Just(40)],
        ) {
            let n = flags.len();
            let ids: Vec<i64> = (0..n as i64).rev().map(|id| id * step as i64).collect();
            let mut by_id = vec![false; if n == 0 { 0 } else { (n - 1) * step + 1 }];
            flags.iter().enumerate().for_each(|(index, &flag)| if flag { by_id[index * step] = true });
            let mut bytes = vec![0_u8; by_id.len().div_ceil(8)];
            by_id.iter().enumerate().for_each(|(id, &flag)| bytes[id / 8] |= u8::from(flag) << (id % 8));
            let allowed: Vec<i64> =
                ids.iter().copied().filter(|&id| by_id[id as usize]).chain([-7, 99_999, 0].into_iter().take(2)).collect();
            let row_ids = RowIds::new(&ids);
            let bitmap = row_ids.of_flags(&by_id).unwrap();
            prop_assert_eq!(&bitmap, &RowBitmap::new(n, |row| by_id[ids[row] as usize]));
            prop_assert_eq!(&bitmap, &row_ids.of_ids(&allowed));
            prop_assert_eq!(&bitmap, &row_ids.of_bits(&bytes).unwrap());
        }
    }

    #[test]
    fn extreme_ids_are_found() {
        let row_ids = RowIds::new(&[i64::MAX, i64::MIN, 0]);
        assert_eq!(row_ids.of_ids(&[i64::MIN, 5, i64::MAX]), RowBitmap::new(3, |row| row < 2));
        assert_eq!(RowIds::new(&[i64::MAX]).of_ids(&[i64::MIN, i64::MAX]).allowed(), 1);
    }

    #[test]
    fn flags_of_another_length_are_refused_and_the_error_counts_ids() {
        let error = RowIds::new(&[0, 5]).of_flags(&[true; 3]).unwrap_err();
        assert!(matches!(error, Error::FilterLength { by: FilterUnit::Ids, expected: 6, got: 3 }));
        assert!(
            error.to_string().contains("one flag for each of the 6 ids from 0 to the largest"),
            "{error}"
        );
        let error = RowIds::new(&[0, 8]).of_bits(&[1]).unwrap_err();
        assert!(matches!(error, Error::FilterLength { by: FilterUnit::Bytes, expected: 2, got: 1 }));
        assert!(matches!(RowIds::new(&[0, -5]).of_flags(&[true]), Err(Error::NegativeIds { id: -5 })));
        assert_eq!(RowIds::new(&[]).of_flags(&[]).unwrap().allowed(), 0);
    }
}
