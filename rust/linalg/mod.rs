//! Linear algebra and random numbers: matrix products, symmetric eigendecomposition, a reproducible generator.

pub mod eigh;
pub mod gemm;
pub mod rng;

/// Called between steps of a long computation, some tens of milliseconds apart; an error from it ends the computation.
pub type Check<'a> = dyn FnMut() -> crate::error::Result<()> + 'a;
