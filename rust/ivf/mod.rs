//! The IVF index: inverted lists of PQ codes in the fast-scan layout, with refine codes for reranking.
//!
//! [`search`] is the path of one query: project it, rank the lists (`probe`), scan their codes (`scan_list`), rerank the
//! candidates ([`rerank`]). [`mod@build`] trains, encodes and calibrates an index.

pub mod batch;
pub mod build;
pub mod calibration;
pub mod filter;
pub mod index;
pub mod layout;
pub mod rerank;
pub mod search;
pub mod sections;
pub mod storage_forms;

mod early_stop;
mod measure;
mod probe;
mod reconstruct;
mod row_ids;
mod scan_list;
mod trained;
mod validate;
