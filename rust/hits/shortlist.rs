//! The best rows of a scan by their rough scores, without a heap: keep what beats the floor, thin out now and then.

/// A row or list that may be among the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Orders as (score, then lower row).
    key: u64,
    /// What the caller wants to remember with it.
    pub note: u32,
}

impl Candidate {
    /// Row number.
    pub fn row(&self) -> u32 {
        !(self.key as u32)
    }

    /// Rough score, in steps.
    pub fn score(&self) -> i32 {
        ((self.key >> 32) as u32 ^ SIGN).cast_signed()
    }
}

const SIGN: u32 = 1 << 31;

/// Fewest candidates taken in beyond the size before thinning.
const SLACK: usize = 256;

/// Collects the best `size` candidates. Reusable from query to query.
#[derive(Clone, Debug, Default)]
pub struct Shortlist {
    size: usize,
    kept: Vec<Candidate>,
    floor: i32,
}

impl Shortlist {
    /// Begin anew with room for the best `size`, at least 1.
    pub fn begin(&mut self, size: usize) {
        self.size = size.max(1);
        self.kept.clear();
        self.floor = i32::MIN;
    }

    /// The least score that still matters: every better candidate so far is kept.
    ///
    /// Once `size` are known it is one more than the least of them, so that a crowd of equal rows is not taken in.
    #[inline]
    pub fn floor(&self) -> i32 {
        self.floor
    }

    /// Offer a row of a score, with a note.
    #[inline]
    pub fn offer(&mut self, score: i32, row: u32, note: u32) {
        if score >= self.floor {
            let key = u64::from(score.cast_unsigned() ^ SIGN) << 32 | u64::from(!row);
            self.kept.push(Candidate { key, note });
            if self.kept.len() >= self.size + self.size.max(SLACK) {
                self.thin();
            }
        }
    }

    /// The best `size`, in no order.
    pub fn best(&mut self) -> &[Candidate] {
        if self.kept.len() > self.size {
            self.thin();
        }
        &self.kept
    }

    /// The best `size`, best first.
    pub fn sorted(&mut self) -> &[Candidate] {
        self.best();
        self.kept.sort_unstable_by_key(|candidate| std::cmp::Reverse(candidate.key));
        &self.kept
    }

    // Rare once the floor has risen; kept out of the scan's loop.
    #[cold]
    fn thin(&mut self) {
        let (_, last, _) = self.kept.select_nth_unstable_by(self.size - 1, |a, b| b.key.cmp(&a.key));
        self.floor = last.score().saturating_add(1);
        self.kept.truncate(self.size);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_best_scores_are_kept(
            scores in prop::collection::vec(prop_oneof![-40..40, any::<i32>()], 0..1500),
            size in 1_usize..400,
        ) {
            let mut shortlist = Shortlist::default();
            shortlist.begin(size);
            for (row, &score) in scores.iter().enumerate() {
                shortlist.offer(score, row as u32, row as u32 + 1);
            }
            let found = shortlist.best().to_vec();
            for candidate in &found {
                prop_assert_eq!(candidate.score(), scores[candidate.row() as usize]);
                prop_assert_eq!(candidate.note, candidate.row() + 1);
            }
            let ordered: Vec<i32> = shortlist.sorted().iter().map(Candidate::score).collect();
            let mut found: Vec<i32> = found.iter().map(Candidate::score).collect();
            let mut expected = scores;
            for list in [&mut found, &mut expected] {
                list.sort_unstable_by(|a, b| b.cmp(a));
            }
            expected.truncate(size);
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(ordered, expected);
        }
    }

    #[test]
    fn a_crowd_of_equals_is_not_taken_in() {
        let mut shortlist = Shortlist::default();
        shortlist.begin(10);
        for row in 0..100_000 {
            shortlist.offer(5, row, 0);
        }
        assert_eq!(shortlist.floor(), 6);
        let mut rows: Vec<u32> = shortlist.best().iter().map(Candidate::row).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..10).collect::<Vec<_>>());
    }
}
