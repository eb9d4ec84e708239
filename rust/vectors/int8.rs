//! The int8 tier: a row of float32 becomes int8 codes and one float32 scale; a query becomes int16 codes.
//!
//! A row `x` has `scale = max|x| / 127` and `code = round(x / scale)`, ties to even. A query is coded the
//! same way but up to [`query_limit`] instead of 127, so that the product of a query and a row is an exact
//! integer that fits an `i32`, whatever the order of summation. Scalar and SIMD kernels therefore agree to
//! the bit, and a search rounds in the codes and in the final score only.

use crate::error::{Error, Result};

/// Largest dimension of a vector.
pub const MAX_DIM: usize = 4096;

/// Rows and queries are padded with zeros to a multiple of this many codes, so that kernels have no tail.
pub const LANES: usize = 16;

/// Largest magnitude of a code that [`encode_row`] writes.
pub const ROW_LIMIT: i32 = 127;

/// Largest magnitude of any `i8`: a damaged file may hold -128, and must not overflow a sum either.
const CODE_BOUND: i64 = 128;

/// Largest magnitude of a query's code for vectors of `dim` dimensions.
///
/// The largest `limit` up to `i16::MAX` for which `dim * 128 * limit` fits an `i32`: 32767 up to
/// 512 dimensions, 16383 at 1024, 4095 at 4096.
pub const fn query_limit(dim: usize) -> i32 {
    let fits = i32::MAX as i64 / (CODE_BOUND * dim as i64);
    if fits < i16::MAX as i64 { fits as i32 } else { i16::MAX as i32 }
}

// A sum of products is bounded by the sum of their magnitudes, and so is every partial sum in every order: no
// kernel can overflow an i32 lane, nor can the horizontal sum. The second line keeps the query 32 times finer
// than the rows, so that its rounding is lost in theirs.
const _: () = {
    let mut dim = 1;
    while dim <= MAX_DIM {
        assert!(dim as i64 * CODE_BOUND * query_limit(dim) as i64 <= i32::MAX as i64);
        assert!(query_limit(dim) >= 32 * ROW_LIMIT);
        dim += 1;
    }
};

// `_mm256_madd_epi16` adds two products before it widens: they fit an i32 with room to spare.
const _: () = assert!(2 * CODE_BOUND * (i16::MAX as i64) <= i32::MAX as i64);

/// Codes in one stored row of `dim` dimensions, padding included.
pub const fn stride(dim: usize) -> usize {
    dim.next_multiple_of(LANES)
}

/// Rows of float32 borrowed from the caller: shape (n, dim), row-major.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    values: &'a [f32],
    dim: usize,
}

impl<'a> Vectors<'a> {
    /// View `values` as rows of `dim` values.
    ///
    /// # Errors
    /// [`Error::DimRange`] if `dim` is 0 or more than [`MAX_DIM`]; [`Error::Ragged`] if the last row is not
    /// whole.
    pub fn new(values: &'a [f32], dim: usize) -> Result<Self> {
        check_dim(dim)?;
        if !values.len().is_multiple_of(dim) {
            return Err(Error::Ragged { dim, got: values.len() });
        }
        Ok(Self { values, dim })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All values, row after row.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// The rows, each of `dim` values.
    pub fn rows(&self) -> std::slice::ChunksExact<'a, f32> {
        self.values.chunks_exact(self.dim)
    }

    /// Check that the rows have `expected` dimensions and hold neither NaN nor infinity.
    ///
    /// # Errors
    /// [`Error::Dim`] or [`Error::NotFinite`], naming the first such value.
    pub fn check(&self, expected: usize) -> Result<()> {
        if self.dim != expected {
            return Err(Error::Dim { expected, got: self.dim });
        }
        match self.rows().position(|row| !magnitude(row).is_finite()) {
            Some(row) => Err(self.not_finite(row)),
            None => Ok(()),
        }
    }

    fn not_finite(&self, row: usize) -> Error {
        let values = &self.values[row * self.dim..][..self.dim];
        let column = values.iter().position(|value| !value.is_finite()).unwrap_or(0);
        Error::NotFinite { row, column, value: values[column] }
    }
}

/// Check that a shard can hold vectors of `dim` dimensions.
///
/// # Errors
/// [`Error::DimRange`] if `dim` is 0 or more than [`MAX_DIM`].
pub fn check_dim(dim: usize) -> Result<()> {
    if dim == 0 || dim > MAX_DIM {
        return Err(Error::DimRange { max: MAX_DIM, got: dim });
    }
    Ok(())
}

/// Code one row of finite values into `codes` (its length is the [`stride`]) and return its scale.
///
/// A row whose scale would not be a normal number (all zero, or below about 1e-36) becomes zeros with scale
/// 0.
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

