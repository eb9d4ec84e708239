//! Four dimensions to four bits: trained, laid out in blocks, and scanned by tables of a query.
//!
//! May import [`crate::math`] and [`crate::parallel`].

pub mod blocks;
pub mod lut;
pub mod pq;
pub mod pqscan;
