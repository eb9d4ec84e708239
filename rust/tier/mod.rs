//! What the 4-bit codes leave over of each row: rounded when an index is built, added when it is searched.
//!
//! May import [`crate::vectors`], [`crate::hits`] and [`crate::scan`].

pub mod refine;
pub mod shaping;
pub mod trellis;
