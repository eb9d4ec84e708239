//! The answers of an index to many queries: in groups, each shared out among threads.

use std::thread;

use crate::hits::filter::Filter;
use crate::index::Index;
use crate::index::ivf::Plan;

/// Queries that a thread answers before a caller can stop the search.
const QUERY_GROUP: usize = 32;

/// Answers of queries, one after another, all of the same width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Ids, shape (q, width).
    pub ids: Vec<i64>,
    /// Scores, shape (q, width).
    pub scores: Vec<f32>,
}

impl Answers {
    pub(crate) fn extend(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.scores.extend(other.scores);
    }
}

/// The answers of a search, computed one group of queries at a time; see [`Index::groups`].
#[derive(Debug)]
pub struct Groups<'a> {
    pub(crate) index: &'a Index,
    pub(crate) queries: &'a [f32],
    pub(crate) plan: Plan,
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) threads: usize,
}

impl Groups<'_> {
    /// Hits in every answer: min(k, allowed).
    pub fn width(&self) -> usize {
        self.plan.k.min(self.filter.map_or(self.index.shape().rows, Filter::allowed))
    }
}

impl Iterator for Groups<'_> {
    type Item = Answers;

    fn next(&mut self) -> Option<Answers> {
        let dim = self.index.shape().dim;
        let most = self.threads * QUERY_GROUP * dim;
        let (now, later) = self.queries.split_at(most.min(self.queries.len()));
        self.queries = later;
        let each = (now.len() / dim).div_ceil(self.threads) * dim;
        let mut parts = now.chunks(each.max(dim));
        let first = parts.next()?;
        let answer = |part| self.index.answer(part, self.plan, self.filter);
        Some(thread::scope(|scope| {
            let helpers: Vec<_> = parts.map(|part| scope.spawn(move || answer(part))).collect();
            let mut answers = answer(first);
            for helper in helpers {
                answers.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            answers
        }))
    }
}
