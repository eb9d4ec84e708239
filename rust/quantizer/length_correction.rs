//! Length correction of PQ inner products: the rescaling of RaBitQ, for product quantization.
//!
//! The inner product of a query with the reconstruction `x̂` of a row `x` is too small on average, because `x̂` is the mean
//! of a cell. The estimator `q·x ≈ (q·x̂) |x|² / (x·x̂)` is unbiased for queries in a random direction (Gao and Long,
//! "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for approximate nearest neighbor search",
//! 2024). The factor `|x|² / (x·x̂)` is stored in one byte a row, in units of 1/128.

/// The correction that stands for a factor of 1.
pub const CORRECTION_ONE: u8 = 128;

/// Lower bound of corrections: a factor of 1/2.
pub const CORRECTION_MIN: f32 = 64.0;

/// Return the correction of a row with `|x|²` = `square` and `x·x̂` = `product`.
///
/// A row of zeros, or one whose reconstruction points away from it, gets [`CORRECTION_ONE`].
pub fn length_correction(square: f32, product: f32) -> u8 {
    let factor = square / product * f32::from(CORRECTION_ONE);
    let factor = if product > 0.0 && factor.is_finite() { factor } else { f32::from(CORRECTION_ONE) };
    factor.round().clamp(CORRECTION_MIN, f32::from(u8::MAX)) as u8
}

/// Return the correction of each row of `columns`, shape (4m, n), with reconstructions of the same shape.
///
/// # Panics
/// If the shapes do not agree.
pub fn length_corrections(columns: &[f32], reconstructed: &[f32], n: usize) -> Vec<u8> {
    assert_eq!(columns.len(), reconstructed.len(), "rows and reconstructions have different shapes");
    let (mut squares, mut products) = (vec![0.0_f32; n], vec![0.0_f32; n]);
    for (column, other) in columns.chunks_exact(n.max(1)).zip(reconstructed.chunks_exact(n.max(1))) {
        squares.iter_mut().zip(column).for_each(|(sum, value)| *sum += value * value);
        products.iter_mut().zip(column.iter().zip(other)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    squares.into_iter().zip(products).map(|(square, product)| length_correction(square, product)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::rng::Rng;
    use crate::parallel::{Interrupt, ScopedWorkers};
    use crate::quantizer::pq::{self, DSUB};

    #[test]
    fn a_correction_is_a_ratio_within_bounds() {
        assert_eq!(length_correction(3.0, 2.0), 192);
        let degenerate = [(0.0, 0.0), (1.0, -1.0), (1.0, 0.0)].map(|(a, b)| length_correction(a, b));
        assert_eq!(degenerate, [CORRECTION_ONE; 3]);
        assert_eq!([length_correction(9.0, 1.0), length_correction(1.0, 9.0)], [255, 64]);
    }

    #[test]
    fn corrected_products_equal_the_squared_length() {
        let mut rng = Rng::new(3, 0);
        let n = 500;
        let columns: Vec<f32> = (0..8 * DSUB * n).map(|_| rng.normal()).collect();
        let codebooks =
            pq::train(&columns, 8, (1, 20), &mut ScopedWorkers::new(1, &mut |_| Ok(()), Interrupt::NEVER))
                .unwrap();
        let mut codes = vec![0; 8 * n];
        pq::encode(&columns, n, &codebooks, &mut codes);
        let reconstructed = pq::decode(&codes, n, &codebooks);
        for (row, &correction) in length_corrections(&columns, &reconstructed, n).iter().enumerate() {
            let row_of =
                |columns: &[f32]| -> Vec<f32> { columns.iter().skip(row).step_by(n).copied().collect() };
            let (x, y) = (row_of(&columns), row_of(&reconstructed));
            let square: f32 = x.iter().map(|a| a * a).sum();
            let product: f32 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
            let corrected = product * f32::from(correction) / 128.0;
            assert!(
                correction == 255 || (corrected / square - 1.0).abs() < 0.005,
                "{corrected} and {square}"
            );
        }
    }
}
