//! The transform: codes see `y = A x`, queries ask with `q' = B q`, and `q'·y = q·x` because `Aᵀ B = I`.
//!
//! Text queries do not lie where pictures lie, so a code that spends its bits where pictures differ most spends them
//! on differences that no query asks for. With `C` the second moment of queries, the error of a score is small
//! where `C` is: `A = C^p` makes the ordinary squared error of a code the error that queries see, more or less as p goes
//! from 0 to 0.5. Then the residuals' principal axes are dealt out so that every subquantizer codes about
//! equal (log-)energy.

use crate::codes::DSUB;
use crate::error::Result;
use crate::math::eigen::{Eigen, eigen};
use crate::math::linalg::multiply;

/// Called between steps of tens of milliseconds; an error from it ends the work.
type Check<'a> = dyn FnMut() -> Result<()> + 'a;

/// Share of the vectors' own second moment in `C`, so that queries by picture do well too.
const VECTOR_SHARE: f64 = 0.3;

/// Share of a sphere in `C`: no direction is taken for one that nobody asks for.
const SHRINKAGE: f64 = 0.05;

/// How rows and queries are turned before rows are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not at all.
    Identity,
    /// Principal axes of the residuals, dealt.
    Pca,
    /// `C^0.25`, then principal axes, dealt.
    Query25,
    /// `C^0.5`, then principal axes, dealt.
    Query50,
}

impl Kind {
    /// All, by number.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Pca, Self::Query25, Self::Query50];

    /// Its number in a file: the place in [`Kind::ALL`].
    pub fn number(self) -> u32 {
        self as u32
    }

