//! The largest of some scores, and the largest few.

/// Scores that are compared side by side.
const LANES: usize = 16;

/// Place and value of the largest score; of equal ones the first. (0, -∞) if there is none.
pub fn largest(scores: &[f32]) -> (usize, f32) {
    let (most, rest) = lanes(scores);
    let most = most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    (scores.iter().position(|&score| score == most).unwrap_or(0), most)
}

/// Places of the `count` largest scores, in no order, into `places`; all of them if there are not so many. Of equal ones
/// the first.
pub fn largest_few(scores: &[f32], count: usize, places: &mut Vec<u32>) {
    /// Scores of which the largest is compared first.
    const GLANCE: usize = 16;
    places.clear();
    let least = floor(scores, count);
    for (group, scores) in scores.chunks(GLANCE).enumerate() {
        if scores.iter().fold(false, |any, &score| any | (score >= least)) {
            let first = (group * GLANCE) as u32;
            places
                .extend((first..).zip(scores).filter(|&(_, &score)| score >= least).map(|(place, _)| place));
        }
    }
    if places.len() > count {
        let worse = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
        places.select_nth_unstable_by(count - 1, worse);
        places.truncate(count);
    }
}

/// A score that `count` others reach at least: of the largest of each lane the one of that rank.
fn floor(scores: &[f32], count: usize) -> f32 {
    if !(1..=LANES).contains(&count) {
        return f32::NEG_INFINITY;
    }
    let (mut most, _) = lanes(scores);
    most.sort_unstable_by(|a, b| b.total_cmp(a));
    most[count - 1]
}

/// The largest of every sixteenth score, for each place among sixteen, and the last scores, which are fewer.
fn lanes(scores: &[f32]) -> ([f32; LANES], &[f32]) {
    let mut most = [f32::NEG_INFINITY; LANES];
    let (groups, rest) = scores.as_chunks::<LANES>();
    for scores in groups {
        most.iter_mut()
            .zip(scores)
            .for_each(|(most, &score)| *most = if score > *most { score } else { *most });
    }
    (most, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_largest_is_the_first_of_the_largest(scores in prop::collection::vec(-4_i8..4, 1..70)) {
            let scores: Vec<f32> = scores.iter().map(|&score| f32::from(score)).collect();
            let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let first = scores.iter().position(|&score| score == most).unwrap();
            prop_assert_eq!(largest(&scores), (first, most));
        }

        #[test]
        fn the_largest_few_are_those_of_a_sort(scores in prop::collection::vec(-20_i8..20, 0..90), count in 1_usize..20) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let mut order: Vec<u32> = (0..scores.len() as u32).collect();
            order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
            order.truncate(count);
            order.sort_unstable();
            let mut found = Vec::new();
            largest_few(&scores, count, &mut found);
            found.sort_unstable();
            prop_assert_eq!(found, order);
        }
    }
}
