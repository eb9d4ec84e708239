//! Quantizers: scalar (SQ8, SQ4, float16), product (PQ) and trellis-coded (TCQ), and what goes with them.
//!
//! | module | method |
//! |---|---|
//! | [`sq8`], [`sq4`], [`mod@f16`] | one scale a row, 8, 4 or 16 bits a value |
//! | [`pq`], [`codebook`], [`lut`] | product quantization with 4-bit codes, and the lookup table of a query |
//! | [`length_correction`] | one byte a row that removes the bias of PQ inner products (RaBitQ) |
//! | [`query_transform`] | the query-aware linear transform before PQ, with OPQ's eigenvalue allocation |
//! | [`ldlq`] | LDLQ error-feedback rounding of scalar codes |
//! | [`tcq`], [`hadamard`] | trellis-coded quantization after a randomized Hadamard transform |
//! | [`magnitude`] | powers of two that keep float32 arithmetic in range |
//! | [`refine_codec`] | which of them encodes the PQ residual |

pub mod bitshift;
pub mod codebook;
pub mod f16;
pub mod hadamard;
pub mod ldlq;
pub mod length_correction;
pub mod lut;
pub mod magnitude;
pub mod pq;
pub mod query_transform;
pub mod refine_codec;
pub mod row_scales;
pub mod sq4;
pub mod sq8;
pub mod tcq;

mod lanes;

pub(crate) mod residual_table;
