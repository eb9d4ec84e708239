//! The vectors of an index of lists as they are stored: what a row's mean, codes and tier stand for together.
//!
//! So an index can be built anew, or merged with others, without what it was built from.

use crate::codes::DSUB;
use crate::error::{Error, Result};
use crate::index::Index;
use crate::index::view::View;
use crate::math::linalg::products_of_columns;
use crate::parallel::Interrupt;
use crate::vectors::{decode_row, stride};

/// Rows that are put together at a time.
const PIECE_ROWS: usize = 256;

impl Index {
    /// The stored vectors of these rows, shape (n, dim). A search scores with the same values, but for the rounding of
    /// the query, and for the stretch of rows without a tier.
    ///
    /// # Errors
    /// [`Error::RowRange`] for a row that is not there.
    pub fn vectors(&self, rows: &[usize]) -> Result<Vec<f32>> {
        self.vectors_with(rows, Interrupt::NEVER)
    }

    /// [`Index::vectors`], which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`Index::vectors`], and [`Error::Stopped`].
    pub fn vectors_with(&self, rows: &[usize], interrupt: Interrupt<'_>) -> Result<Vec<f32>> {
        let shape = *self.shape();
        if let Some(&got) = rows.iter().find(|&&row| row >= shape.rows) {
            return Err(Error::RowRange { rows: shape.rows, got });
        }
        let (view, mut values) = (self.view(), vec![0.0; rows.len() * shape.dim]);
        let turn = turned_back(&view);
        let mut coded = vec![0.0; PIECE_ROWS * shape.m * DSUB];
        for (rows, values) in rows.chunks(PIECE_ROWS).zip(values.chunks_mut(PIECE_ROWS * shape.dim)) {
            interrupt.check()?;
            let coded = &mut coded[..rows.len() * shape.m * DSUB];
            for ((&row, coded), values) in rows
                .iter()
                .zip(coded.chunks_exact_mut(shape.m * DSUB))
                .zip(values.chunks_exact_mut(shape.dim))
            {
                let (block, place) = view.block_of(row);
                view.books.decode(block, place, coded);
                view.refiner.add_to_coded(row, coded);
                add_mean(&view, view.list_of(row), values);
                view.refiner.add_to(row, values);
            }
            products_of_columns(coded, &turn, shape.dim, values);
        }
        Ok(values)
    }
}

/// The matrix that queries are multiplied with, shape (4m, dim): its columns turn coded values back.
fn turned_back(view: &View<'_>) -> Vec<f32> {
    let dim = view.shape.dim;
    let mut matrix = vec![0.0; view.b_scales.len() * dim];
    let rows = view.b.chunks_exact(stride(dim)).zip(view.b_scales);
    for ((codes, &scale), values) in rows.zip(matrix.chunks_exact_mut(dim)) {
        decode_row(codes, scale, values);
    }
    matrix
}

fn add_mean(view: &View<'_>, list: usize, values: &mut [f32]) {
    let codes = &view.means[list * stride(values.len())..];
    for (value, &code) in values.iter_mut().zip(codes) {
        *value += f32::from(code) * view.mean_scales[list];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::ivf::Plan;
    use crate::index::opened::tests::{DIM, file, open, rows};
    use crate::tier::refine::Tier;

    const COUNT: usize = 900;

    #[test]
    fn stored_vectors_are_near_those_that_were_built_from() {
        let values = rows(COUNT);
        for (tier, error) in [
            (Tier::Float16, 0.001),
            (Tier::Int8, 0.002),
            (Tier::Int4, 0.1),
            (Tier::Tcq3, 0.2),
            (Tier::Tcq2, 0.4),
            (Tier::None, 0.8),
        ] {
            let index = open(&file(COUNT, tier)).unwrap();
            let all: Vec<usize> = (0..COUNT).rev().collect();
            let stored = index.vectors(&all).unwrap();
            for (&row, stored) in all.iter().zip(stored.chunks_exact(DIM)) {
                let expected = &values[index.ids()[row] as usize * DIM..][..DIM];
                let worst = stored.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < error, "{tier:?}: {worst} at row {row}");
            }
        }
    }

    #[test]
    fn a_score_is_the_product_with_the_stored_vector() {
        let query: Vec<f32> = (0..DIM).map(|at| (at as f32 * 0.7).cos()).collect();
        for tier in [Tier::Float16, Tier::Int8, Tier::Int4, Tier::Tcq3, Tier::Tcq2] {
            let index = open(&file(COUNT, tier)).unwrap();
            let plan = Plan { k: COUNT, nprobe: 1, shortlist: 1, exact: true };
            for hit in index.hits(&query, plan, None).unwrap() {
                let stored = index.vectors(&[hit.row as usize]).unwrap();
                let product: f32 = stored.iter().zip(&query).map(|(a, b)| a * b).sum();
                assert!((product - hit.score).abs() < 2e-3, "{tier:?}: {product} for {}", hit.score);
            }
        }
    }

    #[test]
    fn a_row_that_is_not_there_is_refused() {
        let index = open(&file(3, Tier::Int8)).unwrap();
        assert!(matches!(index.vectors(&[0, 3]), Err(Error::RowRange { rows: 3, got: 3 })));
        assert!(index.vectors(&[]).unwrap().is_empty());
    }
}
