//! Four dimensions to four bits: trained, laid out in blocks, and scanned by tables of a query.
//!
//! May import [`crate::math`] and [`crate::parallel`].

pub mod blocks;
pub mod lut;
pub mod pq;
pub mod pqscan;

/// Dimensions of one subquantizer.
pub const DSUB: usize = 4;

/// Centroids of one subquantizer: a code has four bits.
pub const KSUB: usize = 16;

/// The number of subquantizers is a multiple of this, so that kernels read whole registers.
pub const M_STEP: usize = 4;

/// Most subquantizers.
pub const MAX_M: usize = 256;

/// Subquantizers that keep every dimension, or as many as there may be: 128 for 512 dimensions.
pub const fn full_m(dim: usize) -> usize {
    let m = dim.div_ceil(DSUB).next_multiple_of(M_STEP);
    if m < MAX_M { m } else { MAX_M }
}
