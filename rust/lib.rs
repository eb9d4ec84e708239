//! Approximate and exact nearest-neighbour search by inner product, in one immutable, memory-mapped file.
//!
//! There are two indexes. [`IvfIndex`] has inverted lists (IVF) of 4-bit product-quantization codes, trained for the
//! distribution of the queries and scanned with SIMD (PQ fast-scan), and refine codes that rerank the candidates.
//! [`FlatIndex`] scores all rows exactly with int8 codes and needs no training: the choice for small collections. Both support
//! filters, and return the same results on every CPU. This is the compiled core of snapseek; it knows vectors and scores, not
//! pictures, and only the `py` module knows Python.
//!
//! ```
//! use snapseek::{Allow, BuildOptions, Interrupt, IvfIndex, LoadMode, MatrixF32, RowsView, SearchParams, Values, build_ivf};
//!
//! # fn main() -> snapseek::Result<()> {
//! # let home = tempfile::tempdir().expect("a temporary directory");
//! let path = home.path().join("vectors.snap");
//! let vectors: Vec<f32> = (0..2000 * 8).map(|i| ((i * i % 1009) as f32).sin()).collect();
//!
//! // Build: train, encode and calibrate; the file appears when it is complete.
//! let rows = RowsView::new(Values::F32(&vectors), 8)?;
//! let options = BuildOptions { nlist: Some(20), ..BuildOptions::default() };
//! build_ivf(&rows, None, None, &path, &options, &mut |_| Ok(()), Interrupt::NEVER)?;
//!
//! // Open: mapped, and validated once.
//! let index = IvfIndex::open(&path, LoadMode::Map)?;
//!
//! // Search: ids and scores of the best rows, best first.
//! let query = MatrixF32::new(&vectors[..8], 8)?;
//! let params = SearchParams { k: 3, nprobe: 5, shortlist: 50, exact: false };
//! let found = index.search(query, params, None, 1)?;
//! assert!(found.ids.len() == 3 && found.scores[0] >= found.scores[1]);
//!
//! // Filter: search among some ids only.
//! let even: Vec<i64> = (0..2000).step_by(2).collect();
//! let filter = index.filter(Allow::Ids(&even))?;
//! assert!(index.search(query, params, Some(&filter), 1)?.ids.iter().all(|id| id % 2 == 0));
//! # Ok(())
//! # }
//! ```
//!
//! # Data flow
//!
//! A build samples rows, trains the list centroids (two-level k-means), assigns every row to a list, fits the query-aware
//! transform, trains the PQ codebooks, encodes every row (PQ codes, then refine codes of what PQ lost), and measures which
//! parameters reach which recall. A search quantizes and projects the query, ranks the lists by weighted centroids, builds the
//! lookup table of the query, fast-scans the codes of the best lists into a reservoir of candidates, prunes the candidates by an
//! error bound, and reranks the rest with refine codes and a 21-bit table.
//!
//! # Modules
//!
//! Each module imports only from those above it, which `tests/architecture.rs` checks.
//!
//! | module | contents |
//! |---|---|
//! | `simd` | CPU-feature witnesses, and the dispatch to the fastest kernel |
//! | [`error`] | errors: what was expected, what was got, how to fix it |
//! | [`parallel`] | scoped workers, progress, interrupts |
//! | [`matrix`] | the caller's vectors, borrowed |
//! | [`linalg`] | matrix products, eigendecomposition, random numbers |
//! | [`topk`] | top-k reservoirs, row bitmaps, candidate pruning |
//! | [`words`] | the best rows by the words of a query |
//! | [`kernels`] | SIMD kernels: int8 and float16 dot products, int8 matrix product, PQ fast-scan |
//! | [`quantizer`] | SQ8, SQ4, float16, PQ, length correction, query transform, LDLQ, TCQ |
//! | [`storage`] | the `.snap` file format: written atomically, mapped, checksummed |
//! | [`flat`] | the flat index |
//! | [`ivf`] | the IVF index, and its build |
//! | `py` | the Python binding |

// A test may panic.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod error;
pub mod flat;
pub mod ivf;
pub mod kernels;
pub mod linalg;
pub mod matrix;
pub mod parallel;
pub mod quantizer;
mod simd;
pub mod storage;
pub mod topk;
pub mod words;

#[cfg(feature = "python")]
mod py;

#[cfg(test)]
mod tests;

pub use error::{Error, ErrorKind, FilterUnit, FormatError, Result};
pub use flat::build::build as build_flat;
pub use flat::index::FlatIndex;
pub use ivf::build::build as build_ivf;
pub use ivf::build::options::BuildOptions;
pub use ivf::filter::IvfFilter;
pub use ivf::index::{Allow, IvfIndex};
pub use ivf::search::SearchParams;
pub use matrix::{MAX_DIM, MatrixF32, RowsView, Values};
pub use parallel::Interrupt;
pub use storage::mmap::LoadMode;
pub use topk::bitmap::RowBitmap;
pub use topk::reservoir::Hit;
