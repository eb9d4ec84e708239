//! Tests of the crate as a whole; those of one module are next to it.

pub(crate) mod allocation;
mod architecture;
mod golden;
