//! Centroids: a few, thousands of them in two levels, and the nearest of them.
//!
//! May import [`crate::math`], [`crate::vectors`] and [`crate::parallel`].

pub mod coarse;
pub mod kmeans;
pub mod largest;
pub mod rough;
