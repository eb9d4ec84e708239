//! The exhaustive scan: scores every allowed row against every query, one cache-sized block at a time.

use std::ops::Range;

use crate::kernels::dot_i8::DotI8;
use crate::quantizer::sq8::QuantizedQuery;
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

    /// Push every allowed row of `range` to the top-k of every query. `allow` has one flag per row of the index; without it
    /// all rows are allowed.
    ///
    /// # Panics
    /// If a query has another stride, or `allow` another length, than the rows.
    pub fn scan(
        &self,
        range: Range<usize>,
        kernel: DotI8,
        queries: &[QuantizedQuery],
        allow: Option<&[bool]>,
        tops: &mut [TopK],
    ) {
        let rows = self.scales.len();
        assert!(
            allow.is_none_or(|flags| flags.len() == rows),
            "allow is not one flag for each of {rows} rows"
        );
        for start in range.clone().step_by(BLOCK_ROWS) {
            let block = start..range.end.min(start + BLOCK_ROWS);
            match allow.map(|flags| &flags[block.clone()]) {
                Some(flags) if is_sparse(flags) => {
                    for row in block.zip(flags).filter_map(|(row, &allowed)| allowed.then_some(row)) {
                        self.scan_block(row..row + 1, kernel, queries, None, tops);
                    }
                }
                flags => self.scan_block(block, kernel, queries, flags, tops),
            }
        }
    }

    /// Score up to [`BLOCK_ROWS`] adjacent rows and push those whose flag is set.
    #[inline]
    fn scan_block(
        &self,
        rows: Range<usize>,
        kernel: DotI8,
        queries: &[QuantizedQuery],
        flags: Option<&[bool]>,
        tops: &mut [TopK],
    ) {
        let mut products = [0; BLOCK_ROWS];
        let products = &mut products[..rows.len()];
        let codes = &self.codes[rows.start * self.stride..rows.end * self.stride];
        let scales = &self.scales[rows.clone()];
        for (query, top) in queries.iter().zip(tops) {
            kernel.products(codes, query.codes(), products);
            for (index, (&product, &scale)) in products.iter().zip(scales).enumerate() {
                let score = query.score(product, scale);
                // The score is checked first: few rows pass.
                if top.admits(score) && flags.is_none_or(|flags| flags[index]) {
                    top.push((rows.start + index) as u32, score);
                }
            }
        }
    }
}

fn is_sparse(flags: &[bool]) -> bool {
    let allowed: usize = flags.iter().map(|&allowed| usize::from(allowed)).sum();
    allowed * SPARSE_DIVISOR < flags.len()
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
            matrix.scan(0..rows, DotI8::fastest(), &queries, Some(flags), &mut tops);
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
