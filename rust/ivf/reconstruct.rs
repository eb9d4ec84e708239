//! Reconstructs vectors from what is stored: centroid + inverse projection of the PQ codes + refine code.
//!
//! So an index can be rebuilt, or merged with others, without the original vectors.

use crate::error::{Error, Result};
use crate::ivf::index::IvfIndex;
use crate::ivf::sections::Sections;
use crate::kernels::stride;
use crate::linalg::gemm::gemm_nn_acc;
use crate::parallel::Interrupt;
use crate::quantizer::pq::DSUB;
use crate::quantizer::sq8::decode_row;

/// Rows that are reconstructed at once.
const BATCH_ROWS: usize = 256;

impl IvfIndex {
    /// Return the stored vectors of these rows, shape (n, dim).
    ///
    /// A search scores with the same values, except for the quantization of the query, and for the length correction of rows
    /// without refine codes.
    ///
    /// # Errors
    /// [`Error::RowRange`] for a row that does not exist.
    pub fn reconstruct(&self, rows: &[usize]) -> Result<Vec<f32>> {
        self.reconstruct_with(rows, Interrupt::NEVER)
    }

    /// [`IvfIndex::reconstruct`], which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`IvfIndex::reconstruct`], and [`Error::Stopped`].
    pub fn reconstruct_with(&self, rows: &[usize], interrupt: Interrupt<'_>) -> Result<Vec<f32>> {
        let layout = *self.layout();
        if let Some(&got) = rows.iter().find(|&&row| row >= layout.rows) {
            return Err(Error::RowRange { rows: layout.rows, got });
        }
        self.check_length()?;
        let (sections, mut values) = (self.sections(), vec![0.0; rows.len() * layout.dim]);
        let inverse = inverse_projection(&sections);
        let mut projected = vec![0.0; BATCH_ROWS * layout.m * DSUB];
        for (rows, values) in rows.chunks(BATCH_ROWS).zip(values.chunks_mut(BATCH_ROWS * layout.dim)) {
            interrupt.check()?;
            let projected = &mut projected[..rows.len() * layout.m * DSUB];
            let matrices =
                projected.chunks_exact_mut(layout.m * DSUB).zip(values.chunks_exact_mut(layout.dim));
            for (&row, (projected, values)) in rows.iter().zip(matrices) {
                let (block, lane) = sections.block_of(row);
                sections.codebooks.decode(block, lane, projected);
                sections.reranker.accumulate_projected(row, projected);
                add_centroid(&sections, sections.list_of(row), values);
                sections.reranker.accumulate_decoded(row, values);
            }
            gemm_nn_acc(projected, &inverse, layout.dim, values);
        }
        Ok(values)
    }
}

/// Decode the query projection `B`, shape (4m, dim): because `Bᵀ A = I`, its transpose undoes the projection of rows.
fn inverse_projection(sections: &Sections<'_>) -> Vec<f32> {
    let dim = sections.layout.dim;
    let mut matrix = vec![0.0; sections.b_scales.len() * dim];
    let rows = sections.b.chunks_exact(stride(dim)).zip(sections.b_scales);
    for ((codes, &scale), values) in rows.zip(matrix.chunks_exact_mut(dim)) {
        decode_row(codes, scale, values);
    }
    matrix
}

fn add_centroid(sections: &Sections<'_>, list: usize, values: &mut [f32]) {
    let codes = &sections.centroids[list * stride(values.len())..];
    for (value, &code) in values.iter_mut().zip(codes) {
        *value += f32::from(code) * sections.centroid_scales[list];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ivf::index::tests::{DIM, file, open, rows};
    use crate::ivf::search::SearchParams;
    use crate::quantizer::refine_codec::RefineCodec;

    const COUNT: usize = 900;

    #[test]
    fn reconstructed_vectors_are_near_the_originals() {
        let values = rows(COUNT);
        for (codec, error) in [
            (RefineCodec::Float16, 0.001),
            (RefineCodec::Int8, 0.002),
            (RefineCodec::Int4, 0.1),
            (RefineCodec::Tcq(12), 0.2),
            (RefineCodec::Tcq(8), 0.4),
            (RefineCodec::Bitshift(16), 0.4),
            (RefineCodec::Bitshift(24), 0.2),
            (RefineCodec::None, 0.8),
        ] {
            let index = open(&file(COUNT, codec)).unwrap();
            let all: Vec<usize> = (0..COUNT).rev().collect();
            let (stored, ids) = (index.reconstruct(&all).unwrap(), index.ids());
            for (&row, stored) in all.iter().zip(stored.chunks_exact(DIM)) {
                let expected = &values[ids[row] as usize * DIM..][..DIM];
                let worst = stored.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < error, "{codec:?}: {worst} at row {row}");
            }
        }
    }

    #[test]
    fn a_score_is_the_inner_product_with_the_reconstruction() {
        let query: Vec<f32> = (0..DIM).map(|i| (i as f32 * 0.7).cos()).collect();
        for codec in [
            RefineCodec::Float16,
            RefineCodec::Int8,
            RefineCodec::Int4,
            RefineCodec::Tcq(12),
            RefineCodec::Tcq(8),
            RefineCodec::Bitshift(13),
            RefineCodec::Bitshift(32),
        ] {
            let index = open(&file(COUNT, codec)).unwrap();
            let params = SearchParams { k: COUNT, nprobe: 1, shortlist: 1, exact: true };
            for hit in index.hits(&query, params, None).unwrap() {
                let stored = index.reconstruct(&[hit.row as usize]).unwrap();
                let product: f32 = stored.iter().zip(&query).map(|(a, b)| a * b).sum();
                assert!((product - hit.score).abs() < 2e-3, "{codec:?}: {product} for {}", hit.score);
            }
        }
    }

    #[test]
    fn a_row_past_the_end_is_refused() {
        let index = open(&file(3, RefineCodec::Int8)).unwrap();
        assert!(matches!(index.reconstruct(&[0, 3]), Err(Error::RowRange { rows: 3, got: 3 })));
        assert!(index.reconstruct(&[]).unwrap().is_empty());
    }
}
