//! Eigendecomposition of a symmetric matrix, in float64: Householder tridiagonalization, then implicit QL with Wilkinson's
//! shift (Golub and Van Loan, Matrix Computations, chapter 8). A few hundred rows take a fraction of a second.

use crate::error::Result;
use crate::linalg::gemm::dot_f64;
use crate::parallel::Interrupt;

/// Eigenvalues, largest first, and their eigenvectors.
#[derive(Debug)]
pub struct Eigen {
    /// Shape (n,), falling.
    pub values: Vec<f64>,
    /// Shape (n, n): row i is the unit eigenvector of value i, its largest component positive.
    pub vectors: Vec<f64>,
}

/// Decompose a symmetric matrix, shape (n, n). `interrupt` is checked once a row or more often.
///
/// # Errors
/// [`crate::Error::Stopped`].
///
/// # Panics
/// If the matrix is not square.
pub fn eigh(mut matrix: Vec<f64>, n: usize, interrupt: Interrupt<'_>) -> Result<Eigen> {
    assert_eq!(matrix.len(), n * n, "the matrix is not square");
    let (mut diagonal, mut off_diagonal, reflections) = tridiagonalize(&mut matrix, n, interrupt)?;
    let mut vectors = product_of_reflections(&reflections, n, interrupt)?;
    diagonalize(&mut diagonal, &mut off_diagonal, &mut vectors, interrupt)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| diagonal[b].total_cmp(&diagonal[a]));
    let values = order.iter().map(|&row| diagonal[row]).collect();
    let vectors = order.iter().flat_map(|&row| with_fixed_sign(&vectors[row * n..][..n])).collect();
    Ok(Eigen { values, vectors })
}

/// An eigenvector is unique up to its sign: make the largest component positive.
fn with_fixed_sign(vector: &[f64]) -> impl Iterator<Item = f64> {
    let largest = vector.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
    let sign = if largest < 0.0 { -1.0 } else { 1.0 };
    vector.iter().map(move |value| value * sign)
}

/// A Householder reflection `I - beta v vᵀ` of the coordinates from `first` on.
struct Reflection {
    first: usize,
    v: Vec<f64>,
    beta: f64,
}

/// Reduce to tridiagonal form: the diagonal (n,), the off-diagonal (n, the last unused), and the reflections.
fn tridiagonalize(
    a: &mut [f64],
    n: usize,
    interrupt: Interrupt<'_>,
) -> Result<(Vec<f64>, Vec<f64>, Vec<Reflection>)> {
    let mut off_diagonal = vec![0.0; n];
    let mut reflections = Vec::with_capacity(n);
    for k in 0..n.saturating_sub(1) {
        interrupt.check()?;
        // By symmetry the column below the diagonal equals the row right of it.
        let (reflection, head) = reflect(&a[k * n + k + 1..(k + 1) * n], k + 1);
        off_diagonal[k] = head;
        apply_both_sides(&mut a[(k + 1) * n..], n, &reflection);
        reflections.push(reflection);
    }
    let diagonal = (0..n).map(|k| a[k * n + k]).collect();
    Ok((diagonal, off_diagonal, reflections))
}

/// Return the reflection that maps `x` to `(head, 0, 0, ...)`, and that head.
fn reflect(x: &[f64], first: usize) -> (Reflection, f64) {
    let norm = x.iter().map(|value| value * value).sum::<f64>().sqrt();
    let mut v = x.to_vec();
    let head = if x[0] > 0.0 { -norm } else { norm };
    v[0] -= head;
    let square: f64 = v.iter().map(|value| value * value).sum();
    let beta = if square > 0.0 { 2.0 / square } else { 0.0 };
    (Reflection { first, v, beta }, head)
}

/// Replace the trailing block by `H block H`; `rows` are the block's rows, `n` values each.
fn apply_both_sides(rows: &mut [f64], n: usize, reflection: &Reflection) {
    let Reflection { first, v, beta } = reflection;
    let mut p: Vec<f64> = rows.chunks_exact(n).map(|row| beta * dot_f64(&row[*first..], v)).collect();
    let half = beta / 2.0 * dot_f64(&p, v);
    p.iter_mut().zip(v).for_each(|(p, v)| *p -= half * v);
    for (row, (vi, pi)) in rows.chunks_exact_mut(n).zip(v.iter().zip(&p)) {
        let pairs = v.iter().zip(&p);
        row[*first..].iter_mut().zip(pairs).for_each(|(value, (v, p))| *value -= vi * p + pi * v);
    }
}

/// Return the transposed product of all reflections, shape (n, n).
fn product_of_reflections(
    reflections: &[Reflection],
    n: usize,
    interrupt: Interrupt<'_>,
) -> Result<Vec<f64>> {
    let mut q = vec![0.0; n * n];
    (0..n).for_each(|k| q[k * n + k] = 1.0);
    for Reflection { first, v, beta } in reflections.iter().rev() {
        interrupt.check()?;
        // H Q = Q - beta v (vᵀ Q); kept transposed, so that rows of `q` are columns of Q.
        for row in q.chunks_exact_mut(n).skip(*first) {
            let scale = beta * dot_f64(&row[*first..], v);
            row[*first..].iter_mut().zip(v).for_each(|(value, v)| *value -= scale * v);
        }
    }
    Ok(q)
}

