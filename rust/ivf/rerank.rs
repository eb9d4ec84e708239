//! Reranks candidates with the refine codes: the encoded second-level (PQ) residual of each row.
//!
//! The score of a row is `q·centroid + q'·ŷ + q·r̂`: the first two parts are known from the scan, and the reranker adds the
//! exact integer product of the query with the refine code `r̂`.

use crate::kernels::dot_f16::DotF16;
use crate::kernels::dot_i8::DotI8;
use crate::kernels::{prefetch, prefetch_line, stride};
use crate::matrix::MAX_DIM;
use crate::quantizer::f16::decode_f16;
use crate::quantizer::refine_codec::RefineCodec;
use crate::quantizer::row_scales::RowScales;
use crate::quantizer::sq4;
use crate::quantizer::sq8::{QuantizedQuery, to_score_f32};
use crate::quantizer::tcq;
use crate::topk::reservoir::Hit;

/// A row to rerank.
#[derive(Clone, Copy, Debug)]
pub struct RerankRow {
    /// Row number.
    pub row: u32,
    /// Score without the refine code.
    pub base_score: f64,
}

/// Rows prefetched before they are scored.
const PREFETCH_ROWS: usize = 12;

/// The refine codes of an index, ready to score rows.
#[derive(Clone, Copy, Debug)]
pub struct Reranker<'a> {
    codec: RefineCodec,
    codes: &'a [u8],
    scales: RowScales<'a>,
    row_bytes: usize,
    dim: usize,
    dot_i8: DotI8,
    dot_f16: DotF16,
}

impl<'a> Reranker<'a> {
    /// Join the codes, shape (rows, row bytes), and the scales, shape (rows,).
    ///
    /// # Panics
    /// If there is not one row of codes per scale.
    pub fn new(
        codec: RefineCodec,
        codes: &'a [u8],
        scales: RowScales<'a>,
        dim: usize,
        (dot_i8, dot_f16): (DotI8, DotF16),
    ) -> Self {
        let row_bytes = codec.row_bytes(dim);
        assert_eq!(codes.len(), scales.len() * row_bytes, "codes are not one row of {row_bytes} per scale");
        Self { codec, codes, scales, row_bytes, dim, dot_i8, dot_f16 }
    }

    /// For a trellis-coded codec, rotate and quantize the projected query, shape (4m,), into `rotated`.
    pub fn prepare_query(&self, projected: &[f32], rotated: &mut QuantizedQuery) {
        if self.codec.is_trellis() {
            tcq::prepare_query(projected, self.dim, rotated);
        }
    }

    /// Call `found` with each row and its whole score, in order; see [`Reranker::partial_scores`].
    pub fn score(&self, query: &QuantizedQuery, rows: &[RerankRow], mut found: impl FnMut(Hit)) {
        self.partial_scores(query, rows, |index, refine_score| {
            let RerankRow { row, base_score } = rows[index];
            found(Hit { row, score: to_score_f32(base_score + refine_score) });
        });
    }

    /// Call `found` with the index of each row, in order, and the score of its refine code.
    ///
    /// A trellis-coded codec takes the query of [`Reranker::prepare_query`].
    pub fn partial_scores(
        &self,
        query: &QuantizedQuery,
        rows: &[RerankRow],
        mut found: impl FnMut(usize, f64),
    ) {
        let mut unpacked = [0; MAX_DIM];
        rows.iter().take(PREFETCH_ROWS).for_each(|row| self.prefetch(row.row));
        for (index, row) in rows.iter().enumerate() {
            if let Some(later) = rows.get(index + PREFETCH_ROWS) {
                self.prefetch(later.row);
            }
            let scale = self.scales.get(row.row as usize);
            found(index, query.dequantize(self.product(query, row.row, &mut unpacked), scale));
        }
    }

    /// Add the decoded refine code of a trellis-coded row to `values`, its projection, shape (4m,).
    pub fn accumulate_projected(&self, row: usize, values: &mut [f32]) {
        if self.codec.is_trellis() {
            let mut levels = [0; MAX_DIM];
            self.codec.decode_levels(
                &self.codes[row * self.row_bytes..][..self.row_bytes],
                self.dim,
                &mut levels,
            );
            tcq::accumulate_unrotated(&levels[..stride(self.dim)], self.scales.get(row), values);
        }
    }

