//! The build of an index: what is asked for, held out, trained, chosen, coded and calibrated.
//!
//! May import every room but [`crate::flat`]. None but the Python face imports it.

pub mod calibrate;
pub mod quantizer;
pub mod settings;
pub mod steps;
pub mod transform;
pub mod trial;

mod leftover;
mod routing;
mod screen;

pub use steps::build;