/// Implicit QL: reduce the tridiagonal matrix to its eigenvalues, and apply the rotations to the rows of `vectors`.
fn diagonalize(
    diagonal: &mut [f64],
    off_diagonal: &mut [f64],
    vectors: &mut [f64],
    interrupt: Interrupt<'_>,
) -> Result<()> {
    for first in 0..diagonal.len() {
        // An eigenvalue nearly always converges in two or three steps; the limit only ends what NaN would make endless.
        for _ in 0..64 {
            interrupt.check()?;
            let last = unreduced_end(diagonal, off_diagonal, first);
            if last == first {
                break;
            }
            ql_step(diagonal, off_diagonal, vectors, first..last);
        }
    }
    Ok(())
}

/// Return the last row of the unreduced block that begins at `first`.
fn unreduced_end(diagonal: &[f64], off_diagonal: &[f64], first: usize) -> usize {
    let coupled = |&row: &usize| {
        let scale = diagonal[row].abs() + diagonal[row + 1].abs();
        off_diagonal[row].abs() > f64::EPSILON * scale
    };
    (first..diagonal.len() - 1).find(|row| !coupled(row)).unwrap_or(diagonal.len() - 1)
}

/// One step with Wilkinson's shift on the rows `block.start..=block.end`.
fn ql_step(
    diagonal: &mut [f64],
    off_diagonal: &mut [f64],
    vectors: &mut [f64],
    block: std::ops::Range<usize>,
) {
    let n = diagonal.len();
    let (first, last) = (block.start, block.end);
    let mut g = (diagonal[first + 1] - diagonal[first]) / (2.0 * off_diagonal[first]);
    g = diagonal[last] - diagonal[first] + off_diagonal[first] / (g + g.hypot(1.0).copysign(g));
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for row in block.rev() {
        let (f, b) = (sine * off_diagonal[row], cosine * off_diagonal[row]);
        let length = f.hypot(g);
        off_diagonal[row + 1] = length;
        if length == 0.0 {
            // The block decouples here: the next step works on its parts.
            diagonal[row + 1] -= shift;
            off_diagonal[last] = 0.0;
            return;
        }
        (sine, cosine) = (f / length, g / length);
        g = diagonal[row + 1] - shift;
        let r = (diagonal[row] - g) * sine + 2.0 * cosine * b;
        shift = sine * r;
        diagonal[row + 1] = g + shift;
        g = cosine * r - b;
        givens_rotation(&mut vectors[row * n..(row + 2) * n], n, sine, cosine);
    }
    diagonal[first] -= shift;
    off_diagonal[first] = g;
    off_diagonal[last] = 0.0;
}

/// Apply a Givens rotation to two neighbouring rows.
fn givens_rotation(rows: &mut [f64], n: usize, sine: f64, cosine: f64) {
    let (upper, lower) = rows.split_at_mut(n);
    for (u, l) in upper.iter_mut().zip(lower) {
        let f = *l;
        *l = sine * *u + cosine * f;
        *u = cosine * *u - sine * f;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linalg::gemm::matmul_f64;

    fn symmetric(values: &[f64], n: usize) -> Vec<f64> {
        (0..n * n).map(|i| values[(i / n).max(i % n) * n + (i / n).min(i % n)]).collect()
    }

    fn check(matrix: &[f64], n: usize) {
        let Eigen { values, vectors } = eigh(matrix.to_vec(), n, Interrupt::NEVER).unwrap();
        let scale = matrix.iter().fold(1e-300_f64, |max, value| max.max(value.abs())) * n as f64;
        assert!(values.is_sorted_by(|a, b| a >= b));
        for (value, vector) in values.iter().zip(vectors.chunks_exact(n)) {
            let image = matmul_f64(matrix, vector, n);
            let error =
                image.iter().zip(vector).map(|(image, v)| (image - value * v).abs()).fold(0.0, f64::max);
            assert!(error <= 1e-12 * scale, "off by {error} at scale {scale}");
        }
        for a in 0..n {
            for b in 0..n {
                let product = dot_f64(&vectors[a * n..][..n], &vectors[b * n..][..n]);
                assert!((product - f64::from(u8::from(a == b))).abs() < 1e-11);
            }
        }
    }

    #[test]
    fn special_matrices_are_decomposed() {
        check(&[3.0], 1);
        check(&[0.0; 49], 7);
        let diagonal: Vec<f64> = (0..49).map(|i| if i % 8 == 0 { f64::from(i) } else { 0.0 }).collect();
        check(&diagonal, 7);
        check(&[1.0; 64], 8);
    }

    proptest! {
        #[test]
        fn any_symmetric_matrix_is_decomposed(n in 1_usize..24, values in prop::collection::vec(-9_f64..9.0, 24 * 24)) {
            check(&symmetric(&values, n), n);
        }
    }
}
