//! Top-k selection: reservoirs of the best rows, the bitmap of allowed rows, the ids of rows, and the pruning of rerank candidates.

pub mod bitmap;
pub mod candidates;
pub mod packed_ids;
pub mod reservoir;
