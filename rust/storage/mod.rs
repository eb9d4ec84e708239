//! The `.snap` file of any kind: its format, writing it atomically, mapping it, copying what is read most to huge pages.

pub mod format;
pub mod mmap;

pub(crate) mod atomic_file;
pub(crate) mod checksum;
#[cfg(target_os = "linux")]
pub(crate) mod free_memory;
pub(crate) mod hot_copy;
pub(crate) mod section_writer;
