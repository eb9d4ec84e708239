//! An index of inverted lists: the shape of its file, the file opened and checked, and the search in it.
//!
//! May import everything that is stored or searched with, [`crate::codes`], [`crate::tier`] and [`crate::file`] among
//! it; never what is trained, [`crate::clustering`] and [`crate::build`].

pub mod answers;
pub mod ivf;
pub mod lists;
pub mod opened;
pub mod stored;

mod sweep;
mod validation;
mod view;

pub use opened::{Allow, Index};
