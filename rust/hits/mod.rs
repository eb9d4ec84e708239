//! Which rows may be found, and which of those found so far are kept.
//!
//! May import nothing but [`crate::error`].

pub mod best;
pub mod contenders;
pub mod filter;
pub mod shortlist;
pub mod topk;
