//! The answers of an index to many queries.

/// Most queries that a thread answers in one piece of work.
pub(crate) const QUERY_GROUP: usize = 32;

/// Answers of queries, one after another, all of the same width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Hits in every answer: min(k, allowed).
    pub width: usize,
    /// Ids, shape (q, width).
    pub ids: Vec<i64>,
    /// Scores, shape (q, width).
    pub scores: Vec<f32>,
}
