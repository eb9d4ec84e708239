//! True neighbours among all rows, without comparing every row exactly: by int8 codes most are seen to be too far.
//!
//! The product of codes tells that of a row and a query to within a bound (Cauchy and Schwarz: the length of the one times
//! what rounding took from the other). Ten rows of a sample are known to score so and so much; a row that cannot score as
//! much is none of the ten best. The others are scored exactly, so what is found is what would be without codes.

use std::cmp::Ordering;
use std::ops::Range;

use crate::build::trial::{Best, NEIGHBOURS, Trial};
use crate::math::linalg::dot;
use crate::vectors::cross::{Coded, Crosser, Panels};

/// What sums in float32 may be off, in products of the lengths of both sides: 16 sums side by side of at most 4096
/// values round 272 times at most, each by 6e-8.
const SLACK: f32 = 1e-4;

/// Queries whose bounds are compared at once.
const GLANCE: usize = 16;

/// Held-out queries and the scores that a neighbour must reach.
#[derive(Debug)]
pub(crate) struct Screen<'a> {
    trial: &'a Trial,
    crosser: Crosser,
    queries: Panels,
    bounds: Vec<Bound>,
    /// Length of the middle.
    middle: f32,
    /// Half the root of the number of dimensions: rounding takes so many steps of a row at most.
    half_root: f32,
}

/// How a query is compared with a row.
#[derive(Clone, Copy, Debug)]
struct Bound {
    /// Step of its codes.
    scale: f32,
    /// Its length.
    length: f32,
    /// What rounding took from it, at most.
    lost: f32,
    /// What a row must score from the middle.
    least: f32,
}

impl<'a> Screen<'a> {
    /// For rows coded around `middle`, shape (dim,), of which some are known to be `known` for each query.
    pub(crate) fn new(trial: &'a Trial, middle: &[f32], known: &Best) -> Self {
        let coded = Coded::new(&trial.held_out, trial.dim());
        let half_root = (trial.dim() as f32).sqrt() / 2.0;
        let length = |values: &[f32]| dot(values, values).sqrt();
        let bound = |((query, &scale), floor): ((&[f32], &f32), f32)| {
            // The score of the middle is rounded, too.
            let off = dot(query, middle) + SLACK * length(query) * length(middle);
            Bound { scale, length: length(query), lost: scale * half_root, least: floor - off }
        };
        let floors = known.floors(NEIGHBOURS);
        let bounds =
            trial.held_out.chunks_exact(trial.dim()).zip(coded.scales()).zip(floors).map(bound).collect();
        let (crosser, queries) = (Crosser::fastest(), Panels::new(&coded));
        Self { trial, crosser, queries, bounds, middle: length(middle), half_root }
    }

    /// The best of the rows numbered `numbers`, whose values are `rows` and whose codes around the middle are `coded`, for
    /// each held-out query: of those that may be among the ten best of all rows.
    pub(crate) fn best(&self, rows: &[f32], coded: &Coded, numbers: Range<u32>) -> Best {
        let mut best = Best::new(self.trial.len(), NEIGHBOURS);
        let dim = self.trial.dim();
        self.crosser.products(coded, 0..coded.len(), &self.queries, |row, products| {
            let reach = self.reach(coded, row);
            let groups = products.chunks(GLANCE).zip(self.bounds.chunks(GLANCE));
            for (group, (products, bounds)) in groups.enumerate() {
                let pairs = || products.iter().zip(bounds);
                if pairs().fold(false, |any, (&product, bound)| any | reach.may_reach(product, bound)) {
                    for (place, _) in
                        pairs().enumerate().filter(|(_, (product, bound))| reach.may_reach(**product, bound))
                    {
                        let query = group * GLANCE + place;
                        let score =
                            dot(&self.trial.held_out[query * dim..][..dim], &rows[row * dim..][..dim]);
                        best.offer_one(query, numbers.start + row as u32, score);
                    }
                }
            }
        });
        best
    }

    fn reach(&self, coded: &Coded, row: usize) -> Reach {
        let scale = coded.scales()[row];
        let squares: i32 = coded.codes(row).iter().map(|&code| i32::from(code) * i32::from(code)).sum();
        let (length, lost) = (scale * (squares as f32).sqrt(), scale * self.half_root);
        Reach { scale, length, lost: lost + SLACK * (length + lost + self.middle) }
    }
}

/// How a row is compared with queries.
#[derive(Clone, Copy)]
struct Reach {
    scale: f32,
    /// Length of what its codes stand for.
    length: f32,
    /// What rounding took from it, at most.
    lost: f32,
}

impl Reach {
    /// Whether the score from the middle may be what it must be. Numbers that are not finite are looked at.
    #[inline(always)]
    fn may_reach(self, product: i32, bound: &Bound) -> bool {
        let most =
            product as f32 * (self.scale * bound.scale) + bound.length * self.lost + bound.lost * self.length;
        most.partial_cmp(&bound.least) != Some(Ordering::Less)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::math::random::Random;
    use crate::vectors::rows::{Rows, Values};

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn the_best_are_those_of_all_rows(seed: u64, dim in 1_usize..40, spread in -4_i32..5, away in 0_f32..20.0) {
            let mut random = Random::new(seed, 0);
            let wide = |at: usize| if at.is_multiple_of(dim) { 2_f32.powi(spread) } else { 1.0 };
            let values: Vec<f32> = (0..150 * dim).map(|at| away + wide(at) * random.normal()).collect();
            let trial = Trial::new(&Rows::new(Values::Single(&values), dim).unwrap(), None, seed).unwrap();
            let middle = vec![away; dim];
            let known = trial.best(&values[..40 * dim], 0..40);
            let screen = Screen::new(&trial, &middle, &known);
            let found = screen.best(&values, &Coded::around(&middle, &values), 0..150);
            let found = Best::merge(vec![found], trial.len(), NEIGHBOURS);
            let mut plain = Best::new(trial.len(), NEIGHBOURS);
            for (query, asked) in trial.held_out.chunks_exact(dim).enumerate() {
                for (row, values) in values.chunks_exact(dim).enumerate() {
                    plain.offer_one(query, row as u32, dot(asked, values));
                }
            }
            prop_assert_eq!(found, Best::merge(vec![plain], trial.len(), NEIGHBOURS));
        }
    }

    #[test]
    fn most_rows_are_left_out() {
        let mut random = Random::new(2, 0);
        let values: Vec<f32> = (0..4000 * 32).map(|_| random.normal()).collect();
        let trial = Trial::new(&Rows::new(Values::Single(&values), 32).unwrap(), None, 0).unwrap();
        let screen = Screen::new(&trial, &[0.0; 32], &trial.best(&values, 0..4000));
        let coded = Coded::new(&values, 32);
        let mut looked_at = 0;
        screen.crosser.products(&coded, 0..coded.len(), &screen.queries, |row, products| {
            let reach = screen.reach(&coded, row);
            looked_at += products
                .iter()
                .zip(&screen.bounds)
                .filter(|(product, bound)| reach.may_reach(**product, bound))
                .count();
        });
        assert!((10 * trial.len()..30 * trial.len()).contains(&looked_at), "{looked_at} for {}", trial.len());
    }
}
