//! The sections of an open index, as typed slices: what a search reads.

use std::ops::Range;

use crate::ivf::calibration::QueryKind;
use crate::ivf::early_stop::StopThresholds;
use crate::ivf::layout::IvfLayout;
use crate::ivf::rerank::Reranker;
use crate::kernels::dot_i8::DotI8;
use crate::kernels::fastscan::FastScan;
use crate::kernels::fastscan::blocks::{BLOCK_ROWS, block_bytes, block_count};
use crate::kernels::{prefetch, prefetch_line, stride};
use crate::quantizer::codebook::Codebooks;
use crate::quantizer::sq8::QuantizedQuery;
use crate::topk::packed_ids::RowIdSlice;

/// Slices of a file that was validated when it was opened.
#[derive(Clone, Copy, Debug)]
pub struct Sections<'a> {
    pub(crate) layout: &'a IvfLayout,
    /// The exponent of the largest magnitude in the rows, roughly.
    pub(crate) exponent: i32,
    pub(crate) b: &'a [i8],
    pub(crate) b_scales: &'a [f32],
    pub(crate) codebooks: &'a Codebooks,
    pub(crate) routing_codebooks: &'a Codebooks,
    pub(crate) routing_blocks: &'a [u8],
    pub(crate) centroids: &'a [i8],
    pub(crate) centroid_scales: &'a [f32],
    pub(crate) list_weights: &'a [f32],
    /// What rank scores are multiplied by to be in the units of a score: one over the median list weight.
    pub(crate) rank_unit: f32,
    pub(crate) list_offsets: &'a [u64],
    /// Thresholds of early termination for each kind of query; empty in an index of an earlier version.
    pub(crate) stop_thresholds: &'a [f32],
    pub(crate) blocks: &'a [u8],
    pub(crate) ids: RowIdSlice<'a>,
    pub(crate) reranker: Reranker<'a>,
    pub(crate) dot_i8: DotI8,
    pub(crate) fast_scan: FastScan,
}

impl<'a> Sections<'a> {
    pub(crate) fn rows_of(&self, list: usize) -> Range<usize> {
        self.list_offsets[list] as usize..self.list_offsets[list + 1] as usize
    }

    /// Return the thresholds of early termination for queries of a kind.
    pub(crate) fn stop_thresholds(&self, kind: QueryKind) -> StopThresholds<'a> {
        let (samples, rows) = self.stop_thresholds.split_at(self.stop_thresholds.len() / 2);
        StopThresholds(if kind == QueryKind::Samples { samples } else { rows })
    }

    /// Return the blocks that hold the rows of a list.
    pub(crate) fn blocks_of(&self, list: usize) -> &'a [u8] {
        let (bytes, rows) = (block_bytes(self.layout.m), self.rows_of(list));
        &self.blocks[rows.start / BLOCK_ROWS * bytes..block_count(rows.end) * bytes]
    }

    /// Return the list of a row.
    pub(crate) fn list_of(&self, row: usize) -> usize {
        self.list_offsets.partition_point(|&offset| offset <= row as u64) - 1
    }

    /// Return the block of a row, and the row's index in it.
    pub(crate) fn block_of(&self, row: usize) -> (&'a [u8], usize) {
        let bytes = block_bytes(self.layout.m);
        (&self.blocks[row / BLOCK_ROWS * bytes..][..bytes], row % BLOCK_ROWS)
    }

    /// Project the query, `q' = B q`, into `projected`, shape (4m,).
    pub(crate) fn project_query(
        &self,
        query: &QuantizedQuery,
        products: &mut Vec<i32>,
        projected: &mut Vec<f32>,
    ) {
        products.resize(self.b_scales.len(), 0);
        self.dot_i8.products(self.b, query.codes(), products);
        projected.clear();
        projected.extend(products.iter().zip(self.b_scales).map(|(&sum, &scale)| query.score(sum, scale)));
    }

    /// Prefetch what is read of a list before its codes: its centroid, scale, weight and first row.
    pub(crate) fn prefetch_centroid(&self, list: usize) {
        let stride = stride(self.layout.dim);
        prefetch(bytemuck::cast_slice(&self.centroids[list * stride..][..stride]));
        prefetch_line((&raw const self.centroid_scales[list]).cast());
        prefetch_line((&raw const self.list_weights[list]).cast());
        prefetch_line((&raw const self.list_offsets[list]).cast());
    }

    /// Return the score of a list's centroid: a part of the score of every row of the list.
    pub(crate) fn centroid_score(&self, query: &QuantizedQuery, list: usize) -> f64 {
        let stride = stride(self.layout.dim);
        let mut product = [0];
        self.dot_i8.products(&self.centroids[list * stride..][..stride], query.codes(), &mut product);
        query.dequantize(product[0], self.centroid_scales[list])
    }
}
