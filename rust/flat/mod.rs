//! A flat shard: every row's int8 codes in one file, written and searched from end to end.
//!
//! May import [`crate::file`], [`crate::vectors`], [`crate::hits`], [`crate::scan`] and [`crate::parallel`].

pub mod build;
pub mod shard;
pub mod writer;
