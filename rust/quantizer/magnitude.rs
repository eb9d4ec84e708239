//! Powers of two that keep float32 arithmetic in range, whatever the scale of rows and queries.
//!
//! The score is an inner product, so rows times `a` and a query times `b` have the same order and scores times `a b`. But with
//! rows and query of 1e-25 the products are 1e-50, which float32 rounds to 0, and every row would tie. So a search multiplies
//! the query by a power of two that brings the products to about 1, and the scores by its inverse; a build does the same with
//! rows. A power of two changes no digit.

use crate::error::{Error, Result};
use crate::matrix::{RowsView, max_abs};
use crate::parallel::Interrupt;

/// Largest exponent of rows: float32 has 127, and products with the projection of a few thousand dimensions need the rest.
const MAX_EXPONENT: i32 = 112;

/// Smallest exponent of rows: float32 is accurate from -126 on, and the scales of refine codes are smaller by up to 2^14.
const MIN_EXPONENT: i32 = -112;

/// Magnitudes up to this exponent, and down to its negative, need no scaling: their fourth powers are far from the limits.
const ORDINARY_EXPONENT: i32 = 20;

/// Largest exponent of a scaled query, so that neither its scale nor its products overflow or are subnormal.
const MAX_QUERY_EXPONENT: i32 = 100;

/// Return the exponent of the largest power of two that is at most `magnitude`; 0 for 0.
pub fn exponent_of(magnitude: f32) -> i32 {
    if magnitude == 0.0 {
        return 0;
    }
    // As float64 no float32 is subnormal.
    let bits = f64::from(magnitude).to_bits();
    (bits >> 52 & 0x7ff) as i32 - 1023
}

/// Return `2^exponent`.
pub fn power_of_two(exponent: i32) -> f64 {
    2_f64.powi(exponent)
}

/// Return the rows multiplied by a power of two, so that their squares are in the range of float32, and the factor that undoes
/// it: 1 for rows of an ordinary magnitude.
///
/// # Errors
/// [`Error::MagnitudeRange`], [`Error::NotFinite`] or [`Error::Stopped`].
pub fn ordinary_rows<'a>(rows: &RowsView<'a>, interrupt: Interrupt<'_>) -> Result<(RowsView<'a>, f32)> {
    let magnitude = rows.magnitude(interrupt)?;
    let exponent = exponent_of(magnitude);
    check_range(magnitude, power_of_two(MAX_EXPONENT) as f32)?;
    if exponent.abs() <= ORDINARY_EXPONENT {
        return Ok((*rows, 1.0));
    }
    Ok((rows.scaled(power_of_two(-exponent)), power_of_two(exponent) as f32))
}

/// Check that the largest magnitude of rows is 0 or large enough for the scales of their codes, and at most `max`.
///
/// # Errors
/// [`Error::MagnitudeRange`].
pub fn check_range(magnitude: f32, max: f32) -> Result<()> {
    let min = power_of_two(MIN_EXPONENT) as f32;
    if magnitude == 0.0 || (min..=max).contains(&magnitude) {
        return Ok(());
    }
    Err(Error::MagnitudeRange { min, max, got: magnitude })
}

/// A query multiplied by a power of two, so that its products with rows are near 1.
#[derive(Clone, Debug)]
pub struct ScaledQuery {
    scaled: Vec<f32>,
    /// What scores of the scaled query are multiplied by.
    unit: f64,
}

impl Default for ScaledQuery {
    fn default() -> Self {
        Self { scaled: Vec::new(), unit: 1.0 }
    }
}

impl ScaledQuery {
    /// Scale a query of finite values for rows whose magnitude has `rows_exponent`, in the memory of this one, and return it. A
    /// query of an ordinary magnitude is returned as it is.
    pub fn scale<'a>(&'a mut self, query: &'a [f32], rows_exponent: i32) -> &'a [f32] {
        let exponent = exponent_of(max_abs(query));
        self.unit = 1.0;
        if exponent.abs() <= ORDINARY_EXPONENT && (exponent + rows_exponent).abs() <= 2 * ORDINARY_EXPONENT {
            return query;
        }
        let shift = (-rows_exponent).clamp(-MAX_QUERY_EXPONENT, MAX_QUERY_EXPONENT) - exponent;
        let factor = power_of_two(shift);
        self.unit = power_of_two(-shift);
        self.scaled.clear();
        self.scaled.extend(query.iter().map(|&value| (f64::from(value) * factor) as f32));
        &self.scaled
    }

