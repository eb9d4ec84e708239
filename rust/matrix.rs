//! The caller's vectors, borrowed: row-major matrices of float32 or float16, perhaps in a mapped file.
//!
//! Nothing here copies a whole matrix: [`RowsView`] reads and checks the requested rows.

use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::error::{Error, Result};
use crate::parallel::Interrupt;

/// Largest dimension of a vector.
pub const MAX_DIM: usize = 4096;

/// Rows whose magnitude is found between two checks of the interrupt.
const ROWS_BETWEEN_CHECKS: usize = 8192;

/// Check that `len` values are complete vectors of a dimension that an index can hold.
fn check_shape(len: usize, dim: usize) -> Result<()> {
    if !(1..=MAX_DIM).contains(&dim) {
        return Err(Error::DimRange { max: MAX_DIM, got: dim });
    }
    if !len.is_multiple_of(dim) {
        return Err(Error::PartialRow { dim, got: len });
    }
    Ok(())
}

/// Check that there is one id for each row, and no id twice.
pub(crate) fn check_ids(rows: usize, ids: Option<&[i64]>) -> Result<()> {
    let Some(ids) = ids else { return Ok(()) };
    if ids.len() != rows {
        return Err(Error::IdsLength { expected: rows, got: ids.len() });
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::IdsRepeated { id: pair[0] }),
        None => Ok(()),
    }
}

/// Largest magnitude in `values`; not finite if any of them is not.
pub(crate) fn max_abs(values: &[f32]) -> f32 {
    // Without their sign, floats order as their bits do, with infinity and NaN on top; and an integer maximum vectorises
    // where a float maximum, which must treat NaN apart, does not.
    let bits = values.iter().fold(0, |max, value| (value.to_bits() & !(1 << 31)).max(max));
    f32::from_bits(bits)
}

/// A float32 matrix borrowed from the caller: shape (n, dim), row-major.
#[derive(Clone, Copy, Debug)]
pub struct MatrixF32<'a> {
    values: &'a [f32],
    dim: usize,
}

