//! The caller's vectors where they lie, and the two shapes they are kept in: int8 codes and float16.
//!
//! May import nothing but [`crate::error`].

pub mod cross;
pub mod half;
pub mod int8;
pub mod rows;

pub(crate) mod ids;

pub use int8::*;