    /// Return the score of the query itself from that of the scaled one; infinite if float32 cannot hold it.
    #[inline]
    pub fn score(&self, score: f32) -> f32 {
        if self.unit == 1.0 { score } else { (f64::from(score) * self.unit) as f32 + 0.0 }
    }
}

/// How far the length of a query may be from 1 for it to count as a unit vector: that of a float16 one is off by up to 5e-4.
pub const UNIT_QUERY_ERROR: f32 = 1e-3;

/// Return the length of a vector.
pub fn length(vector: &[f32]) -> f64 {
    vector.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt()
}

/// Return whether the length of a vector of finite values is 1, or off by at most `error`.
pub fn is_unit(vector: &[f32], error: f32) -> bool {
    (length(vector) - 1.0).abs() <= f64::from(error)
}

/// Return the score of a unit query and a row, at most 1 in magnitude if the row is a unit vector, too.
///
/// Rounding in the codes may bring it past 1 by up to `error`. A row whose length differs from 1 by more keeps its score.
#[inline]
pub fn unit_score(score: f32, error: f32, row_is_unit: impl FnOnce() -> bool) -> f32 {
    if score.abs() <= 1.0 || score.abs() > 1.0 + error || !row_is_unit() {
        return score;
    }
    score.clamp(-1.0, 1.0)
}

/// Rows that tie at a score of 1 are put in order of id if they are no more than this.
const MAX_TIES: usize = 1024;

/// Return for how many hits to search instead if [`unit_score`] has limited the last of `k`: more of the `allowed` rows may tie
/// with it, with lower ids. It does not depend on `k`, so that the same ones are found.
pub fn hits_with_ties(k: usize, allowed: usize) -> Option<usize> {
    let more = MAX_TIES.min(allowed);
    (more > k).then_some(more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Values;

    #[test]
    fn exponents_are_those_of_the_largest_power_of_two_below() {
        for (magnitude, exponent) in [(0.0, 0), (1.0, 0), (1.99, 0), (2.0, 1), (0.5, -1), (1e-45, -149)] {
            assert_eq!(exponent_of(magnitude), exponent, "{magnitude}");
        }
        assert_eq!(exponent_of(f32::MAX), 127);
    }

    #[test]
    fn rows_of_any_magnitude_are_scaled_or_refused() {
        let ordinary = |value: f32| {
            let values = [value, -value / 3.0];
            let (rows, unit) = ordinary_rows(&RowsView::new(Values::F32(&values), 2)?, Interrupt::NEVER)?;
            let read = rows.read(0..1)?;
            assert_eq!([read[0] * unit, read[1] * unit], values);
            Ok::<f32, Error>(read[0])
        };
        for value in [0.0, 1.0, 1e-5, 1e5] {
            assert_eq!(ordinary(value).unwrap(), value);
        }
        for value in [1e-30, 2e-33, 1e-10, 1e10, 1e30] {
            assert!((1.0..2.0).contains(&ordinary(value).unwrap()), "{value}");
        }
        for value in [1e-40, 1e-36, 1e35, f32::MAX] {
            assert!(matches!(ordinary(value), Err(Error::MagnitudeRange { .. })), "{value}");
        }
        assert!(matches!(ordinary(f32::INFINITY), Err(Error::NotFinite { .. })));
    }

    #[test]
    fn queries_are_scaled_to_products_near_one_and_scores_back() {
        let mut query = ScaledQuery::default();
        assert_eq!(query.scale(&[0.5, -0.25], 0), [0.5, -0.25]);
        assert_eq!(query.score(0.3), 0.3);
        for (value, rows_exponent) in [(1e-45_f32, -100), (1e-20, -67), (1e25, 83), (1.0, 83), (1e38, -112)] {
            let scaled = query.scale(&[value, 0.0], rows_exponent)[0];
            let product = f64::from(scaled) * power_of_two(rows_exponent);
            assert!((power_of_two(-12)..power_of_two(13)).contains(&product), "{value}: {product}");
        }
        let scaled = query.scale(&[1e-20], -67)[0];
        assert!((query.score(scaled) / 1e-20 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn scores_of_unit_rows_are_at_most_one_and_others_are_kept() {
        assert_eq!(unit_score(1.0005, 0.001, || true), 1.0);
        assert_eq!(unit_score(-1.0005, 0.001, || true), -1.0);
        assert_eq!(unit_score(1.0005, 0.001, || false), 1.0005);
        assert_eq!(unit_score(1.5, 0.001, || true), 1.5);
        assert_eq!(unit_score(0.9, 0.001, || unreachable!()), 0.9);
        assert!(is_unit(&[0.6, 0.8], 1e-3) && !is_unit(&[0.6, 0.9], 1e-3));
    }
}
