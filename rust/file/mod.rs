//! A `.snap` file whatever its kind: its header and checksums, its draft under a temporary name, and its opening.
//!
//! May import [`crate::vectors`], for the largest dimension.

pub mod format;
pub mod load;

pub(crate) mod checksum;
pub(crate) mod draft;
pub(crate) mod temporary;
