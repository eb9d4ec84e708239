//! The caller's vectors where they lie, float16 or float32, perhaps in a mapped file: read in pieces, never copied whole.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::vectors::half::widened;
use crate::vectors::{Vectors, check_dim};

/// Values of a row-major array as the caller keeps them.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Bits of float16 values.
    Half(&'a [u16]),
    /// float32 values.
    Single(&'a [f32]),
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::Half(values) => values.len(),
            Values::Single(values) => values.len(),
        }
    }
}

/// Rows of float16 or float32 borrowed from the caller: shape (n, dim), row-major.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    values: Values<'a>,
    dim: usize,
}

impl<'a> Rows<'a> {
    /// View `values` as rows of `dim` values.
    ///
    /// # Errors
    /// [`Error::DimRange`] if `dim` is 0 or too large; [`Error::Ragged`] if the last row is not whole.
    pub fn new(values: Values<'a>, dim: usize) -> Result<Self> {
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
        self.len() == 0
    }

    /// Dimension of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows `range` as float32, shape (range.len(), dim), all finite.
    ///
    /// # Errors
    /// [`Error::NotFinite`], naming the row in the whole array.
    pub fn read(&self, range: Range<usize>) -> Result<Vec<f32>> {
        let mut out = vec![0.0; range.len() * self.dim];
        self.copy(range.clone(), &mut out);
        self.check(&out, |row| range.start + row)?;
        Ok(out)
    }

    /// The rows of these numbers as float32, shape (rows.len(), dim), all finite.
    ///
    /// # Errors
    /// [`Error::NotFinite`], naming the row in the whole array.
    pub fn gather(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let mut out = vec![0.0; rows.len() * self.dim];
        for (&row, values) in rows.iter().zip(out.chunks_exact_mut(self.dim)) {
            self.copy(row as usize..row as usize + 1, values);
        }
        self.check(&out, |row| rows[row] as usize)?;
        Ok(out)
    }

    fn copy(&self, range: Range<usize>, out: &mut [f32]) {
        let range = range.start * self.dim..range.end * self.dim;
        match self.values {
            Values::Half(values) => widen(&values[range], out),
            Values::Single(values) => out.copy_from_slice(&values[range]),
        }
    }

    fn check(&self, values: &[f32], number: impl Fn(usize) -> usize) -> Result<()> {
        Vectors::new(values, self.dim)?.check(self.dim).map_err(|error| match error {
            Error::NotFinite { row, column, value } => Error::NotFinite { row: number(row), column, value },
            other => other,
        })
    }
}

/// float16 bits to float32, exactly.
fn widen(halves: &[u16], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: this CPU has AVX2.
        return unsafe { widen_avx2(halves, out) };
    }
    widen_all(halves, out);
}

/// The same code, compiled for wider registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn widen_avx2(halves: &[u16], out: &mut [f32]) {
    widen_all(halves, out);
}

#[inline(always)]
fn widen_all(halves: &[u16], out: &mut [f32]) {
    for (value, &half) in out.iter_mut().zip(halves) {
        *value = f32::from_bits(widened(half));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_gathered() {
        let halves = [0x3c00, 0x4000, 0x4200, 0x4400, 0xbc00, 0x0000];
        let singles = [1.0, 2.0, 3.0, 4.0, -1.0, 0.0];
        for values in [Values::Half(&halves), Values::Single(&singles)] {
            let rows = Rows::new(values, 2).unwrap();
            assert_eq!((rows.len(), rows.read(1..3).unwrap()), (3, singles[2..].to_vec()));
            assert_eq!(rows.gather(&[2, 0]).unwrap(), [-1.0, 0.0, 1.0, 2.0]);
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_named_by_its_row() {
        let rows = Rows::new(Values::Half(&[0, 0, 0, 0, 0, 0x7c00]), 2).unwrap();
        for result in [rows.read(1..3), rows.gather(&[0, 2])] {
            assert!(matches!(result, Err(Error::NotFinite { row: 2, column: 1, .. })));
        }
    }
}
