//! The best k rows by score, ties by lower id.

use crate::hits::topk::Hit;

/// Fewest hits taken in beyond k before thinning.
const SLACK: usize = 32;

/// Collects the best `k` hits; the best k are a prefix of the best k + n. Reusable from query to query.
#[derive(Clone, Debug, Default)]
pub struct Best {
    k: usize,
    hits: Vec<Hit>,
    floor: Option<Hit>,
}

impl Best {
    /// Begin anew with room for the best `k`.
    pub fn begin(&mut self, k: usize) {
        self.k = k;
        self.hits.clear();
        self.floor = None;
    }

    /// Offer a row; `score` must not be NaN nor -0, and `ids` holds the id of every row.
    #[inline]
    pub fn offer(&mut self, hit: Hit, ids: &[i64]) {
        if self.k == 0 || self.floor.is_some_and(|floor| !is_before(&hit, &floor, ids)) {
            return;
        }
        self.hits.push(hit);
        if self.hits.len() >= self.k + self.k.max(SLACK) {
            self.thin(ids);
        }
    }

    /// The best k offered, best first.
    pub fn sorted(&mut self, ids: &[i64]) -> &[Hit] {
        self.hits.sort_unstable_by(|a, b| order(a, b, ids));
        self.hits.truncate(self.k);
        &self.hits
    }

    #[cold]
    fn thin(&mut self, ids: &[i64]) {
        let (_, last, _) = self.hits.select_nth_unstable_by(self.k - 1, |a, b| order(a, b, ids));
        self.floor = Some(*last);
        self.hits.truncate(self.k);
    }
}

fn is_before(a: &Hit, b: &Hit, ids: &[i64]) -> bool {
    a.score > b.score || (a.score == b.score && order(a, b, ids).is_lt())
}

/// Higher score first, then lower id, which is read only for equal scores; then lower row, should ids repeat.
fn order(a: &Hit, b: &Hit, ids: &[i64]) -> std::cmp::Ordering {
    let id = |hit: &Hit| ids[hit.row as usize];
    b.score.total_cmp(&a.score).then_with(|| id(a).cmp(&id(b))).then(a.row.cmp(&b.row))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_best_k_are_those_of_a_sort(
            rows in prop::collection::vec((-5_i8..5, 0_i64..50), 0..300),
            k in 0_usize..60,
        ) {
            let ids: Vec<i64> = rows.iter().map(|&(_, id)| id).collect();
            let mut best = Best::default();
            best.begin(k);
            for (row, &(score, _)) in rows.iter().enumerate() {
                best.offer(Hit { row: row as u32, score: f32::from(score) }, &ids);
            }
            let mut expected: Vec<(i8, i64, u32)> =
                rows.iter().enumerate().map(|(row, &(score, id))| (-score, id, row as u32)).collect();
            expected.sort_unstable();
            let found: Vec<u32> = best.sorted(&ids).iter().map(|hit| hit.row).collect();
            let expected: Vec<u32> = expected.into_iter().take(k).map(|(_, _, row)| row).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
