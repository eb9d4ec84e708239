//! PQ codebooks, transposed so that the lookup table of a query is built sixteen entries at a time.

use crate::kernels::fastscan::blocks;
use crate::kernels::fastscan::{KSUB, MAX_M};
use crate::quantizer::pq::DSUB;

/// Codebooks of shape (m, 4, 16).
#[derive(Clone, Debug)]
pub struct Codebooks {
    pub(crate) transposed: Vec<[[f32; KSUB]; DSUB]>,
}

impl Codebooks {
    /// Transpose codebooks of shape (m, 16, 4).
    pub fn new(codebooks: &[f32]) -> Self {
        let transpose = |codebook: &[f32]| {
            std::array::from_fn(|value| std::array::from_fn(|code| codebook[code * DSUB + value]))
        };
        Self { transposed: codebooks.chunks_exact(KSUB * DSUB).map(transpose).collect() }
    }

    /// Number of subquantizers.
    pub fn m(&self) -> usize {
        self.transposed.len()
    }

    /// Decode row `row` of a block, 0 to 31, into `values`, shape (4m,).
    ///
    /// # Panics
    /// If `row` is past the block.
    pub fn decode(&self, block: &[u8], row: usize, values: &mut [f32]) {
        let mut codes = [0; MAX_M];
        let codes = &mut codes[..self.m()];
        blocks::unpack_row(block, row, codes);
        let (values, _) = values.as_chunks_mut::<DSUB>();
        for ((values, codebook), &code) in values.iter_mut().zip(&self.transposed).zip(&*codes) {
            *values = std::array::from_fn(|d| codebook[d][usize::from(code)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_decodes_to_its_codewords() {
        let codebooks: Vec<f32> = (0..2 * KSUB * DSUB).map(|i| i as f32).collect();
        let mut block = vec![0; blocks::block_bytes(2)];
        blocks::pack(&[0, 0, 3, 15], &[128, 128], 2, &mut block);
        let mut values = [0.0; 8];
        Codebooks::new(&codebooks).decode(&block, 1, &mut values);
        assert_eq!(values, [12.0, 13.0, 14.0, 15.0, 124.0, 125.0, 126.0, 127.0]);
    }
}
