//! Rows that a trellis encoder encodes together: one value of each in a register.

use std::ops::Range;

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
