//! Linear algebra and random numbers: matrix products, symmetric eigendecomposition, a reproducible generator.

pub mod eigh;
pub mod gemm;
pub mod rng;
