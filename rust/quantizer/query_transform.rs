//! The query-aware linear transform before product quantization.
//!
//! Codes encode `y = A x`, queries are projected to `q' = B q`, and `Aᵀ B = I` keeps inner products: `q'·y = q·x`.
//!
//! Text queries and image vectors are distributed differently, so a code that minimises the squared error of vectors spends
//! bits on differences that no query sees. With `C` the second moment of queries, the expected squared error of a score is
//! `dᵀ C d`. With `A = C^p` the ordinary squared error of a code approaches it as p goes from 0 to 0.5. Then the residuals are
//! rotated to their principal axes, which are allocated to subquantizers by OPQ's eigenvalue allocation (Ge et al.,
//! "Optimized product quantization", 2013).

use crate::error::Result;
use crate::linalg::eigh::{Eigen, eigh};
use crate::linalg::gemm::matmul_f64;
use crate::parallel::Interrupt;
use crate::quantizer::pq::DSUB;

/// Weight of the vectors' own second moment in `C`, so that queries by image do well too.
const VECTOR_SHARE: f64 = 0.3;

/// Weight of the identity in `C`: no direction is taken to be without queries.
const SHRINKAGE: f64 = 0.05;

/// The kind of transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransformKind {
    /// None: `A = I`.
    Identity,
    /// Principal axes of the residuals, allocated.
    Pca,
    /// `C^0.25`, then principal axes, allocated.
    Query25,
    /// `C^0.5`, then principal axes, allocated.
    Query50,
}

/// Names of the transforms.
pub const TRANSFORMS: [(&str, TransformKind); 4] = [
    ("identity", TransformKind::Identity),
    ("pca", TransformKind::Pca),
    ("query-0.25", TransformKind::Query25),
    ("query-0.5", TransformKind::Query50),
];

impl TransformKind {
    /// All, by number.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Pca, Self::Query25, Self::Query50];

    /// Its number in a file: the index in [`TransformKind::ALL`].
    pub fn number(self) -> u32 {
        self as u32
    }

    fn power(self) -> f64 {
        match self {
            TransformKind::Identity | TransformKind::Pca => 0.0,
            TransformKind::Query25 => 0.25,
            TransformKind::Query50 => 0.5,
        }
    }
}

/// Both sides of a transform, shape (4m, dim) each, row-major.
#[derive(Clone, Debug)]
pub struct Transform {
    /// For rows.
    pub a: Vec<f32>,
    /// For queries.
    pub b: Vec<f32>,
}

/// The statistics that transforms are fitted to. All second moments are uncentred and have shape (dim, dim).
#[derive(Debug)]
pub struct SecondMoments {
    dim: usize,
    /// Of queries, mixed with that of vectors and shrunk towards the identity.
    queries: Eigen,
    residuals: Vec<f64>,
}

impl SecondMoments {
    /// Combine the second moments of sample queries (if there are any), of vectors and of their residuals.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub fn new(
        queries: Option<&[f64]>,
        vectors: &[f64],
        residuals: Vec<f64>,
        dim: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<Self> {
        let queries = queries.unwrap_or(vectors);
        let mixed = queries.iter().zip(vectors).map(|(q, x)| (1.0 - VECTOR_SHARE) * q + VECTOR_SHARE * x);
        let mut mixed: Vec<f64> = mixed.collect();
        let mean_eigenvalue = (0..dim).map(|i| mixed[i * dim + i]).sum::<f64>() / dim as f64;
        // For vectors that are all zero, any isotropic moment will do.
        let mean_eigenvalue = if mean_eigenvalue > 0.0 { mean_eigenvalue } else { 1.0 };
        mixed.iter_mut().for_each(|value| *value *= 1.0 - SHRINKAGE);
        (0..dim).for_each(|i| mixed[i * dim + i] += SHRINKAGE * mean_eigenvalue);
        Ok(Self { dim, queries: eigh(mixed, dim, interrupt)?, residuals })
    }

    /// Return the second moment of queries, mixed and shrunk, up to a factor: shape (dim, dim).
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub fn query_second_moment(&self, interrupt: Interrupt<'_>) -> Result<Vec<f64>> {
        let root = self.power(0.5);
        matmul(&transposed(&root, self.dim), &root, self.dim, interrupt)
    }

    /// Fit the transform of a kind for `m` subquantizers. If dim < 4m, the last rows are zero; if dim > 4m, the axes of least
    /// energy are dropped.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub fn fit(&self, kind: TransformKind, m: usize, interrupt: Interrupt<'_>) -> Result<Transform> {
        if kind == TransformKind::Identity {
            return Ok(self.identity(m));
        }
        let dim = self.dim;
        let (forward, inverse) = (self.power(kind.power()), self.power(-kind.power()));
        let half = matmul(&forward, &self.residuals, dim, interrupt)?;
        let energy = matmul(&half, &transposed(&forward, dim), dim, interrupt)?;
        let axes = eigh(energy, dim, interrupt)?;
        let order = allocate_axes(&axes.values, m);
        let side = |power: &[f64]| -> Result<Vec<f32>> {
            let rotated = matmul(&axes.vectors, power, dim, interrupt)?;
            Ok(order.iter().flat_map(|&axis| row_or_zeros(&rotated, axis, dim)).collect())
        };
        Ok(Transform { a: side(&forward)?, b: side(&inverse)? })
    }

    fn identity(&self, m: usize) -> Transform {
        let dim = self.dim;
        let a: Vec<f32> = (0..m * DSUB * dim).map(|i| f32::from(u8::from(i / dim == i % dim))).collect();
        Transform { b: a.clone(), a }
    }

    /// Return `C^power` in the coordinates of its own axes (rows are the axes), scaled to a geometric mean of 1.
    fn power(&self, power: f64) -> Vec<f64> {
        let floor = f64::MIN_POSITIVE;
        let logs = || self.queries.values.iter().map(|value| value.max(floor).ln());
        let mean_log = logs().sum::<f64>() / self.dim as f64;
        let factors: Vec<f64> = logs().map(|log| (power * (log - mean_log)).exp()).collect();
        let rows = self.queries.vectors.chunks_exact(self.dim).zip(factors);
        rows.flat_map(|(row, factor)| row.iter().map(move |value| value * factor)).collect()
    }
}

