//! The flat index: SQ8 rows, scored exhaustively. For small collections, where training would cost more than it saves.

pub mod build;
pub mod index;
pub mod scan;
