//! The best k of a stream of scored rows, without a heap: keep what beats the k-th best, and thin out now and
//! then.

/// A row and its score; higher is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Row number in the shard.
    pub row: u32,
    /// Score; higher is better.
    pub score: f32,
}

/// Fewest candidates taken in beyond k before the buffer is thinned, so that a small k does not thin at every
/// row.
const SLACK: usize = 32;

/// Collects the best `k` hits. Ties go to the lower row, so the best k are a prefix of the best k + n.
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    keys: Vec<u64>,
    /// Key that a candidate must beat; 0 until k candidates are known, then the k-th best key seen at the
    /// last thinning.
    floor: u64,
    floor_score: f32,
}

impl TopK {
    /// Collect the best `k`. Memory is for about 2k candidates, taken as they come.
    pub fn new(k: usize) -> Self {
        let floor_score = if k == 0 { f32::INFINITY } else { f32::NEG_INFINITY };
        Self { k, keys: Vec::new(), floor: 0, floor_score }
    }

    /// Whether a row of this score might be among the best k; if not, there is no need to offer it.
    #[inline]
    pub fn wants(&self, score: f32) -> bool {
        score >= self.floor_score
    }

    /// Offer a row; `score` must not be NaN nor -0 (see [`crate::Query::score`]).
    #[inline]
    pub fn offer(&mut self, row: u32, score: f32) {
        if self.wants(score) {
            self.admit(key_of(row, score));
        }
    }

    /// The best k offered, best first.
    pub fn into_hits(mut self) -> Vec<Hit> {
        self.keys.sort_unstable_by(|a, b| b.cmp(a));
        self.keys.truncate(self.k);
        self.keys.into_iter().map(hit_of).collect()
    }

    // Rare once the floor has risen; kept out of the scan's loop.
    #[cold]
    fn admit(&mut self, key: u64) {
        if key > self.floor && self.k > 0 {
            self.keys.push(key);
            if self.keys.len() >= self.k + self.k.max(SLACK) {
                self.thin();
            }
        }
    }

    fn thin(&mut self) {
        let (_, &mut last, _) = self.keys.select_nth_unstable_by(self.k - 1, |a, b| b.cmp(a));
        self.keys.truncate(self.k);
        self.floor = last;
        self.floor_score = hit_of(last).score;
    }
}

/// One integer that orders as (score, then lower row): sorting integers is cheap, and they have no ties.
fn key_of(row: u32, score: f32) -> u64 {
    let bits = score.to_bits();
    // Positive floats order as their bits do, negative ones in reverse.
    let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    u64::from(ordered) << 32 | u64::from(!row)
}

fn hit_of(key: u64) -> Hit {
    let ordered = (key >> 32) as u32;
    let bits = if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered };
    Hit { row: !(key as u32), score: f32::from_bits(bits) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best(scores: &[f32], k: usize) -> Vec<Hit> {
        let mut top = TopK::new(k);
        for (row, &score) in scores.iter().enumerate() {
            top.offer(row as u32, score);
        }
        top.into_hits()
    }

    fn sorted(scores: &[f32]) -> Vec<Hit> {
        let mut hits: Vec<Hit> =
            scores.iter().enumerate().map(|(row, &score)| Hit { row: row as u32, score }).collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
        hits
    }

    #[test]
    fn ties_go_to_the_lower_row_in_any_order_of_arrival() {
        let mut top = TopK::new(2);
        for row in (0..100).rev() {
            top.offer(row, 1.0);
        }
        assert_eq!(top.into_hits(), [Hit { row: 0, score: 1.0 }, Hit { row: 1, score: 1.0 }]);
    }

    #[test]
    fn nothing_is_kept_for_k_0() {
        assert!(best(&[1.0, f32::INFINITY], 0).is_empty());
    }

    #[test]
    fn infinite_scores_and_the_last_row_count() {
        let mut top = TopK::new(3);
        top.offer(u32::MAX, f32::NEG_INFINITY);
        top.offer(7, f32::INFINITY);
        let rows: Vec<u32> = top.into_hits().iter().map(|hit| hit.row).collect();
        assert_eq!(rows, [7, u32::MAX]);
    }

    proptest! {
        #[test]
        fn agrees_with_a_full_sort(
            scores in prop::collection::vec((-40_i32..40).prop_map(|n| n as f32 / 8.0), 0..500),
            k in 0_usize..120,
            n in 0_usize..50,
        ) {
            let all = sorted(&scores);
            let hits = best(&scores, k);
            prop_assert_eq!(&hits[..], &all[..k.min(all.len())]);
            prop_assert!(best(&scores, k + n).starts_with(&hits));
        }

        #[test]
        fn keys_round_trip(row: u32, score in prop::num::f32::ANY.prop_filter("not NaN", |s| !s.is_nan())) {
            prop_assert_eq!(hit_of(key_of(row, score)), Hit { row, score });
        }
    }
}
