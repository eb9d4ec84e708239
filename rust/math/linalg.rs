//! Products of matrices, as flat row-major slices, by the `matrixmultiply` crate. Each call runs on one thread and
//! adds in one order, so that results do not depend on the number of threads.

use crate::error::Result;

/// `out` (n, m) = `a` (n, k) · `b` (m, k)ᵀ: every row of `a` with every row of `b`.
///
/// # Panics
/// If the shapes do not agree.
pub fn products(a: &[f32], b: &[f32], k: usize, out: &mut [f32]) {
    let (n, m) = (a.len() / k, b.len() / k);
    assert!(a.len() == n * k && b.len() == m * k && out.len() == n * m, "shapes do not agree");
    // SAFETY: a has n rows at distance k, bᵀ has k rows at distance 1 and m columns at distance k, out has n rows
    // at distance m; so the largest offsets are one below the three lengths just checked. out is borrowed mutably.
    unsafe {
        matrixmultiply::sgemm(
            n,
            k,
            m,
            1.0,
            a.as_ptr(),
            k as isize,
            1,
            b.as_ptr(),
            1,
            k as isize,
            0.0,
            out.as_mut_ptr(),
            m as isize,
            1,
        );
    }
}

/// Add `a` (n, k) · `columns` (k, m) to `out` (n, m).
///
/// # Panics
/// If the shapes do not agree.
pub fn products_of_columns(a: &[f32], columns: &[f32], m: usize, out: &mut [f32]) {
    let (n, k) = (out.len() / m, columns.len() / m);
    assert!(a.len() == n * k && columns.len() == k * m && out.len() == n * m, "shapes do not agree");
    // SAFETY: a has n rows at distance k, columns has k rows at distance m, out has n rows at distance m; so the
    // largest offsets are one below the three lengths just checked. out is borrowed mutably.
    unsafe {
        matrixmultiply::sgemm(
            n,
            k,
            m,
            1.0,
            a.as_ptr(),
            k as isize,
            1,
            columns.as_ptr(),
            m as isize,
            1,
            1.0,
            out.as_mut_ptr(),
            m as isize,
            1,
        );
    }
}

/// Subtract `columns` (k, n)ᵀ · `b` (k, m) from `out` (n, m).
///
/// # Panics
/// If the shapes do not agree.
pub fn subtract_turned(columns: &[f32], b: &[f32], m: usize, out: &mut [f32]) {
    let (n, k) = (out.len() / m, b.len() / m);
    assert!(columns.len() == k * n && b.len() == k * m && out.len() == n * m, "shapes do not agree");
    // SAFETY: columnsᵀ has n rows at distance 1 and k columns at distance n, b has k rows at distance m, out has n
    // rows at distance m; so the largest offsets are one below the three lengths just checked. out is borrowed
    // mutably.
    unsafe {
        matrixmultiply::sgemm(
            n,
            k,
            m,
            -1.0,
            columns.as_ptr(),
            1,
            n as isize,
            b.as_ptr(),
            m as isize,
            1,
            1.0,
            out.as_mut_ptr(),
            m as isize,
            1,
        );
    }
}

/// `a` (n, k) · `b` (k, m), in float64.
///
/// # Panics
/// If the shapes do not agree.
pub fn multiply(a: &[f64], b: &[f64], k: usize) -> Vec<f64> {
    let (n, m) = (a.len() / k, b.len() / k);
    assert!(a.len() == n * k && b.len() == k * m, "shapes do not agree");
    let mut out = vec![0.0; n * m];
    // SAFETY: a has n rows at distance k, b has k rows at distance m, out has n rows at distance m; so the largest
    // offsets are one below the three lengths.
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

/// Second moment of rows: `xᵀ x / n` of `x` (n, dim), shape (dim, dim), in float64; zeros if there are no rows.
///
/// # Errors
/// The error of `check`, which is called between blocks of rows.
pub fn second_moment(x: &[f32], dim: usize, check: &mut dyn FnMut() -> Result<()>) -> Result<Vec<f64>> {
    /// Few enough rows that float32 sums of them stay accurate.
    const TOGETHER: usize = 2048;
    let mut sums = vec![0.0_f64; dim * dim];
    let mut part = vec![0.0_f32; dim * dim];
    for rows in x.chunks(TOGETHER * dim) {
        check()?;
        gram(rows, dim, &mut part);
        sums.iter_mut().zip(&part).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let rows = (x.len() / dim).max(1) as f64;
    sums.iter_mut().for_each(|sum| *sum /= rows);
    Ok(sums)
}

/// `out` (dim, dim) = `x` (n, dim)ᵀ · `x`.
fn gram(x: &[f32], dim: usize, out: &mut [f32]) {
    let n = x.len() / dim;
    assert!(x.len() == n * dim && out.len() == dim * dim, "shapes do not agree");
    // SAFETY: xᵀ has dim rows at distance 1 and n columns at distance dim, x has n rows at distance dim, out has
    // dim rows at distance dim; so the largest offsets are one below the two lengths just checked.
    unsafe {
        matrixmultiply::sgemm(
            dim,
            n,
            dim,
            1.0,
            x.as_ptr(),
            1,
            dim as isize,
            x.as_ptr(),
            dim as isize,
            1,
            0.0,
            out.as_mut_ptr(),
            dim as isize,
            1,
        );
    }
}

/// Inner product in float32, in four interleaved sums.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Inner product in float64, in eight interleaved sums.
pub fn dot64(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn products_agree_with_the_definition() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, -1.0, 2.0, 2.0, 2.0]);
        let mut out = [0.0; 4];
        products(&a, &b, 3, &mut out);
        assert_eq!(out, [-2.0, 12.0, -2.0, 30.0]);
        products_of_columns(&a, &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], 2, &mut out);
        assert_eq!(out, [-1.0, 14.0, 2.0, 35.0]);
        subtract_turned(&[1.0, 2.0], &[10.0, 20.0], 2, &mut out);
        assert_eq!(out, [-11.0, -6.0, -18.0, -5.0]);
        assert_eq!(second_moment(&a[..4], 2, &mut || Ok(())).unwrap(), [5.0, 7.0, 7.0, 10.0]);
        assert_eq!(second_moment(&[], 2, &mut || Ok(())).unwrap(), [0.0; 4]);
        assert_eq!(multiply(&[1.0, 2.0], &[3.0, 4.0, 5.0, 6.0], 2), [13.0, 16.0]);
    }

    proptest! {
        #[test]
        fn a_dot_product_is_the_sum(values in prop::collection::vec(-8_i32..8, 0..70)) {
            let floats: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            prop_assert_eq!(dot(&floats, &floats), values.iter().map(|v| v * v).sum::<i32>() as f32);
        }
    }
}
