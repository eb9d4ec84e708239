//! Batch search: queries in groups that threads take one after another.

use crate::error::{Error, Result};
use crate::ivf::filter::IvfFilter;
use crate::ivf::index::IvfIndex;
use crate::ivf::search::{SearchParams, SearchPlan};
use crate::matrix::MatrixF32;
use crate::parallel::{Interrupt, run_each};
use crate::quantizer::magnitude::{UNIT_QUERY_ERROR, hits_with_ties, is_unit, unit_score};

/// Largest number of queries in a group.
const QUERY_GROUP: usize = 32;

/// Results of queries, one after another, all with the same number of hits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchResults {
    /// Hits in every result: min(k, allowed).
    pub k_effective: usize,
    /// Ids, shape (q, k_effective).
    pub ids: Vec<i64>,
    /// Scores, shape (q, k_effective).
    pub scores: Vec<f32>,
}

impl IvfIndex {
    /// Return the best min(k, allowed) rows for each query, best first, ties by lower id.
    ///
    /// `queries` has shape (q, dim). Several share `threads`; each runs on one.
    ///
    /// # Errors
    /// [`Error::Dim`], [`Error::NotFinite`], or [`Error::OtherFilter`].
    pub fn search(
        &self,
        queries: MatrixF32<'_>,
        params: SearchParams,
        filter: Option<&IvfFilter>,
        threads: usize,
    ) -> Result<SearchResults> {
        self.search_with(queries, params, filter, threads, Interrupt::NEVER)
    }

    /// [`IvfIndex::search`] with parameters for each kind of query, which ends early when `interrupt` says so.
    ///
    /// # Errors
    /// As [`IvfIndex::search`], and [`Error::Stopped`].
    pub fn search_with(
        &self,
        queries: MatrixF32<'_>,
        plan: impl Into<SearchPlan>,
        filter: Option<&IvfFilter>,
        threads: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<SearchResults> {
        let plan = plan.into();
        self.check_length()?;
        self.check(queries, filter)?;
        self.count_searches(queries.len());
        let group = queries.len().div_ceil(threads.max(1)).clamp(1, QUERY_GROUP);
        let groups = queries.values().chunks(group * self.layout().dim);
        let found = run_each(threads, groups, |group| self.search_group(group, plan, filter, interrupt))?;
        let k_effective = plan.samples.k.min(filter.map_or(self.layout().rows, IvfFilter::allowed));
        let mut results = SearchResults { k_effective, ..SearchResults::default() };
        for (ids, scores) in found {
            results.ids.extend(ids);
            results.scores.extend(scores);
        }
        Ok(results)
    }

    /// Check queries and filter against the index.
    pub(crate) fn check(&self, queries: MatrixF32<'_>, filter: Option<&IvfFilter>) -> Result<()> {
        queries.check(self.layout().dim)?;
        let is_other = |filter: &IvfFilter| !filter.fits(self.layout().rows, self.layout().nlist);
        if filter.is_some_and(is_other) { Err(Error::OtherFilter) } else { Ok(()) }
    }

    /// Search for queries of finite values, shape (n, dim), one after another.
    fn search_group(
        &self,
        queries: &[f32],
        plan: SearchPlan,
        filter: Option<&IvfFilter>,
        interrupt: Interrupt<'_>,
    ) -> Result<(Vec<i64>, Vec<f32>)> {
        let rule = self.kind_rule();
        let allowed = filter.map_or(self.layout().rows, IvfFilter::allowed);
        self.with_scratch(|scratch, sections| {
            let (mut ids, mut scores) = (Vec::new(), Vec::new());
            for query in queries.chunks_exact(sections.layout.dim) {
                let (mut params, kind) = plan.params_of(query, rule);
                let (first, k) = (scores.len(), params.k);
                loop {
                    let hits = scratch.search(sections, query, (params, kind), filter, interrupt)?;
                    ids.extend(hits.iter().map(|hit| sections.ids.get(hit.row as usize)));
                    scores.extend(hits.iter().map(|hit| hit.score));
                    scores[first..].iter_mut().for_each(|score| *score = scratch.score(*score));
                    let may_tie = self.limit_unit_scores(query, &mut ids[first..], &mut scores[first..]);
                    match hits_with_ties(params.k, allowed).filter(|_| may_tie) {
                        Some(more) => params.k = more,
                        None => break,
                    }
                    ids.truncate(first);
                    scores.truncate(first);
                }
                ids.truncate(first + k);
                scores.truncate(first + k);
            }
            Ok((ids, scores))
        })
    }

    /// Bring scores that rounding has carried past 1 back to 1, where query and rows are unit vectors, and ties in order of id.
    /// Return whether the last score is such a one: then rows that were not found may tie with it.
    fn limit_unit_scores(&self, query: &[f32], ids: &mut [i64], scores: &mut [f32]) -> bool {
        if scores.iter().all(|score| score.abs() <= 1.0) || !is_unit(query, UNIT_QUERY_ERROR) {
            return false;
        }
        let error = self.layout().refine.score_error();
        let limited = |&score: &f32| unit_score(score, error, || self.has_unit_rows(error));
        let last = scores.last().copied();
        scores.iter_mut().for_each(|score| *score = limited(score));
        let mut start = 0;
        for tied in scores.chunk_by(|a, b| a == b) {
            ids[start..start + tied.len()].sort_unstable();
            start += tied.len();
        }
        scores.last().copied() != last
    }
}
