//! Rows that a trellis encoder encodes together: one value of each in a register.

use std::ops::Range;

use crate::error::Result;
use crate::parallel::Interrupt;
use crate::quantizer::hadamard::rotate;
use crate::quantizer::row_scales::round_up;

/// Rows encoded at once.
pub(crate) const LANES: usize = 16;

/// One value of each row.
pub(crate) type Lanes = [f32; LANES];

/// Cost of a path that does not begin in the first state: larger than that of any row.
pub(crate) const NO_PATH: f32 = 1e30;

/// Load `rows` of columns, shape (width, n), into lanes; values without a column are 0.
pub(crate) fn load_lanes(values: &mut [Lanes], columns: &[f32], n: usize, rows: Range<usize>) {
    values.fill([0.0; LANES]);
    for (lanes, column) in values.iter_mut().zip(columns.chunks_exact(n)) {
        lanes[..rows.len()].copy_from_slice(&column[rows.clone()]);
    }
}

/// Scale each row to the root mean square `unit`; return its own.
///
/// Rows without a normal mean square become zeros, with 0.
pub(crate) fn normalise_lanes(values: &mut [Lanes], unit: f32) -> Lanes {
    let mut sums = [0.0; LANES];
    for lanes in values.iter() {
        (0..LANES).for_each(|lane| sums[lane] += lanes[lane] * lanes[lane]);
    }
    let count = values.len() as f32;
    let rms = sums.map(|sum: f32| if (sum / count).is_normal() { (sum / count).sqrt() } else { 0.0 });
    for lanes in values {
        for (value, rms) in lanes.iter_mut().zip(rms) {
            *value = if rms > 0.0 { *value / rms * unit } else { 0.0 };
        }
    }
    rms
}

/// The search for the best path through a trellis, for sixteen rows at once.
pub(crate) trait PathSearch {
    /// The values of the rows, to be filled before a search.
    fn values(&mut self) -> &mut [Lanes];

    /// Find the cheapest paths.
    fn find_paths(&mut self);

    /// Write the best path of a row; return the factor for its levels that minimises the squared error.
    fn traceback(&self, lane: usize, row: &mut [u8]) -> f32;
}

/// Encode `columns`, shape (width, n), into `rows` of `bytes` and `scales`, shape (n,): rotated, and scaled to the root mean
/// square `unit`.
///
/// # Errors
/// [`crate::Error::Stopped`].
///
/// # Panics
/// If the shapes do not agree.
pub(crate) fn encode_lanes(
    search: &mut impl PathSearch,
    columns: &[f32],
    (bytes, unit): (usize, f32),
    rows: &mut [u8],
    scales: &mut [f32],
    interrupt: Interrupt<'_>,
) -> Result<()> {
    let n = scales.len();
    assert_eq!(rows.len(), n * bytes, "rows are not one of {bytes} bytes per scale");
    assert!(n == 0 || columns.len().is_multiple_of(n), "columns are not one value per scale");
    let groups = rows.chunks_mut(LANES * bytes).zip(scales.chunks_mut(LANES)).enumerate();
    for (group, (rows, scales)) in groups {
        interrupt.check()?;
        let values = search.values();
        load_lanes(values, columns, n, group * LANES..group * LANES + scales.len());
        rotate(values);
        let rms = normalise_lanes(values, unit);
        search.find_paths();
        for (lane, (row, scale)) in rows.chunks_exact_mut(bytes).zip(scales).enumerate() {
            *scale = round_up(rms[lane] / unit * search.traceback(lane, row));
        }
    }
    Ok(())
}
