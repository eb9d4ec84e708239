//! The `.snap` file of any kind: its format, writing it atomically, mapping it.

pub mod format;
pub mod mmap;

pub(crate) mod atomic_file;
pub(crate) mod checksum;
pub(crate) mod section_writer;
