//! Reservoirs: the best k of a stream, without a heap.
//!
//! A reservoir appends every item that beats its threshold. When it is full it selects the best k in linear time
//! (quickselect), drops the others, and raises the threshold to the k-th best. After a few compactions nearly every item
//! fails one comparison with the threshold, which is what makes a scan fast.
//!
//! [`Reservoir`] is generic over the item and its order. Three front ends add a threshold of their own: [`TopK`] (rows by
//! score, ties by row), [`TopKById`] (rows by score, ties by id) and [`CandidateReservoir`] (rows by integer score, with
//! the probe that found them).

use std::cmp::Ordering;

use crate::topk::packed_ids::RowIdSlice;

/// A row and its score; higher is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Row number.
    pub row: u32,
    /// Score; higher is better.
    pub score: f32,
}

/// The best items of a stream, reusable from query to query.
#[derive(Clone, Debug)]
pub struct Reservoir<T, const SLACK: usize> {
    size: usize,
    items: Vec<T>,
}

// Not derived: that would ask for `T: Default`.
impl<T, const SLACK: usize> Default for Reservoir<T, SLACK> {
    fn default() -> Self {
        Self { size: 0, items: Vec::new() }
    }
}

impl<T: Copy, const SLACK: usize> Reservoir<T, SLACK> {
    /// Forget all items and keep the best `size` from now on.
    pub fn reset(&mut self, size: usize) {
        self.size = size;
        self.items.clear();
    }

    /// Append an item. Returns the worst item kept, as the new threshold, if that made the reservoir compact itself.
    ///
    /// The reservoir holds up to `size + max(size, SLACK)` items. `order` sorts better items first.
    #[inline]
    fn push(&mut self, item: T, order: impl Fn(&T, &T) -> Ordering) -> Option<T> {
        self.items.push(item);
        if self.items.len() >= self.size + self.size.max(SLACK) { self.compact(order) } else { None }
    }

    // Rare once the threshold has risen; kept out of the scan's loop.
    #[cold]
    fn compact(&mut self, order: impl Fn(&T, &T) -> Ordering) -> Option<T> {
        let (_, &mut worst, _) = self.items.select_nth_unstable_by(self.size.checked_sub(1)?, order);
        self.items.truncate(self.size);
        Some(worst)
    }

    /// Return the best `size` items, best first.
    fn sorted(&mut self, order: impl Fn(&T, &T) -> Ordering) -> &[T] {
        self.items.sort_unstable_by(order);
        self.items.truncate(self.size);
        &self.items
    }
}

/// The best `k` hits, ties by lower row. The best k are a prefix of the best k + n.
#[derive(Clone, Debug)]
pub struct TopK {
    /// Keys that order as (score, then lower row): integers are cheap to compare and never equal.
    keys: Reservoir<u64, 32>,
    /// Key that an item must beat: the k-th best at the last compaction, 0 before.
    threshold: u64,
    threshold_score: f32,
}

impl TopK {
    /// Collect the best `k`. Allocates for about 2k items, as they come.
    pub fn new(k: usize) -> Self {
        let mut keys = Reservoir::default();
        keys.reset(k);
        let threshold_score = if k == 0 { f32::INFINITY } else { f32::NEG_INFINITY };
        Self { keys, threshold: 0, threshold_score }
    }

    /// Whether a row of this score may be among the best k; if not, it need not be pushed.
    #[inline]
    pub fn admits(&self, score: f32) -> bool {
        score >= self.threshold_score
    }

    /// Push a row; `score` must not be NaN nor -0 (see [`crate::quantizer::sq8::to_score_f32`]).
    #[inline]
    pub fn push(&mut self, row: u32, score: f32) {
        if self.admits(score) {
            self.push_key(key_of(row, score));
        }
    }

    /// Return the best k, best first.
    pub fn into_hits(mut self) -> Vec<Hit> {
        self.keys.sorted(|a, b| b.cmp(a)).iter().copied().map(hit_of).collect()
    }

    // Rare once the threshold has risen; kept out of the scan's loop.
    #[cold]
    fn push_key(&mut self, key: u64) {
        if key > self.threshold
            && self.keys.size > 0
            && let Some(worst) = self.keys.push(key, |a, b| b.cmp(a))
        {
            self.threshold = worst;
            self.threshold_score = hit_of(worst).score;
        }
    }
}

/// Pack a hit into one integer that orders as (score, then lower row).
fn key_of(row: u32, score: f32) -> u64 {
    let bits = score.to_bits();
    // The bits of positive floats order as the floats do, those of negative floats in reverse.
    let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    u64::from(ordered) << 32 | u64::from(!row)
}

