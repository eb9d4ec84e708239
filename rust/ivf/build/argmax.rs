//! Argmax and top-k indices of short score arrays.

/// Scores that are compared at once.
const LANES: usize = 16;

/// Return index and value of the largest score; of equal ones the first. (0, -∞) if there is none.
pub(super) fn argmax(scores: &[f32]) -> (usize, f32) {
    let (maxima, tail) = lane_maxima(scores);
    let max = maxima.iter().chain(tail).copied().fold(f32::NEG_INFINITY, f32::max);
    (scores.iter().position(|&score| score == max).unwrap_or(0), max)
}

/// Write the indices of the `count` largest scores, in no order, to `indices`; all of them if there are fewer. Of equal
/// scores the first.
pub(super) fn top_k_indices(scores: &[f32], count: usize, indices: &mut Vec<u32>) {
    /// Scores that are compared with the threshold before any is looked at singly.
    const CHUNK: usize = 16;
    indices.clear();
    let threshold = lower_bound(scores, count);
    for (chunk, scores) in scores.chunks(CHUNK).enumerate() {
        if scores.iter().fold(false, |any, &score| any | (score >= threshold)) {
            let first = (chunk * CHUNK) as u32;
            let reached = (first..).zip(scores).filter(|&(_, &score)| score >= threshold);
            indices.extend(reached.map(|(index, _)| index));
        }
    }
    if indices.len() > count {
        let better = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
        indices.select_nth_unstable_by(count - 1, better);
        indices.truncate(count);
    }
}

/// Return a score that at least `count` scores reach: the count-th largest of the lanes' maxima.
fn lower_bound(scores: &[f32], count: usize) -> f32 {
    if !(1..=LANES).contains(&count) {
        return f32::NEG_INFINITY;
    }
    let (mut maxima, _) = lane_maxima(scores);
    maxima.sort_unstable_by(|a, b| b.total_cmp(a));
    maxima[count - 1]
}

/// Return the maximum of every sixteenth score, for each of sixteen lanes, and the tail of fewer than sixteen scores.
fn lane_maxima(scores: &[f32]) -> ([f32; LANES], &[f32]) {
    let mut maxima = [f32::NEG_INFINITY; LANES];
    let (groups, tail) = scores.as_chunks::<LANES>();
    for scores in groups {
        maxima
            .iter_mut()
            .zip(scores)
            .for_each(|(max, &score)| *max = if score > *max { score } else { *max });
    }
    (maxima, tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn argmax_returns_the_first_maximum(scores in prop::collection::vec(-4_i8..4, 1..70)) {
            let scores: Vec<f32> = scores.iter().map(|&score| f32::from(score)).collect();
            let maxima = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let first = scores.iter().position(|&score| score == maxima).unwrap();
            prop_assert_eq!(argmax(&scores), (first, maxima));
        }

        #[test]
        fn top_k_indices_agree_with_a_full_sort(scores in prop::collection::vec(-20_i8..20, 0..90), count in 1_usize..20) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let mut order: Vec<u32> = (0..scores.len() as u32).collect();
            order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
            order.truncate(count);
            order.sort_unstable();
            let mut found = Vec::new();
            top_k_indices(&scores, count, &mut found);
            found.sort_unstable();
            prop_assert_eq!(found, order);
        }
    }
}