    /// Add the decoded refine code of a row of any other codec to `values`, shape (dim,).
    pub fn accumulate_decoded(&self, row: usize, values: &mut [f32]) {
        let codes = self.codes.get(row * self.row_bytes..).unwrap_or_default();
        let mut unpacked = [0; MAX_DIM];
        let decoded: &[i8] = match self.codec {
            RefineCodec::None | RefineCodec::Tcq(_) | RefineCodec::Bitshift(_) => return,
            RefineCodec::Float16 => {
                let decoded = decode_f16(&codes[..self.row_bytes]);
                values.iter_mut().zip(decoded).for_each(|(value, x)| *value += x * self.scales.get(row));
                return;
            }
            RefineCodec::Int4 => {
                sq4::unpack(&codes[..self.row_bytes], &mut unpacked[..2 * self.row_bytes]);
                &unpacked
            }
            RefineCodec::Int8 => bytemuck::cast_slice(codes),
        };
        for (value, &code) in values.iter_mut().zip(decoded) {
            *value += f32::from(code) * self.scales.get(row);
        }
    }

    #[inline]
    fn product(&self, query: &QuantizedQuery, row: u32, unpacked: &mut [i8; MAX_DIM]) -> f64 {
        let codes = &self.codes[row as usize * self.row_bytes..][..self.row_bytes];
        let mut sum = [0];
        match self.codec {
            RefineCodec::None => {}
            RefineCodec::Float16 => return self.dot_f16.product(codes, query.codes()),
            RefineCodec::Int4 => {
                let values = &mut unpacked[..query.codes().len()];
                sq4::unpack(codes, values);
                self.dot_i8.products(values, query.codes(), &mut sum);
            }
            RefineCodec::Int8 => self.dot_i8.products(bytemuck::cast_slice(codes), query.codes(), &mut sum),
            RefineCodec::Tcq(_) | RefineCodec::Bitshift(_) => {
                self.codec.decode_levels(codes, self.dim, unpacked);
                self.dot_i8.products(&unpacked[..query.codes().len()], query.codes(), &mut sum);
            }
        }
        f64::from(sum[0])
    }

    #[inline]
    fn prefetch(&self, row: u32) {
        prefetch(&self.codes[row as usize * self.row_bytes..][..self.row_bytes]);
        prefetch_line(self.scales.address(row as usize));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::quantizer::f16::encode_f16;

    fn kernels() -> (DotI8, DotF16) {
        (DotI8::fastest(), DotF16::fastest())
    }

    proptest! {
        #[test]
        fn a_score_is_the_integer_product(
            (codes, query) in (1_usize..80).prop_flat_map(|dim| {
                (prop::collection::vec(-7_i8..=7, stride(dim)), prop::collection::vec(-1_f32..1.0, dim))
            })
        ) {
            let query = QuantizedQuery::new(&query);
            let product: i32 = codes.iter().zip(query.codes()).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
            for codec in [RefineCodec::Int4, RefineCodec::Int8] {
                let mut bytes = vec![0; 2 * codes.len() * codec.row_bytes(16) / 16];
                let second = bytes.len() / 2;
                codec.pack_row(&codes, &mut bytes[second..]);
                let reranker = Reranker::new(codec, &bytes, RowScales::F32(&[9.0, 0.5]), query.codes().len(), kernels());
                let mut scores = Vec::new();
                reranker.score(&query, &[RerankRow { row: 1, base_score: 0.25 }], |hit| scores.push(hit.score));
                prop_assert_eq!(scores, [(0.25 + query.dequantize(product, 0.5)) as f32]);
            }
        }
    }

    #[test]
    fn float16_rows_are_scored_by_their_values() {
        let query = QuantizedQuery::new(&[1.0, -0.5, 0.25]);
        let mut bytes = vec![0; 2 * RefineCodec::Float16.row_bytes(3)];
        let row = [0.5, 3.0, -1.5];
        let scale = encode_f16(&row, &mut bytes[32..]);
        let scales = [9.0, scale];
        let reranker = Reranker::new(RefineCodec::Float16, &bytes, RowScales::F32(&scales), 3, kernels());
        let mut scores = Vec::new();
        reranker.score(&query, &[RerankRow { row: 1, base_score: 0.25 }], |hit| scores.push(hit.score));
        assert!((scores[0] + 1.125).abs() < 1e-3, "{scores:?}");
        let mut values = [0.0; 3];
        reranker.accumulate_decoded(1, &mut values);
        assert!(values.iter().zip(row).all(|(value, given)| (value - given).abs() < 1e-3), "{values:?}");
    }
}
