//! SQ8: scalar quantization to int8 with one float32 scale a row, and to int16 for queries.
//!
//! A row `x` has `scale = max|x| / 127` and `code = round(x / scale)`, ties to even. A query is encoded the same way, but up
//! to [`query_limit`] instead of 127. The inner product of a query with a row is then an exact integer that fits an `i32`
//! (see [`crate::kernels::dot_i8`]), so a search rounds only in the codes and in the final score.

use crate::kernels::dot_i8::{ROW_LIMIT, query_limit};
use crate::kernels::gemm_i8::Int8Matrix;
use crate::kernels::stride;
use crate::matrix::max_abs;

/// Encode one row of finite values into `codes` (its length is the [`stride`]) and return its scale.
///
/// A row whose scale would not be a normal number (all zero, or below about 1e-36) becomes zeros with scale 0.
pub fn encode_row(row: &[f32], codes: &mut [i8]) -> f32 {
    let (used, padding) = codes.split_at_mut(row.len());
    padding.fill(0);
    let scale = scale_of(row, ROW_LIMIT);
    let divisor = divisor_of(scale);
    for (code, &value) in used.iter_mut().zip(row) {
        *code = round_ties_even(value / divisor) as i8;
    }
    scale
}

/// Decode the codes of one row: `code * scale`, each within `scale / 2` of the original value.
pub fn decode_row(codes: &[i8], scale: f32, values: &mut [f32]) {
    for (value, &code) in values.iter_mut().zip(codes) {
        *value = f32::from(code) * scale;
    }
}

impl Int8Matrix {
    /// Encode rows of finite values, shape (n, dim).
    pub fn new(rows: &[f32], dim: usize) -> Self {
        let mut encoded = Self::with_capacity(rows.len() / dim, dim);
        rows.chunks_exact(dim).for_each(|row| encoded.push(row));
        encoded
    }

    /// Encode rows of finite values, shape (n, dim), less their `mean`, shape (dim,).
    ///
    /// A large common part of all rows would otherwise use up most of the codes' range.
    pub fn centered(mean: &[f32], rows: &[f32]) -> Self {
        let mut encoded = Self::with_capacity(rows.len() / mean.len(), mean.len());
        let mut centered = vec![0.0; mean.len()];
        for row in rows.chunks_exact(mean.len()) {
            let pairs = row.iter().zip(mean);
            centered.iter_mut().zip(pairs).for_each(|(centered, (value, mean))| *centered = value - mean);
            encoded.push(&centered);
        }
        encoded
    }

    fn push(&mut self, row: &[f32]) {
        let start = self.codes.len();
        self.codes.resize(start + self.stride, 0);
        self.scales.push(encode_row(row, &mut self.codes[start..]));
    }
}

/// One query in int16 codes, ready for a kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuantizedQuery {
    codes: Vec<i16>,
    scale: f32,
}

impl QuantizedQuery {
    /// Quantize one query of finite values, shape (dim,).
    pub fn new(values: &[f32]) -> Self {
        let mut query = Self::default();
        query.quantize(values);
        query
    }

    /// Quantize another query, in the memory of this one.
    pub fn quantize(&mut self, values: &[f32]) {
        self.scale = scale_of(values, query_limit(values.len()));
        let divisor = divisor_of(self.scale);
        self.codes.clear();
        self.codes.extend(values.iter().map(|value| round_ties_even(value / divisor) as i16));
        self.codes.resize(stride(values.len()), 0);
    }

    /// The codes, padded with zeros to the [`stride`].
    pub fn codes(&self) -> &[i16] {
        &self.codes
    }

    /// Return the score of a row from its integer product with this query; never NaN, never -0.
    ///
    /// Computed in float64, where the product cannot overflow, and rounded once.
    #[inline]
    pub fn score(&self, product: i32, row_scale: f32) -> f32 {
        to_score_f32(self.dequantize(product, row_scale))
    }

    /// Scale an exact product with codes of one scale to a part of a score.
    #[inline]
    pub fn dequantize(&self, product: impl Into<f64>, scale: f32) -> f64 {
        product.into() * f64::from(scale) * f64::from(self.scale)
    }
}