    fn power(self) -> f64 {
        match self {
            Kind::Identity | Kind::Pca => 0.0,
            Kind::Query25 => 0.25,
            Kind::Query50 => 0.5,
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

/// What transforms are fitted to; all second moments have shape (dim, dim).
#[derive(Debug)]
pub struct Moments {
    dim: usize,
    /// Of queries, mixed and shrunk.
    asked: Eigen,
    /// Of residuals.
    residuals: Vec<f64>,
}

impl Moments {
    /// From the second moments of sample queries (if there are any), of vectors and of their residuals.
    ///
    /// # Errors
    /// The error of `check`.
    pub fn new(
        queries: Option<&[f64]>,
        vectors: &[f64],
        residuals: Vec<f64>,
        dim: usize,
        check: &mut Check<'_>,
    ) -> Result<Self> {
        let queries = queries.unwrap_or(vectors);
        let mixed = queries.iter().zip(vectors).map(|(q, x)| (1.0 - VECTOR_SHARE) * q + VECTOR_SHARE * x);
        let mut mixed: Vec<f64> = mixed.collect();
        let sphere = (0..dim).map(|at| mixed[at * dim + at]).sum::<f64>() / dim as f64;
        // Vectors that are all zero are asked for evenly.
        let sphere = if sphere > 0.0 { sphere } else { 1.0 };
        mixed.iter_mut().for_each(|value| *value *= 1.0 - SHRINKAGE);
        (0..dim).for_each(|at| mixed[at * dim + at] += SHRINKAGE * sphere);
        Ok(Self { dim, asked: eigen(mixed, dim, check)?, residuals })
    }

    /// The second moment of queries, mixed and shrunk, but for a factor: shape (dim, dim).
    ///
    /// # Errors
    /// The error of `check`.
    pub fn asked(&self, check: &mut Check<'_>) -> Result<Vec<f64>> {
        let root = self.power(0.5);
        multiply_checked(&transposed(&root, self.dim), &root, self.dim, check)
    }

    /// Fit the transform of a kind for `m` subquantizers. With fewer dimensions than 4m, the last rows are
    /// zero; with more, the axes of least energy are left out.
    ///
    /// # Errors
    /// The error of `check`.
    pub fn fit(&self, kind: Kind, m: usize, check: &mut Check<'_>) -> Result<Transform> {
        if kind == Kind::Identity {
            return Ok(self.identity(m));
        }
        let dim = self.dim;
        let (wide, narrow) = (self.power(kind.power()), self.power(-kind.power()));
        let half = multiply_checked(&wide, &self.residuals, dim, check)?;
        let energy = multiply_checked(&half, &transposed(&wide, dim), dim, check)?;
        let axes = eigen(energy, dim, check)?;
        let order = deal(&axes.values, m);
        let mut side = |power: &[f64]| -> Result<Vec<f32>> {
            let turned = multiply_checked(&axes.vectors, power, dim, check)?;
            Ok(order.iter().flat_map(|&axis| row_or_zeros(&turned, axis, dim)).collect())
        };
        Ok(Transform { a: side(&wide)?, b: side(&narrow)? })
    }

    fn identity(&self, m: usize) -> Transform {
        let dim = self.dim;
        let a: Vec<f32> = (0..m * DSUB * dim).map(|at| f32::from(u8::from(at / dim == at % dim))).collect();
        Transform { b: a.clone(), a }
    }

    /// `C^power` in the coordinates of its own axes, scaled so that its geometric mean is 1: rows are the axes.
    fn power(&self, power: f64) -> Vec<f64> {
        let floor = f64::MIN_POSITIVE;
        let logs = || self.asked.values.iter().map(|value| value.max(floor).ln());
        let middle = logs().sum::<f64>() / self.dim as f64;
        let factors: Vec<f64> = logs().map(|log| (power * (log - middle)).exp()).collect();
        let rows = self.asked.vectors.chunks_exact(self.dim).zip(factors);
        rows.flat_map(|(row, factor)| row.iter().map(move |value| value * factor)).collect()
    }
}

/// [`multiply`] of `a` (n, k) and `b` (k, m), with a check between blocks of rows.
fn multiply_checked(a: &[f64], b: &[f64], k: usize, check: &mut Check<'_>) -> Result<Vec<f64>> {
    const ROWS: usize = 32;
    let mut out = Vec::with_capacity(a.len() / k * (b.len() / k));
    for rows in a.chunks(ROWS * k) {
        check()?;
        out.extend(multiply(rows, b, k));
    }
    Ok(out)
}

fn transposed(matrix: &[f64], n: usize) -> Vec<f64> {
    (0..n * n).map(|at| matrix[at % n * n + at / n]).collect()
}

fn row_or_zeros(matrix: &[f64], row: Option<usize>, dim: usize) -> impl Iterator<Item = f32> {
    let row = row.map(|row| &matrix[row * dim..][..dim]);
    (0..dim).map(move |at| row.map_or(0.0, |row| row[at] as f32))
}

/// Deal axes of falling energy to `m` subquantizers of four: each goes to the one with the least log-energy that has
/// room. Returns the axis for each of the 4m places, none where there are too few axes.
fn deal(energies: &[f64], m: usize) -> Vec<Option<usize>> {
    let kept = energies.len().min(m * DSUB);
    let floor = energies.first().map_or(1.0, |most| most.max(f64::MIN_POSITIVE) * 1e-12);
    let log = |axis: usize| energies[axis].max(floor).ln();
    let least = (0..kept).map(log).fold(f64::INFINITY, f64::min);
    let mut hands: Vec<(f64, Vec<Option<usize>>)> = vec![(0.0, Vec::with_capacity(DSUB)); m];
    for axis in 0..m * DSUB {
        let open = hands.iter_mut().filter(|(_, hand)| hand.len() < DSUB);
        let poorest = open.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.len().cmp(&b.1.len())));
        if let Some((sum, hand)) = poorest {
            let dealt = (axis < kept).then_some(axis);
            *sum += dealt.map_or(0.0, |axis| log(axis) - least);
            hand.push(dealt);
        }
    }
    hands.into_iter().flat_map(|(_, hand)| hand).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::linalg::second_moment;
    use crate::math::random::Random;

    fn rows(n: usize, dim: usize, purpose: u64) -> Vec<f32> {
        let mut random = Random::new(4, purpose);
        (0..n * dim).map(|at| random.normal() / (1 + (at + purpose as usize) % dim) as f32).collect()
    }

    fn moments(dim: usize) -> Moments {
        let of = |purpose| second_moment(&rows(500, dim, purpose), dim, &mut || Ok(())).unwrap();
        Moments::new(Some(&of(1)), &of(2), of(3), dim, &mut || Ok(())).unwrap()
    }

    /// `Bᵀ A`, which must be the identity.
    fn round_trip(transform: &Transform, dim: usize) -> f32 {
        let mut off = 0.0_f32;
        for i in 0..dim {
            for j in 0..dim {
                let rows = transform.a.chunks_exact(dim).zip(transform.b.chunks_exact(dim));
                let product: f32 = rows.map(|(a, b)| b[i] * a[j]).sum();
                off = off.max((product - f32::from(u8::from(i == j))).abs());
            }
        }
        off
    }

    #[test]
    fn inner_products_are_kept() {
        for (dim, m) in [(8, 4), (18, 8), (1, 4)] {
            for kind in Kind::ALL {
                let transform = moments(dim).fit(kind, m, &mut || Ok(())).unwrap();
                assert_eq!(transform.a.len(), m * DSUB * dim);
                assert!(round_trip(&transform, dim) < 1e-5, "{kind:?} {dim}");
            }
        }
    }

    #[test]
    fn zeros_have_a_transform_too() {
        let moments = Moments::new(None, &[0.0; 16], vec![0.0; 16], 4, &mut || Ok(())).unwrap();
        for kind in Kind::ALL {
            assert!(round_trip(&moments.fit(kind, 4, &mut || Ok(())).unwrap(), 4) < 1e-6);
        }
    }

    #[test]
    fn every_subquantizer_gets_four_axes_and_like_energy() {
        let energies: Vec<f64> = (0..64).map(|axis| 1.0 / (1.0 + f64::from(axis))).collect();
        let dealt = deal(&energies, 16);
        let mut axes: Vec<usize> = dealt.iter().flatten().copied().collect();
        axes.sort_unstable();
        assert_eq!(axes, (0..64).collect::<Vec<_>>());
        let logs: Vec<f64> =
            dealt.chunks(4).map(|hand| hand.iter().flatten().map(|&a| energies[a].ln()).sum()).collect();
        let (least, most) = logs.iter().fold((f64::MAX, f64::MIN), |(l, m), &x| (l.min(x), m.max(x)));
        assert!(most - least < 3.0, "{least} {most}");
        assert_eq!(deal(&energies, 8).iter().flatten().max(), Some(&31));
    }
}