impl<'a> MatrixF32<'a> {
    /// View `values` as rows of `dim` values.
    ///
    /// # Errors
    /// [`Error::DimRange`] if `dim` is 0 or more than [`MAX_DIM`]; [`Error::PartialRow`] if the last row is not complete.
    pub fn new(values: &'a [f32], dim: usize) -> Result<Self> {
        check_shape(values.len(), dim)?;
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
    /// [`Error::Dim`], or [`Error::NotFinite`] with the first such value.
    pub fn check(&self, expected: usize) -> Result<()> {
        if self.dim != expected {
            return Err(Error::Dim { expected, got: self.dim });
        }
        match self.rows().position(|row| !max_abs(row).is_finite()) {
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

/// Values of a row-major matrix in the caller's type.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// float16 values.
    F16(&'a [f16]),
    /// float32 values.
    F32(&'a [f32]),
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::F16(values) => values.len(),
            Values::F32(values) => values.len(),
        }
    }
}

/// A float16 or float32 matrix borrowed from the caller: shape (n, dim), row-major.
#[derive(Clone, Copy, Debug)]
pub struct RowsView<'a> {
    values: Values<'a>,
    dim: usize,
    /// What every value that is read is multiplied by: a power of two.
    factor: f64,
}

impl<'a> RowsView<'a> {
    /// View `values` as rows of `dim` values.
    ///
    /// # Errors
    /// [`Error::DimRange`] if `dim` is 0 or too large; [`Error::PartialRow`] if the last row is not complete.
    pub fn new(values: Values<'a>, dim: usize) -> Result<Self> {
        check_shape(values.len(), dim)?;
        Ok(Self { values, dim, factor: 1.0 })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Dimension of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Read the rows of `range` as float32, shape (range.len(), dim), all finite.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with the row number in the whole matrix.
    pub fn read(&self, range: Range<usize>) -> Result<Vec<f32>> {
        let mut out = vec![0.0; range.len() * self.dim];
        self.copy(range.clone(), &mut out);
        self.check(&out, |row| range.start + row)?;
        Ok(out)
    }

    /// Read the rows of these numbers as float32, shape (rows.len(), dim), all finite.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with the row number in the whole matrix.
    pub fn gather(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let mut out = vec![0.0; rows.len() * self.dim];
        for (&row, values) in rows.iter().zip(out.chunks_exact_mut(self.dim)) {
            self.copy(row as usize..row as usize + 1, values);
        }
        self.check(&out, |row| rows[row] as usize)?;
        Ok(out)
    }

    /// Return the largest magnitude of all values.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with the first value that is not finite, or [`Error::Stopped`].
    pub fn magnitude(&self, interrupt: Interrupt<'_>) -> Result<f32> {
        let mut largest = 0.0_f32;
        for start in (0..self.len()).step_by(ROWS_BETWEEN_CHECKS) {
            interrupt.check()?;
            let end = self.len().min(start + ROWS_BETWEEN_CHECKS);
            let found = match self.values {
                Values::F16(_) => max_abs(&self.read(start..end)?),
                Values::F32(values) => max_abs(&values[start * self.dim..end * self.dim]),
            };
            if !found.is_finite() {
                self.read(start..end)?;
            }
            largest = largest.max(found);
        }
        Ok(largest)
    }

    /// Return these rows with every value multiplied by `factor`, a power of two, when it is read.
    pub fn scaled(&self, factor: f64) -> Self {
        Self { factor: self.factor * factor, ..*self }
    }

    fn copy(&self, range: Range<usize>, out: &mut [f32]) {
        let range = range.start * self.dim..range.end * self.dim;
        match self.values {
            Values::F16(values) => values[range].convert_to_f32_slice(out),
            Values::F32(values) => out.copy_from_slice(&values[range]),
        }
        if self.factor != 1.0 {
            out.iter_mut().for_each(|value| *value = (f64::from(*value) * self.factor) as f32);
        }
    }

    fn check(&self, values: &[f32], number: impl Fn(usize) -> usize) -> Result<()> {
        MatrixF32::new(values, self.dim)?.check(self.dim).map_err(|error| match error {
            Error::NotFinite { row, column, value } => Error::NotFinite { row: number(row), column, value },
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_that_is_not_finite_is_reported() {
        let values = [0.0, 1.0, 2.0, f32::NEG_INFINITY, 4.0, f32::NAN];
        let error = MatrixF32::new(&values, 2).unwrap().check(2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 1, column: 1, value } if value == f32::NEG_INFINITY));
    }

    #[test]
    fn impossible_shapes_are_refused() {
        assert!(matches!(MatrixF32::new(&[], 0), Err(Error::DimRange { got: 0, .. })));
        assert!(matches!(MatrixF32::new(&[], MAX_DIM + 1), Err(Error::DimRange { .. })));
        assert!(matches!(MatrixF32::new(&[1.0; 5], 2), Err(Error::PartialRow { dim: 2, got: 5 })));
        let error = MatrixF32::new(&[1.0; 4], 2).unwrap().check(4).unwrap_err();
        assert!(matches!(error, Error::Dim { expected: 4, got: 2 }));
    }

    #[test]
    fn rows_are_read_and_gathered_from_both_types() {
        let singles = [1.0, 2.0, 3.0, 4.0, -1.0, 0.0];
        let halves = singles.map(f16::from_f32);
        for values in [Values::F16(&halves), Values::F32(&singles)] {
            let rows = RowsView::new(values, 2).unwrap();
            assert_eq!((rows.len(), rows.read(1..3).unwrap()), (3, singles[2..].to_vec()));
            assert_eq!(rows.gather(&[2, 0]).unwrap(), [-1.0, 0.0, 1.0, 2.0]);
        }
    }

    #[test]
    fn scaled_rows_are_multiplied_when_they_are_read() {
        let (singles, halves) = ([3e-30, -6e-30], [f16::from_f32(3.0), f16::from_f32(-6.0)]);
        let factor = 2_f64.powi(97);
        let rows = RowsView::new(Values::F32(&singles), 2).unwrap();
        assert_eq!(rows.magnitude(Interrupt::NEVER).unwrap(), 6e-30);
        assert_eq!(rows.scaled(factor).read(0..1).unwrap(), singles.map(|x| (f64::from(x) * factor) as f32));
        let rows = RowsView::new(Values::F16(&halves), 2).unwrap();
        assert_eq!(rows.magnitude(Interrupt::NEVER).unwrap(), 6.0);
        assert_eq!(rows.scaled(0.5).gather(&[0]).unwrap(), [1.5, -3.0]);
    }

    #[test]
    fn a_value_that_is_not_finite_is_reported_with_its_row() {
        let zero = f16::ZERO;
        let values = [zero, zero, zero, zero, zero, f16::INFINITY];
        let rows = RowsView::new(Values::F16(&values), 2).unwrap();
        for result in [rows.read(1..3), rows.gather(&[0, 2])] {
            assert!(matches!(result, Err(Error::NotFinite { row: 2, column: 1, .. })));
        }
        let found = rows.magnitude(Interrupt::NEVER);
        assert!(matches!(found, Err(Error::NotFinite { row: 2, column: 1, .. })));
    }
}