fn hit_of(key: u64) -> Hit {
    let ordered = (key >> 32) as u32;
    let bits = if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered };
    Hit { row: !(key as u32), score: f32::from_bits(bits) }
}

/// The best `k` hits, ties by lower id. The best k are a prefix of the best k + n.
#[derive(Clone, Debug, Default)]
pub struct TopKById {
    hits: Reservoir<Hit, 32>,
    threshold: Option<Hit>,
}

impl TopKById {
    /// Forget all hits and keep the best `k` from now on.
    pub fn reset(&mut self, k: usize) {
        self.hits.reset(k);
        self.threshold = None;
    }

    /// Push a row; `score` must not be NaN nor -0, and `ids` holds the id of every row.
    #[inline]
    pub fn push(&mut self, hit: Hit, ids: RowIdSlice<'_>) {
        let is_beaten = |threshold: Hit| !is_before(&hit, &threshold, ids);
        if self.hits.size == 0 || self.threshold.is_some_and(is_beaten) {
            return;
        }
        if let Some(worst) = self.hits.push(hit, |a, b| order_by_id(a, b, ids)) {
            self.threshold = Some(worst);
        }
    }

    /// Return the best k, best first.
    pub fn sorted(&mut self, ids: RowIdSlice<'_>) -> &[Hit] {
        self.hits.sorted(|a, b| order_by_id(a, b, ids))
    }
}

fn is_before(a: &Hit, b: &Hit, ids: RowIdSlice<'_>) -> bool {
    a.score > b.score || (a.score == b.score && order_by_id(a, b, ids).is_lt())
}

/// Higher score first, then lower id, which is read only for equal scores; then lower row, should ids repeat.
fn order_by_id(a: &Hit, b: &Hit, ids: RowIdSlice<'_>) -> Ordering {
    let id = |hit: &Hit| ids.get(hit.row as usize);
    b.score.total_cmp(&a.score).then_with(|| id(a).cmp(&id(b))).then(a.row.cmp(&b.row))
}

/// A row or list that a scan found, with its integer score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Orders as (score, then lower row).
    key: u64,
    /// The probe that found it: the position of its list among the lists probed.
    pub probe: u32,
}

const SIGN: u32 = 1 << 31;

impl Candidate {
    /// Row number.
    pub fn row(&self) -> u32 {
        !(self.key as u32)
    }

    /// Score in LUT units.
    pub fn score(&self) -> i32 {
        score_of(self.key)
    }
}

fn score_of(key: u64) -> i32 {
    ((key >> 32) as u32 ^ SIGN).cast_signed()
}

/// The best candidates of a scan: the shortlist that is reranked. They do not depend on the order in which rows are pushed.
#[derive(Clone, Debug, Default)]
pub struct CandidateReservoir {
    candidates: Reservoir<Candidate, 256>,
    /// Key that a candidate must beat: that of the worst one kept at the last compaction, 0 before.
    threshold_key: u64,
    /// The best scores so far, rising; the least one for those that are missing. None if they are not tracked.
    best_scores: Vec<i32>,
}

impl CandidateReservoir {
    /// Forget all candidates and keep the best `size`, at least 1, from now on.
    pub fn reset(&mut self, size: usize) {
        self.candidates.reset(size.max(1));
        self.threshold_key = 0;
        self.best_scores.clear();
    }

    /// After a reset, track the best `count` scores, at most `size`.
    pub fn track_best(&mut self, count: usize) {
        self.best_scores.resize(count, i32::MIN);
    }

    /// The worst of the best scores that are tracked; the least one if there are fewer, or none are tracked.
    #[inline]
    pub fn tracked_score(&self) -> i32 {
        self.best_scores.first().copied().unwrap_or(i32::MIN)
    }

    #[inline]
    fn insert_best_score(&mut self, score: i32) {
        let mut index = 0;
        while index + 1 < self.best_scores.len() && self.best_scores[index + 1] < score {
            self.best_scores[index] = self.best_scores[index + 1];
            index += 1;
        }
        self.best_scores[index] = score;
    }

    /// The lowest score that may be admitted.
    #[inline]
    pub fn threshold(&self) -> i32 {
        score_of(self.threshold_key)
    }

    /// Push a row that `probe` found.
    #[inline]
    pub fn push(&mut self, score: i32, row: u32, probe: u32) {
        let key = u64::from(score.cast_unsigned() ^ SIGN) << 32 | u64::from(!row);
        if key < self.threshold_key {
            return;
        }
        if self.best_scores.first().is_some_and(|&worst| score > worst) {
            self.insert_best_score(score);
        }
        if let Some(worst) = self.candidates.push(Candidate { key, probe }, best_first) {
            self.threshold_key = worst.key;
        }
    }

