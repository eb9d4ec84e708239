//! Rows that may be among the best k, when what is known of each score is off by no more than so much.

/// A row of which all parts of its score are known, one of them only roughly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contender {
    /// Row number.
    pub row: u32,
    /// Score of its list's mean.
    pub base: f64,
    /// What the tier adds to it.
    pub tier: f64,
    /// The whole score, roughly.
    pub rough: f32,
}

/// What float32 takes from two rough scores and two true ones, in parts of them.
const ROUNDING: f32 = 4.0 * f32::EPSILON;

/// Of rows with rough scores, shape (n,), leave only those that may be among the best `k` by their true ones.
///
/// A true score less the rough one differs by no more than `doubt` from row to row: so a row that lies farther below the
/// k-th by rough scores is beaten by k others, whatever the true ones are.
pub fn keep_contenders(rows: &mut Vec<Contender>, k: usize, doubt: f32) {
    if k == 0 || k >= rows.len() {
        return;
    }
    let (_, last, _) = rows.select_nth_unstable_by(k - 1, |a, b| b.rough.total_cmp(&a.rough));
    let least = last.rough - doubt - ROUNDING * last.rough.abs();
    rows.retain(|row| row.rough >= least);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contender(row: usize, rough: f32) -> Contender {
        Contender { row: row as u32, base: 0.0, tier: 0.0, rough }
    }

    proptest! {
        #[test]
        fn none_of_the_best_is_left_out(
            scores in prop::collection::vec((-40_i16..40, -5_i16..=5), 0..200),
            shift in -9_i16..9,
            k in 0_usize..60,
        ) {
            let rough = scores.iter().enumerate().map(|(row, &(rough, _))| contender(row, f32::from(rough)));
            let mut kept: Vec<Contender> = rough.collect();
            keep_contenders(&mut kept, k, 10.0);
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by_key(|&row| -(scores[row].0 + scores[row].1 + shift));
            for &row in order.iter().take(k) {
                prop_assert!(kept.iter().any(|kept| kept.row as usize == row), "{row} of {order:?}");
            }
        }
    }

    #[test]
    fn rows_that_lie_too_far_below_are_left_out() {
        let mut rows: Vec<Contender> = (0..100).rev().map(|row| contender(row, -(row as f32))).collect();
        keep_contenders(&mut rows, 3, 4.0);
        rows.sort_unstable_by_key(|row| row.row);
        assert_eq!(rows.iter().map(|row| row.row).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    }
}
