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
//! | module | what is in it |
//! |---|---|
//! | [`vectors`] | float32 to int8 and back, and the proof that no integer product overflows |
//! | [`scan`] | the kernels and the scan: [`scan::Scanner`] is a kernel that this CPU is known to run |
//! | [`topk`] | the best k of a stream of scores |
//! | [`mod@format`] | the bytes of a `.snap` file |
//! | [`writer`] | a file that appears whole or not at all |
//! | [`shard`] | a mapped file, checked at the door, and its search |
//! | [`mod@flat`] | a flat shard of vectors that lie ready, with ids |
//! | [`mod@build`] | an index of inverted lists: sample, train, assign, code, write |
//! | [`settings`] | what a build may be asked for, and what follows from the size of its input |
//! | [`stored`] | the vectors of an index, put together from what is stored of them |
//! | [`rows`] | the caller's vectors where they lie, float16 or float32 |
//! | [`parallel`] | work in pieces on several threads, with the same results whatever their number |
//! | [`kmeans`], [`coarse`], [`panels`] | centroids, thousands of them in two levels, and the nearest of a few |
//! | [`transform`], [`quantizer`] | the query-aware transform, fitted and chosen |
//! | [`pq`] | four dimensions to four bits |
//! | [`half`] | float16 rows, and products with them that are exact |
//! | [`trial`], [`calibrate`] | held-out queries, and how thorough a search must be for a wanted recall |
//! | [`linalg`], [`mod@eigen`], [`random`] | matrices, eigenvectors, numbers by chance |
//! | [`error`] | what can go wrong, and how to mend it |

// A test may stop where it is.
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(test)]
mod allocation;
pub mod answers;
pub mod best;
pub mod blocks;
pub mod build;
pub mod calibrate;
pub mod coarse;
mod draft;
pub mod eigen;
pub mod error;
pub mod filter;
pub mod flat;
pub mod format;
#[cfg(test)]
mod golden;
pub mod half;
pub mod index;
pub mod ivf;
pub mod kmeans;
pub mod linalg;
pub mod lists;
pub mod load;
pub mod lut;
pub mod panels;
pub mod parallel;
pub mod pq;
pub mod pqscan;
#[cfg(feature = "python")]
mod py;
pub mod quantizer;
pub mod random;
pub mod refine;
mod routing;
pub mod rows;
pub mod scan;
pub mod settings;
pub mod shaping;
pub mod shard;
pub mod shortlist;
pub mod stored;
mod sweep;
pub mod topk;
pub mod transform;
pub mod trial;
mod validation;
pub mod vectors;
mod view;
pub mod writer;

pub use error::{Error, ErrorKind, Fault, Result};
pub use scan::Scanner;
pub use shard::Shard;
pub use topk::{Hit, TopK};
pub use vectors::{MAX_DIM, Query, Vectors};
pub use writer::ShardWriter;
