//! Exact nearest-neighbour search over pictures' embeddings, in a file that is mapped and never copied.
//!
//! This is the compiled core of snapseek, the search of pictures by text. It knows vectors, rows and scores;
//! of pictures, models and Python it knows nothing (`py` is the one exception, and it only converts).
//!
//! A **shard** is one immutable file. Its vectors are kept as int8 codes with one float32 scale a row, a
//! quarter of their size in float32, and a search scores every allowed row by an exact integer product: the
//! same integers on every CPU, at the speed at which memory can be read.
//!
//! ```
//! use snapseek::{Shard, ShardWriter, Vectors};
//!
//! # fn main() -> snapseek::Result<()> {
//! # let home = tempfile::tempdir().expect("a temporary directory");
//! let path = home.path().join("pictures.snap");
//!
//! // Write: rows are appended from left to right, and the file appears when it is finished.
//! let mut writer = ShardWriter::create(&path, 3)?;
//! writer.append(Vectors::new(&[1.0, 0.0, 0.0,  0.0, 1.0, 0.0,  0.6, 0.8, 0.0], 3)?)?;
//! assert_eq!(writer.finish()?, 3);
//!
//! // Search: the best two rows for one query, best first.
//! let shard = Shard::open(&path)?;
//! let query = Vectors::new(&[0.0, 1.0, 0.0], 3)?;
//! let hits = &shard.search(query, 2, None)?[0];
//! assert_eq!([hits[0].row, hits[1].row], [1, 2]);
//! assert!((hits[1].score - 0.8).abs() < 0.01);
//!
//! // Filter: one flag per row, in row order.
//! let hits = &shard.search(query, 2, Some(&[true, false, true]))?[0];
//! assert_eq!([hits[0].row, hits[1].row], [2, 0]);
//!
//! // Check every byte against its checksum.
//! shard.verify()?;
//! # Ok(())
//! # }
//! ```
//!
//! # The rooms
//!
//! Each imports only from those above it; `rooms.rs` holds them to it.
//!
//! | room | what is in it |
//! |---|---|
//! | `cpu` | what this CPU was found to do: the proofs that kernels ask for |
//! | [`error`] | what can go wrong, and how to mend it |
//! | [`parallel`] | work in pieces on several threads, with the same results whatever their number |
//! | [`math`] | matrices, eigenvectors, numbers by chance |
//! | [`vectors`] | the caller's vectors where they lie; int8 codes, with the proof that no product overflows, and the products of many with many; float16 |
//! | [`hits`] | which rows may be found, and the best of those that were |
//! | [`scan`] | the exact scan of int8 codes: [`scan::Scanner`] is a kernel that this CPU is known to run |
//! | [`tier`] | what 4-bit codes leave over, rounded where queries do not look or trellis-coded, and added to refine a score |
//! | [`mod@file`] | the bytes of a `.snap` file, which appears whole or not at all and is mapped or loaded |
//! | [`flat`] | flat shards: written, opened, searched |
//! | [`codes`] | four dimensions to four bits, and the scan of them |
//! | [`mod@index`] | inverted lists: opened, checked at the door, searched |
//! | [`clustering`] | centroids, thousands of them in two levels |
//! | [`mod@build`] | an index of inverted lists: sample, train, assign, code, calibrate, write |
//! | `py` | the Python face |

// A test may stop where it is.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod build;
pub mod clustering;
pub mod codes;
mod cpu;
pub mod error;
pub mod file;
pub mod flat;
pub mod hits;
pub mod index;
pub mod math;
pub mod parallel;
pub mod scan;
pub mod tier;
pub mod vectors;

#[cfg(feature = "python")]
mod py;

#[cfg(test)]
mod allocation;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod rooms;

pub use error::{Error, ErrorKind, Fault, Result};
pub use flat::shard::Shard;
pub use flat::writer::ShardWriter;
pub use hits::topk::{Hit, TopK};
pub use scan::Scanner;
pub use vectors::{MAX_DIM, Query, Vectors};
