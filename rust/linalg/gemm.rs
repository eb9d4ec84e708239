//! Matrix products of flat row-major slices, by the `matrixmultiply` crate. Each call runs on one thread and adds in one
//! order, so results do not depend on the number of threads.

use crate::error::Result;
use crate::parallel::Interrupt;

/// A matrix in a slice: its values, and the distances of neighbouring rows and columns.
type Strided<'a, T> = (&'a [T], usize, usize);

/// Check that a matrix of this shape fits its slice.
fn check_shape<T>((values, row_stride, column_stride): Strided<'_, T>, rows: usize, columns: usize) {
    let end = rows.saturating_sub(1) * row_stride + columns.saturating_sub(1) * column_stride + 1;
    let needed = if rows * columns == 0 { 0 } else { end };
    assert!(needed <= values.len(), "the shapes of the matrices do not agree");
}

/// `out` (n, m) = `a` (n, k) · `b` (k, m) + `beta` · `out`.
fn sgemm(
    (n, k, m): (usize, usize, usize),
    a: Strided<'_, f32>,
    b: Strided<'_, f32>,
    beta: f32,
    out: &mut [f32],
) {
    check_shape(a, n, k);
    check_shape(b, k, m);
    assert_eq!(out.len(), n * m, "the shapes of the matrices do not agree");
    let strides = |matrix: Strided<'_, f32>| (matrix.1 as isize, matrix.2 as isize);
    let ((rsa, csa), (rsb, csb)) = (strides(a), strides(b));
    // SAFETY: the largest offsets in a, b and out were just checked to be within their slices, and out is borrowed mutably.
    unsafe {
        matrixmultiply::sgemm(
            n,
            k,
            m,
            1.0,
            a.0.as_ptr(),
            rsa,
            csa,
            b.0.as_ptr(),
            rsb,
            csb,
            beta,
            out.as_mut_ptr(),
            m as isize,
            1,
        );
    }
}

/// `out` (n, m) = `a` (n, k) · `b` (m, k)ᵀ: the product of every row of `a` with every row of `b`.
///
/// # Panics
/// If the shapes do not agree.
pub fn gemm_nt(a: &[f32], b: &[f32], k: usize, out: &mut [f32]) {
    let (n, m) = (a.len() / k, b.len() / k);
    assert!(a.len() == n * k && b.len() == m * k, "the shapes of the matrices do not agree");
    sgemm((n, k, m), (a, k, 1), (b, 1, k), 0.0, out);
}

/// `out` (n, m) += `a` (n, k) · `b` (k, m).
///
/// # Panics
/// If the shapes do not agree.
pub fn gemm_nn_acc(a: &[f32], b: &[f32], m: usize, out: &mut [f32]) {
    let (n, k) = (out.len() / m, b.len() / m);
    assert!(a.len() == n * k && b.len() == k * m, "the shapes of the matrices do not agree");
    sgemm((n, k, m), (a, k, 1), (b, m, 1), 1.0, out);
}

/// Return `a` (n, k) · `b` (k, m), in float64.
///
/// # Panics
/// If the shapes do not agree.
pub fn matmul_f64(a: &[f64], b: &[f64], k: usize) -> Vec<f64> {
    let (n, m) = (a.len() / k, b.len() / k);
    assert!(a.len() == n * k && b.len() == k * m, "the shapes of the matrices do not agree");
    let mut out = vec![0.0; n * m];
    // SAFETY: a has n rows at distance k, b has k rows at distance m, out has n rows at distance m; so the largest offsets
    // are one below the three lengths.
    unsafe {
        matrixmultiply::dgemm(
            n,
            k,
            m,
            1.0,
            a.as_ptr(),
            k as isize,
            1,
            b.as_ptr(),
            m as isize,
            1,
            0.0,
            out.as_mut_ptr(),
            m as isize,
            1,
        );
    }
    out
}

/// Return the second moment of rows: `xᵀ x / n` of `x` (n, dim), shape (dim, dim), in float64; zeros if there are no rows.
///
/// # Errors
/// [`crate::Error::Stopped`].
pub fn second_moment(x: &[f32], dim: usize, interrupt: Interrupt<'_>) -> Result<Vec<f64>> {
    /// Few enough rows that float32 sums of them stay accurate.
    const BLOCK_ROWS: usize = 2048;
    let mut sums = vec![0.0_f64; dim * dim];
    let mut block = vec![0.0_f32; dim * dim];
    for rows in x.chunks(BLOCK_ROWS * dim) {
        interrupt.check()?;
        sgemm((dim, rows.len() / dim, dim), (rows, 1, dim), (rows, dim, 1), 0.0, &mut block);
        sums.iter_mut().zip(&block).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let rows = (x.len() / dim).max(1) as f64;
    sums.iter_mut().for_each(|sum| *sum /= rows);
    Ok(sums)
}

/// Inner product in float32, in sixteen interleaved sums.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (a, a_tail) = a.as_chunks::<16>();
    let (b, b_tail) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    let tail: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + tail
}

/// Inner product in float64, in eight interleaved sums.
pub fn dot_f64(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let (a, a_tail) = a.as_chunks::<8>();
    let (b, b_tail) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matrix_products_agree_with_the_definition() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, -1.0, 2.0, 2.0, 2.0]);
        let mut out = [0.0; 4];
        gemm_nt(&a, &b, 3, &mut out);
        assert_eq!(out, [-2.0, 12.0, -2.0, 30.0]);
        gemm_nn_acc(&a, &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], 2, &mut out);
        assert_eq!(out, [-1.0, 14.0, 2.0, 35.0]);
        let moment = |x: &[f32]| second_moment(x, 2, Interrupt::NEVER).unwrap();
        assert_eq!(moment(&a[..4]), [5.0, 7.0, 7.0, 10.0]);
        assert_eq!(moment(&[]), [0.0; 4]);
        assert_eq!(matmul_f64(&[1.0, 2.0], &[3.0, 4.0, 5.0, 6.0], 2), [13.0, 16.0]);
    }

    #[test]
    #[should_panic(expected = "do not agree")]
    fn shapes_that_disagree_are_refused() {
        gemm_nt(&[1.0; 6], &[1.0; 6], 3, &mut [0.0; 3]);
    }

    proptest! {
        #[test]
        fn a_dot_product_is_the_sum_of_products(values in prop::collection::vec(-8_i32..8, 0..70)) {
            let floats: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            prop_assert_eq!(dot(&floats, &floats), values.iter().map(|v| v * v).sum::<i32>() as f32);
        }
    }
}