/// Turn the codes of one row back into values: `code * scale`, each within `scale / 2` of the original.
pub fn decode_row(codes: &[i8], scale: f32, values: &mut [f32]) {
    for (value, &code) in values.iter_mut().zip(codes) {
        *value = f32::from(code) * scale;
    }
}

/// One query in int16 codes, ready for a kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    codes: Vec<i16>,
    scale: f32,
}

impl Query {
    /// Code one query of finite values, shape (dim,).
    pub fn new(values: &[f32]) -> Self {
        let mut query = Self::default();
        query.assign(values);
        query
    }

    /// Become the codes of another query, in the memory of this one.
    pub fn assign(&mut self, values: &[f32]) {
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

    /// The score of a row from its integer product with this query, in float32; never NaN, never -0.
    ///
    /// Computed in float64, where the product cannot overflow, and rounded once.
    #[inline]
    pub fn score(&self, product: i32, row_scale: f32) -> f32 {
        rounded(self.part(product, row_scale))
    }

    /// What an exact product with codes of one scale adds to a score.
    #[inline]
    pub fn part(&self, product: impl Into<f64>, scale: f32) -> f64 {
        product.into() * f64::from(scale) * f64::from(self.scale)
    }
}

/// A score in float32; never NaN, never -0.
#[inline]
pub fn rounded(score: f64) -> f32 {
    // A file's scales are checked when it is opened; a NaN here means that the file was changed since.
    (score as f32).max(f32::NEG_INFINITY) + 0.0
}

/// Largest magnitude in `values`; not finite if any of them is not.
fn magnitude(values: &[f32]) -> f32 {
    // Without their sign, floats order as their bits do, with infinity and NaN on top; and an integer maximum
    // vectorises where a float maximum, which must treat NaN apart, does not.
    let bits = values.iter().fold(0, |most, value| (value.to_bits() & !(1 << 31)).max(most));
    f32::from_bits(bits)
}

fn scale_of(values: &[f32], limit: i32) -> f32 {
    let scale = magnitude(values) / limit as f32;
    if scale.is_normal() { scale } else { 0.0 }
}

/// What to divide by: infinity instead of 0, so that every code of a row without scale becomes 0.
fn divisor_of(scale: f32) -> f32 {
    if scale == 0.0 { f32::INFINITY } else { scale }
}

/// Nearest integer, ties to even, of a value below 2^21 in magnitude.
///
/// Adding 1.5 * 2^23 leaves no bits for a fraction, so the addition itself rounds, and the integer stands in
/// the low bits as two's complement. Unlike `f32::round_ties_even` this is vectorised on every CPU.
#[inline]
fn round_ties_even(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    fn the_first_value_that_is_not_finite_is_named() {
        let values = [0.0, 1.0, 2.0, f32::NEG_INFINITY, 4.0, f32::NAN];
        let error = Vectors::new(&values, 2).unwrap().check(2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 1, column: 1, value } if value == f32::NEG_INFINITY));
    }

    #[test]
    fn impossible_shapes_are_refused() {
        assert!(matches!(Vectors::new(&[], 0), Err(Error::DimRange { got: 0, .. })));
        assert!(matches!(Vectors::new(&[], MAX_DIM + 1), Err(Error::DimRange { .. })));
        assert!(matches!(Vectors::new(&[1.0; 5], 2), Err(Error::Ragged { dim: 2, got: 5 })));
        let error = Vectors::new(&[1.0; 4], 2).unwrap().check(4).unwrap_err();
        assert!(matches!(error, Error::Dim { expected: 4, got: 2 }));
    }

    #[test]
    fn a_score_is_never_nan_nor_negative_zero() {
        let query = Query::new(&[1.0, 0.5]);
        assert_eq!(query.score(1, f32::NAN), f32::NEG_INFINITY);
        assert_eq!(query.score(-1, 0.0).to_bits(), 0.0_f32.to_bits());
    }

    proptest! {
        #[test]
        fn decoding_is_within_half_a_step(row in prop::collection::vec(-1e3_f32..1e3, 1..70)) {
            let (codes, scale) = encode(&row);
            let mut back = vec![0.0; row.len()];
            decode_row(&codes, scale, &mut back);
            for (before, after) in row.iter().zip(back) {
                prop_assert!((before - after).abs() <= scale * 0.5001);
            }
        }

        #[test]
        fn codes_stay_within_their_limits(row in prop::collection::vec(prop::num::f32::NORMAL, 1..600)) {
            let (codes, _) = encode(&row);
            prop_assert!(codes.iter().all(|&code| i32::from(code).abs() <= ROW_LIMIT));
            let limit = query_limit(row.len());
            prop_assert!(Query::new(&row).codes().iter().all(|&code| i32::from(code).abs() <= limit));
        }
    }
}
