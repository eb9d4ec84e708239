//! The exhaustive scan: scores every allowed row against every query, one cache-sized block at a time.

use std::ops::Range;

use crate::kernels::dot_i8::DotI8;
use crate::quantizer::sq8::QuantizedQuery;
use crate::topk::bitmap::RowBitmap;
use crate::topk::reservoir::TopK;

/// Largest number of rows scored at once. Their codes (128 KiB at 1024 dimensions) stay in the level-2 cache while all queries
/// of a group pass over them, and their products stay in the level-1 cache.
const BLOCK_ROWS: usize = 128;

/// Where fewer than one row in this many is allowed, the allowed rows are scored one by one. Elsewhere the whole block is
/// scored, because sequential reads are faster, and the other rows are dropped afterwards.
const SPARSE_DIVISOR: usize = 8;

/// SQ8 rows: codes of shape (n, stride) and scales of shape (n,).
#[derive(Clone, Copy, Debug)]
pub struct Int8Rows<'a> {
    codes: &'a [i8],
    scales: &'a [f32],
    stride: usize,
}

impl<'a> Int8Rows<'a> {
    /// Join codes and scales.
    ///
    /// # Panics
    /// If there is not one row of `stride` codes per scale.
    pub fn new(codes: &'a [i8], scales: &'a [f32], stride: usize) -> Self {
        assert_eq!(codes.len(), scales.len() * stride, "codes are not one row of {stride} per scale");
        Self { codes, scales, stride }
    }

    /// Push every allowed row of `range` to the top-k of every query. Without `allow` all rows
    /// are allowed.
    ///
    /// # Panics
    /// If a query has another stride, or `allow` another number of rows.
    pub fn scan(
        &self,
        range: Range<usize>,
        kernel: DotI8,
        queries: &[QuantizedQuery],
        allow: Option<&RowBitmap>,
        tops: &mut [TopK],
    ) {
        let rows = self.scales.len();
        assert!(allow.is_none_or(|allow| allow.rows() == rows), "allow is not for {rows} rows");
        for start in range.clone().step_by(BLOCK_ROWS) {
            let block = start..range.end.min(start + BLOCK_ROWS);
            match allow {
                Some(allow) if allow.count(block.clone()) * SPARSE_DIVISOR < block.len() => {
                    for row in allow.ones(block) {
                        self.scan_block::<1>(row..row + 1, kernel, queries, None, tops);
                    }
                }
                _ => self.scan_block::<BLOCK_ROWS>(block, kernel, queries, allow, tops),
            }
        }
    }

    /// Score up to `MAX_ROWS` adjacent rows and push those that are allowed.
    #[inline]
    fn scan_block<const MAX_ROWS: usize>(
        &self,
        rows: Range<usize>,
        kernel: DotI8,
        queries: &[QuantizedQuery],
        allow: Option<&RowBitmap>,
        tops: &mut [TopK],
    ) {
        let mut products = [0; MAX_ROWS];
        let products = &mut products[..rows.len()];
        let codes = &self.codes[rows.start * self.stride..rows.end * self.stride];
        let scales = &self.scales[rows.clone()];
        for (query, top) in queries.iter().zip(tops) {
            kernel.products(codes, query.codes(), products);
            for (index, (&product, &scale)) in products.iter().zip(scales).enumerate() {
                let score = query.score(product, scale);
                // The score is checked first: few rows pass.
                let row = rows.start + index;
                if top.admits(score) && allow.is_none_or(|allow| allow.mask(row) & 1 == 1) {
                    top.push(row as u32, score);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::stride;
    use crate::quantizer::sq8::encode_row;

    proptest! {
        #[test]
        fn a_scan_pushes_each_allowed_row_to_each_query(
            values in vec(-1_f32..1.0, 7..3000),
            flags in (0.0..=1.0).prop_flat_map(|share| vec(prop::bool::weighted(share), 429)),
        ) {
            let rows = values.len() / 7;
            let flags = &flags[..rows];
            let mut codes = vec![0; rows * stride(7)];
            let scales: Vec<f32> = std::iter::zip(values.chunks_exact(7), codes.chunks_exact_mut(stride(7)))
                .map(|(row, codes)| encode_row(row, codes))
                .collect();
            let queries = [QuantizedQuery::new(&values[..7]), QuantizedQuery::new(&[0.5; 7])];
            let mut tops = [TopK::new(rows), TopK::new(rows)];
            let matrix = Int8Rows::new(&codes, &scales, stride(7));
            let allow = RowBitmap::new(rows, |row| flags[row]);
            matrix.scan(0..rows, DotI8::fastest(), &queries, Some(&allow), &mut tops);
            for (top, query) in tops.into_iter().zip(&queries) {
                let mut expected = TopK::new(rows);
                for row in (0..rows).filter(|&row| flags[row]) {
                    let mut product = [0];
                    DotI8::scalar().products(&codes[row * 16..][..16], query.codes(), &mut product);
                    expected.push(row as u32, query.score(product[0], scales[row]));
                }
                prop_assert_eq!(top.into_hits(), expected.into_hits());
            }
        }
    }
}