/// Round a score to float32; never NaN, never -0.
#[inline]
pub fn to_score_f32(score: f64) -> f32 {
    // The scales of a file are checked when it is opened: a NaN here means that the file was changed since.
    (score as f32).max(f32::NEG_INFINITY) + 0.0
}

fn scale_of(values: &[f32], limit: i32) -> f32 {
    let scale = max_abs(values) / limit as f32;
    if scale.is_normal() { scale } else { 0.0 }
}

/// The divisor of a scale: infinity for 0, so that every code of a row without scale becomes 0.
fn divisor_of(scale: f32) -> f32 {
    if scale == 0.0 { f32::INFINITY } else { scale }
}

/// Round a value below 2^21 in magnitude to the nearest integer, ties to even.
///
/// Adding 1.5 * 2^23 leaves no bits for a fraction, so the addition rounds, and the integer is in the low bits as two's
/// complement. Unlike `f32::round_ties_even` this is vectorised on every CPU.
#[inline]
fn round_ties_even(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::LANES;

    fn encode(row: &[f32]) -> (Vec<i8>, f32) {
        let mut codes = vec![99; stride(row.len())];
        let scale = encode_row(row, &mut codes);
        (codes, scale)
    }

    #[test]
    fn rounding_agrees_with_the_standard_library() {
        for step in -70_000..=70_000 {
            let value = step as f32 / 2.0 + 0.0;
            assert_eq!(round_ties_even(value), value.round_ties_even() as i32, "{value}");
        }
    }

    #[test]
    fn a_row_reaches_the_limit_and_pads_with_zeros() {
        let (codes, scale) = encode(&[0.0, -2.54, 1.0]);
        assert_eq!(scale, 2.54 / 127.0);
        assert_eq!(codes[..3], [0, -127, 50]);
        assert!(codes.len() == LANES && codes[3..].iter().all(|&code| code == 0));
    }

    #[test]
    fn rows_without_a_normal_scale_become_zero() {
        for row in [[0.0, -0.0], [1e-40, 0.0], [f32::MIN_POSITIVE, 1e-41]] {
            assert_eq!(encode(&row), (vec![0; LANES], 0.0));
        }
    }

    #[test]
    fn huge_rows_keep_their_direction() {
        let (codes, scale) = encode(&[f32::MAX, -f32::MAX / 4.0]);
        assert_eq!(codes[..2], [127, -32]);
        assert!(scale.is_finite());
    }

    #[test]
    fn centering_subtracts_the_mean_before_encoding() {
        let encoded = Int8Matrix::centered(&[100.0, -100.0], &[101.27, -100.0, 100.0, -100.5]);
        assert_eq!(
            (encoded.len(), &encoded.codes(0)[..2], &encoded.codes(1)[..2]),
            (2, &[127, 0][..], &[0, -127][..])
        );
    }

    #[test]
    fn a_score_is_never_nan_nor_negative_zero() {
        let query = QuantizedQuery::new(&[1.0, 0.5]);
        assert_eq!(query.score(1, f32::NAN), f32::NEG_INFINITY);
        assert_eq!(query.score(-1, 0.0).to_bits(), 0.0_f32.to_bits());
    }

    proptest! {
        #[test]
        fn decoding_is_within_half_a_step(row in prop::collection::vec(-1e3_f32..1e3, 1..70)) {
            let (codes, scale) = encode(&row);
            let mut decoded = vec![0.0; row.len()];
            decode_row(&codes, scale, &mut decoded);
            for (before, after) in row.iter().zip(decoded) {
                prop_assert!((before - after).abs() <= scale * 0.5001);
            }
        }

        #[test]
        fn codes_stay_within_their_limits(row in prop::collection::vec(prop::num::f32::NORMAL, 1..600)) {
            let (codes, _) = encode(&row);
            prop_assert!(codes.iter().all(|&code| i32::from(code).abs() <= ROW_LIMIT));
            let limit = query_limit(row.len());
            prop_assert!(QuantizedQuery::new(&row).codes().iter().all(|&code| i32::from(code).abs() <= limit));
        }
    }
}
