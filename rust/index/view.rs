//! An index as a search sees it.

use crate::codes::blocks::{BLOCK_ROWS, block_bytes, block_count};
use crate::codes::lut::Books;
use crate::codes::pqscan::PqScanner;
use crate::index::lists::Shape;
use crate::scan::Scanner;
use crate::tier::refine::Refiner;
use crate::vectors::{Query, stride};

/// Slices of a file that was checked when it was opened.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) b: &'a [i8],
    pub(crate) b_scales: &'a [f32],
    pub(crate) books: &'a Books,
    pub(crate) key_books: &'a Books,
    pub(crate) key_blocks: &'a [u8],
    pub(crate) means: &'a [i8],
    pub(crate) mean_scales: &'a [f32],
    pub(crate) pulls: &'a [f32],
    pub(crate) starts: &'a [u64],
    pub(crate) blocks: &'a [u8],
    pub(crate) ids: &'a [i64],
    pub(crate) refiner: Refiner<'a>,
    pub(crate) scanner: Scanner,
    pub(crate) pq_scanner: PqScanner,
}

impl<'a> View<'a> {
    pub(crate) fn rows_of(&self, list: usize) -> std::ops::Range<usize> {
        self.starts[list] as usize..self.starts[list + 1] as usize
    }

    /// The blocks that hold the rows of a list.
    pub(crate) fn blocks_of(&self, list: usize) -> &'a [u8] {
        let (bytes, rows) = (block_bytes(self.shape.m), self.rows_of(list));
        &self.blocks[rows.start / BLOCK_ROWS * bytes..block_count(rows.end) * bytes]
    }

    /// The list in which a row is.
    pub(crate) fn list_of(&self, row: usize) -> usize {
        self.starts.partition_point(|&start| start <= row as u64) - 1
    }

    /// The block in which a row is, and its place there.
    pub(crate) fn block_of(&self, row: usize) -> (&'a [u8], usize) {
        let bytes = block_bytes(self.shape.m);
        (&self.blocks[row / BLOCK_ROWS * bytes..][..bytes], row % BLOCK_ROWS)
    }

    /// The query as codes see it, `q' = B q`, into `asked`, shape (4m,).
    pub(crate) fn ask(&self, query: &Query, products: &mut Vec<i32>, asked: &mut Vec<f32>) {
        products.resize(self.b_scales.len(), 0);
        self.scanner.products(self.b, query.codes(), products);
        asked.clear();
        asked.extend(products.iter().zip(self.b_scales).map(|(&sum, &scale)| query.score(sum, scale)));
    }

    /// What the mean of a list adds to the scores of its rows.
    pub(crate) fn base(&self, query: &Query, list: usize) -> f64 {
        let stride = stride(self.shape.dim);
        let mut product = [0];
        self.scanner.products(&self.means[list * stride..][..stride], query.codes(), &mut product);
        query.part(product[0], self.mean_scales[list])
    }
}
