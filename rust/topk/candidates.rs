//! Rerank candidates: keeps every candidate that can still be in the top k given an error bound on its score.

/// A row of which every part of the score is known, one of them only approximately.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RerankCandidate {
    /// Row number.
    pub row: u32,
    /// Score of its list's centroid.
    pub centroid_score: f64,
    /// Score of its refine code.
    pub refine_score: f64,
    /// The whole score, with the PQ residual's part from the 7-bit LUT.
    pub approx_score: f32,
}

/// Relative float32 rounding of two approximate and two true scores.
const ROUNDING: f32 = 4.0 * f32::EPSILON;

/// Drop the rows that cannot be among the best `k` by their true scores.
///
/// The error `true - approx` differs by at most `error_bound` from row to row. So a row that lies more than `error_bound`
/// below the k-th best approximate score is beaten by k others, whatever the true scores are.
pub fn prune_by_bound(candidates: &mut Vec<RerankCandidate>, k: usize, error_bound: f32) {
    if k == 0 || k >= candidates.len() {
        return;
    }
    let (_, kth, _) =
        candidates.select_nth_unstable_by(k - 1, |a, b| b.approx_score.total_cmp(&a.approx_score));
    let threshold = kth.approx_score - error_bound - ROUNDING * kth.approx_score.abs();
    candidates.retain(|candidate| candidate.approx_score >= threshold);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(row: usize, approx_score: f32) -> RerankCandidate {
        RerankCandidate { row: row as u32, centroid_score: 0.0, refine_score: 0.0, approx_score }
    }

    proptest! {
        #[test]
        fn pruning_keeps_the_top_k(
            scores in prop::collection::vec((-40_i16..40, -5_i16..=5), 0..200),
            shift in -9_i16..9,
            k in 0_usize..60,
        ) {
            let approx = scores.iter().enumerate().map(|(row, &(score, _))| candidate(row, f32::from(score)));
            let mut kept: Vec<RerankCandidate> = approx.collect();
            prune_by_bound(&mut kept, k, 10.0);
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by_key(|&row| -(scores[row].0 + scores[row].1 + shift));
            for &row in order.iter().take(k) {
                prop_assert!(kept.iter().any(|kept| kept.row as usize == row), "{row} of {order:?}");
            }
        }
    }

    #[test]
    fn pruning_drops_candidates_below_the_bound() {
        let mut candidates: Vec<RerankCandidate> =
            (0..100).rev().map(|row| candidate(row, -(row as f32))).collect();
        prune_by_bound(&mut candidates, 3, 4.0);
        candidates.sort_unstable_by_key(|candidate| candidate.row);
        assert_eq!(
            candidates.iter().map(|candidate| candidate.row).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4, 5, 6]
        );
    }
}