    /// Return the best `size`, in no order.
    pub fn best(&mut self) -> &[Candidate] {
        if self.candidates.items.len() > self.candidates.size
            && let Some(worst) = self.candidates.compact(best_first)
        {
            self.threshold_key = worst.key;
        }
        &self.candidates.items
    }

    /// Return the best `size`, best first.
    pub fn sorted(&mut self) -> &[Candidate] {
        self.best();
        self.candidates.sorted(best_first)
    }
}

fn best_first(a: &Candidate, b: &Candidate) -> Ordering {
    b.key.cmp(&a.key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best(scores: &[f32], k: usize) -> Vec<Hit> {
        let mut top = TopK::new(k);
        for (row, &score) in scores.iter().enumerate() {
            top.push(row as u32, score);
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
    fn top_k_breaks_ties_by_lower_row_in_any_push_order() {
        let mut top = TopK::new(2);
        for row in (0..100).rev() {
            top.push(row, 1.0);
        }
        assert_eq!(top.into_hits(), [Hit { row: 0, score: 1.0 }, Hit { row: 1, score: 1.0 }]);
    }

    #[test]
    fn top_0_is_empty() {
        assert!(best(&[1.0, f32::INFINITY], 0).is_empty());
    }

    #[test]
    fn top_k_accepts_infinite_scores_and_the_largest_row() {
        let mut top = TopK::new(3);
        top.push(u32::MAX, f32::NEG_INFINITY);
        top.push(7, f32::INFINITY);
        let rows: Vec<u32> = top.into_hits().iter().map(|hit| hit.row).collect();
        assert_eq!(rows, [7, u32::MAX]);
    }

    #[test]
    fn equal_candidates_do_not_refill_the_reservoir() {
        let mut reservoir = CandidateReservoir::default();
        reservoir.reset(10);
        for row in 0..100_000 {
            reservoir.push(5, row, 0);
        }
        assert_eq!((reservoir.threshold(), reservoir.candidates.items.len()), (5, 10));
        let mut rows: Vec<u32> = reservoir.best().iter().map(Candidate::row).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..10).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn top_k_agrees_with_a_full_sort(
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

        #[test]
        fn top_k_by_id_agrees_with_a_full_sort(
            rows in prop::collection::vec((-5_i8..5, 0_i64..50), 0..300),
            k in 0_usize..60,
        ) {
            let ids: Vec<i64> = rows.iter().map(|&(_, id)| id).collect();
            let (mut top, stored) = (TopKById::default(), RowIdSlice::Int64(&ids));
            top.reset(k);
            for (row, &(score, _)) in rows.iter().enumerate() {
                top.push(Hit { row: row as u32, score: f32::from(score) }, stored);
            }
            let mut expected: Vec<(i8, i64, u32)> =
                rows.iter().enumerate().map(|(row, &(score, id))| (-score, id, row as u32)).collect();
            expected.sort_unstable();
            let found: Vec<u32> = top.sorted(stored).iter().map(|hit| hit.row).collect();
            let expected: Vec<u32> = expected.into_iter().take(k).map(|(_, _, row)| row).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn the_candidate_reservoir_agrees_with_a_full_sort(
            scores in prop::collection::vec(prop_oneof![-40..40, any::<i32>()], 0..1500),
            size in 1_usize..400,
            tracked in 1_usize..40,
        ) {
            let mut reservoir = CandidateReservoir::default();
            reservoir.reset(size);
            reservoir.track_best(tracked);
            for (row, &score) in scores.iter().enumerate() {
                reservoir.push(score, row as u32, row as u32 + 1);
            }
            let found = reservoir.best().to_vec();
            let mut backwards = CandidateReservoir::default();
            backwards.reset(size);
            for (row, &score) in scores.iter().enumerate().rev() {
                backwards.push(score, row as u32, row as u32 + 1);
            }
            prop_assert_eq!(backwards.sorted().to_vec(), reservoir.clone().sorted().to_vec());
            for candidate in &found {
                prop_assert_eq!(candidate.score(), scores[candidate.row() as usize]);
                prop_assert_eq!(candidate.probe, candidate.row() + 1);
            }
            if size >= tracked {
                let mut best = scores.clone();
                best.sort_unstable_by(|a, b| b.cmp(a));
                let worst = best.get(tracked - 1).copied().unwrap_or(i32::MIN);
                prop_assert_eq!(reservoir.tracked_score(), worst);
            }
            let ordered: Vec<i32> = reservoir.sorted().iter().map(Candidate::score).collect();
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
}