/// [`matmul_f64`] of `a` (n, k) and `b` (k, m), with a check between blocks of rows.
fn matmul(a: &[f64], b: &[f64], k: usize, interrupt: Interrupt<'_>) -> Result<Vec<f64>> {
    const ROWS: usize = 32;
    let mut out = Vec::with_capacity(a.len() / k * (b.len() / k));
    for rows in a.chunks(ROWS * k) {
        interrupt.check()?;
        out.extend(matmul_f64(rows, b, k));
    }
    Ok(out)
}

fn transposed(matrix: &[f64], n: usize) -> Vec<f64> {
    (0..n * n).map(|i| matrix[i % n * n + i / n]).collect()
}

fn row_or_zeros(matrix: &[f64], row: Option<usize>, dim: usize) -> impl Iterator<Item = f32> {
    let row = row.map(|row| &matrix[row * dim..][..dim]);
    (0..dim).map(move |i| row.map_or(0.0, |row| row[i] as f32))
}

/// Allocate axes of falling energy to `m` subquantizers of four axes each (OPQ's eigenvalue allocation).
///
/// Each axis goes to the open subquantizer with the smallest product of energies, so that all encode about equal energy.
/// Returns the axis of each of the 4m dimensions; `None` where there are too few axes.
fn allocate_axes(energies: &[f64], m: usize) -> Vec<Option<usize>> {
    let kept = energies.len().min(m * DSUB);
    let floor = energies.first().map_or(1.0, |largest| largest.max(f64::MIN_POSITIVE) * 1e-12);
    let log = |axis: usize| energies[axis].max(floor).ln();
    let smallest_log = (0..kept).map(log).fold(f64::INFINITY, f64::min);
    let mut bins: Vec<(f64, Vec<Option<usize>>)> = vec![(0.0, Vec::with_capacity(DSUB)); m];
    for axis in 0..m * DSUB {
        let open = bins.iter_mut().filter(|(_, bin)| bin.len() < DSUB);
        let smallest = open.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.len().cmp(&b.1.len())));
        if let Some((sum, bin)) = smallest {
            let allocated = (axis < kept).then_some(axis);
            *sum += allocated.map_or(0.0, |axis| log(axis) - smallest_log);
            bin.push(allocated);
        }
    }
    bins.into_iter().flat_map(|(_, bin)| bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::gemm::second_moment;
    use crate::linalg::rng::Rng;

    fn rows(n: usize, dim: usize, purpose: u64) -> Vec<f32> {
        let mut rng = Rng::new(4, purpose);
        (0..n * dim).map(|i| rng.normal() / (1 + (i + purpose as usize) % dim) as f32).collect()
    }

    fn moments(dim: usize) -> SecondMoments {
        let of = |purpose| second_moment(&rows(500, dim, purpose), dim, Interrupt::NEVER).unwrap();
        SecondMoments::new(Some(&of(1)), &of(2), of(3), dim, Interrupt::NEVER).unwrap()
    }

    /// Return the largest deviation of `Bᵀ A` from the identity.
    fn round_trip(transform: &Transform, dim: usize) -> f32 {
        let mut error = 0.0_f32;
        for i in 0..dim {
            for j in 0..dim {
                let rows = transform.a.chunks_exact(dim).zip(transform.b.chunks_exact(dim));
                let product: f32 = rows.map(|(a, b)| b[i] * a[j]).sum();
                error = error.max((product - f32::from(u8::from(i == j))).abs());
            }
        }
        error
    }

    #[test]
    fn transforms_preserve_inner_products() {
        for (dim, m) in [(8, 4), (18, 8), (1, 4)] {
            for kind in TransformKind::ALL {
                let transform = moments(dim).fit(kind, m, Interrupt::NEVER).unwrap();
                assert_eq!(transform.a.len(), m * DSUB * dim);
                assert!(round_trip(&transform, dim) < 1e-5, "{kind:?} {dim}");
            }
        }
    }

    #[test]
    fn zero_moments_give_a_valid_transform() {
        let moments = SecondMoments::new(None, &[0.0; 16], vec![0.0; 16], 4, Interrupt::NEVER).unwrap();
        for kind in TransformKind::ALL {
            assert!(round_trip(&moments.fit(kind, 4, Interrupt::NEVER).unwrap(), 4) < 1e-6);
        }
    }

    #[test]
    fn allocation_balances_the_energy_of_subquantizers() {
        let energies: Vec<f64> = (0..64).map(|axis| 1.0 / (1.0 + f64::from(axis))).collect();
        let allocated = allocate_axes(&energies, 16);
        let mut axes: Vec<usize> = allocated.iter().flatten().copied().collect();
        axes.sort_unstable();
        assert_eq!(axes, (0..64).collect::<Vec<_>>());
        let logs: Vec<f64> =
            allocated.chunks(4).map(|bin| bin.iter().flatten().map(|&a| energies[a].ln()).sum()).collect();
        let (min, max) = logs.iter().fold((f64::MAX, f64::MIN), |(l, m), &x| (l.min(x), m.max(x)));
        assert!(max - min < 3.0, "{min} {max}");
        assert_eq!(allocate_axes(&energies, 8).iter().flatten().max(), Some(&31));
    }
}
