//! Batch search: queries in groups that threads take one after another; a group is searched list by list if it can be.

use crate::error::{Error, FilterUnit, Result};
use crate::ivf::grouped::{is_groupable, search_together};
use crate::ivf::index::IvfIndex;
use crate::ivf::search::{SearchParams, SearchPlan, SearchScratch};
use crate::ivf::sections::Sections;
use crate::matrix::MatrixF32;
use crate::parallel::{Interrupt, run_each};
use crate::quantizer::magnitude::{UNIT_QUERY_ERROR, is_unit, unit_score};
use crate::topk::bitmap::RowBitmap;

/// Largest number of queries in a group that is searched one by one.
const QUERY_GROUP: usize = 32;

/// Largest number of queries in a group that is searched list by list. The more queries, the more of them probe the same list.
const LARGE_GROUP: usize = 256;

/// Hits of queries: ids and scores, one query after another.
type Found = (Vec<i64>, Vec<f32>);

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
    /// [`Error::Dim`], [`Error::NotFinite`], or [`Error::FilterLength`] for a filter of another index.
    pub fn search(
        &self,
        queries: MatrixF32<'_>,
        params: SearchParams,
        filter: Option<&RowBitmap>,
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
        filter: Option<&RowBitmap>,
        threads: usize,
        interrupt: Interrupt<'_>,
    ) -> Result<SearchResults> {
        let plan = plan.into();
        self.check_length()?;
        self.check(queries, filter)?;
        self.count_searches(queries.len());
        let sections = self.sections();
        let is_grouped = queries.len() > 1
            && filter.is_none()
            && [plan.samples, plan.rows].into_iter().all(|params| is_groupable(&sections, params));
        let most = if is_grouped { LARGE_GROUP } else { QUERY_GROUP };
        let group = queries.len().div_ceil(threads.max(1)).clamp(1, most);
        let groups = queries.values().chunks(group * self.layout().dim);
        let search = |group: &[f32]| {
            if is_grouped {
                self.search_group_together(group, plan, interrupt)
            } else {
                self.search_group(group, plan, filter, interrupt)
            }
        };
        let found = run_each(threads, groups, search)?;
        let k_effective = plan.samples.k.min(filter.map_or(self.layout().rows, RowBitmap::allowed));
        let mut results = SearchResults { k_effective, ..SearchResults::default() };
        for (ids, scores) in found {
            results.ids.extend(ids);
            results.scores.extend(scores);
        }
        Ok(results)
    }

    /// Check queries and filter against the index.
    pub(crate) fn check(&self, queries: MatrixF32<'_>, filter: Option<&RowBitmap>) -> Result<()> {
        queries.check(self.layout().dim)?;
        match filter.filter(|filter| filter.rows() != self.layout().rows) {
            Some(filter) => Err(Error::FilterLength {
                by: FilterUnit::Rows,
                expected: self.layout().rows,
                got: filter.rows(),
            }),
            None => Ok(()),
        }
    }

    /// Search for queries of finite values, shape (n, dim), one after another.
    fn search_group(
        &self,
        queries: &[f32],
        plan: SearchPlan,
        filter: Option<&RowBitmap>,
        interrupt: Interrupt<'_>,
    ) -> Result<Found> {
        let rule = self.kind_rule();
        self.with_scratch(|scratch, sections| {
            let mut found = Found::default();
            for query in queries.chunks_exact(sections.layout.dim) {
                let params = plan.params_of(query, rule);
                scratch.search(sections, query, params, filter, interrupt)?;
                self.push_hits(sections, query, scratch, &mut found);
            }
            Ok(found)
        })
    }

    /// Search for queries of finite values, shape (n, dim), list by list.
    fn search_group_together(
        &self,
        queries: &[f32],
        plan: SearchPlan,
        interrupt: Interrupt<'_>,
    ) -> Result<Found> {
        let (sections, rule) = (self.sections(), self.kind_rule());
        let with_params = |query| (query, plan.params_of(query, rule));
        let queries: Vec<(&[f32], SearchParams)> =
            queries.chunks_exact(self.layout().dim).map(with_params).collect();
        let mut scratches = self.take_scratches(queries.len());
        search_together(&sections, &queries, &mut scratches, interrupt)?;
        let mut found = Found::default();
        for ((query, _), scratch) in queries.into_iter().zip(&mut scratches) {
            self.push_hits(&sections, query, scratch, &mut found);
        }
        self.return_scratches(scratches);
        Ok(found)
    }

    /// Append the hits of the last search of a scratch.
    fn push_hits(
        &self,
        sections: &Sections<'_>,
        query: &[f32],
        scratch: &mut SearchScratch,
        (ids, scores): &mut Found,
    ) {
        let first = scores.len();
        for hit in scratch.hits(sections) {
            ids.push(sections.ids[hit.row as usize]);
            scores.push(hit.score);
        }
        scores[first..].iter_mut().for_each(|score| *score = scratch.score(*score));
        self.limit_unit_scores(query, &mut scores[first..]);
    }

    /// Bring scores that rounding has carried past 1 back to 1, where query and rows are unit vectors.
    fn limit_unit_scores(&self, query: &[f32], scores: &mut [f32]) {
        if scores.iter().any(|score| score.abs() > 1.0) && is_unit(query, UNIT_QUERY_ERROR) {
            let error = self.layout().refine.score_error();
            let limited = |&score: &f32| unit_score(score, error, || self.has_unit_rows(error));
            scores.iter_mut().for_each(|score| *score = limited(score));
        }
    }
}
