//! A matrix times a query, `q' = B q`, with one order of additions on every CPU.
//!
//! The loops are plain Rust over sixteen running sums, which compilers turn into the widest registers they may use; that
//! no step is fused or reordered makes the result the same to the bit wherever it runs.

/// Running sums of a product.
const SUMS: usize = 16;

/// Multiply `matrix`, shape (n, dim), row-major, with `query`, shape (dim,), into `out`, shape (n,).
///
/// # Panics
/// If the shapes do not agree or `query` is empty.
pub fn project(matrix: &[f32], query: &[f32], out: &mut [f32]) {
    assert!(
        !query.is_empty() && matrix.len() == out.len() * query.len(),
        "matrix, query and out do not agree"
    );
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 was found just now.
        return unsafe { project_avx2(matrix, query, out) };
    }
    multiply(matrix, query, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn project_avx2(matrix: &[f32], query: &[f32], out: &mut [f32]) {
    multiply(matrix, query, out);
}

#[inline(always)]
fn multiply(matrix: &[f32], query: &[f32], out: &mut [f32]) {
    for (value, row) in out.iter_mut().zip(matrix.chunks_exact(query.len())) {
        *value = dot(row, query);
    }
}

#[inline(always)]
fn dot(row: &[f32], query: &[f32]) -> f32 {
    let (rows, row_tail) = row.as_chunks::<SUMS>();
    let (queries, query_tail) = query.as_chunks::<SUMS>();
    let mut sums = [0.0; SUMS];
    for (row, query) in rows.iter().zip(queries) {
        for at in 0..SUMS {
            sums[at] += row[at] * query[at];
        }
    }
    for ((sum, row), query) in sums.iter_mut().zip(row_tail).zip(query_tail) {
        *sum += row * query;
    }
    fold(sums)
}

/// Halves added to halves until one sum is left.
#[inline(always)]
fn fold(mut sums: [f32; SUMS]) -> f32 {
    let mut width = SUMS / 2;
    while width > 0 {
        for at in 0..width {
            sums[at] += sums[at + width];
        }
        width /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_cpu_gives_the_same_bits_and_the_right_ones(
            (matrix, query) in (1_usize..70, 0_usize..9).prop_flat_map(|(dim, rows)| {
                let values = |count| prop::collection::vec(-1_f32..1.0, count);
                (values(dim * rows), values(dim))
            })
        ) {
            let rows = matrix.len() / query.len();
            let (mut out, mut plain) = (vec![0.0; rows], vec![0.0; rows]);
            project(&matrix, &query, &mut out);
            multiply(&matrix, &query, &mut plain);
            prop_assert_eq!(&out, &plain);
            for (value, row) in out.iter().zip(matrix.chunks_exact(query.len())) {
                let expected: f64 = row.iter().zip(&query).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
                prop_assert!((f64::from(*value) - expected).abs() < 1e-5);
            }
        }
    }
}
