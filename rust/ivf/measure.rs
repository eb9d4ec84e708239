//! Counts the true neighbours that a search finds at many operating points, by one scan of the lists.
//!
//! A search with `nprobe` lists and a shortlist of `s` returns the best by their whole scores of the `s` best by their codes. So
//! the lists are scanned once in the order of a search. After each number of lists, the whole score of every new candidate is
//! computed, and the hits of every shortlist follow.

use crate::error::Result;
use crate::ivf::early_stop::{MIN_LISTS, StopThresholds, TRACKED_SCORES};
use crate::ivf::index::IvfIndex;
use crate::ivf::probe::StopRule;
use crate::ivf::rerank::RerankRow;
use crate::ivf::search::{SearchScratch, refine_query};
use crate::ivf::sections::Sections;
use crate::matrix::MatrixF32;
use crate::quantizer::refine_codec::RefineCodec;
use crate::quantizer::sq8::to_score_f32;
use crate::topk::packed_ids::RowIdSlice;
use crate::topk::reservoir::{Candidate, Hit};

/// Candidates kept while margins are traced: any number from ten on gives the same margins.
const TRACED_SHORTLIST: usize = 20;

/// Numbers of lists and shortlists, both rising: every pair is an operating point.
#[derive(Clone, Debug)]
pub(crate) struct Window<'a> {
    /// Of early termination.
    pub(crate) thresholds: StopThresholds<'a>,
    pub(crate) nprobes: Vec<usize>,
    pub(crate) shortlists: Vec<usize>,
}

/// What a query ought to find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbours<'a> {
    /// Number of hits.
    pub(crate) k: usize,
    /// The rows of the true neighbours, rising.
    pub(crate) rows: &'a [u32],
    /// The row that the query itself is: as if it were not in the index.
    pub(crate) own_row: Option<u32>,
}

/// The whole scores of the candidates of one query, reusable.
#[derive(Debug)]
pub(crate) struct WholeScores {
    /// One for each row of the index; NaN for a row that was no candidate.
    scores: Vec<f32>,
    candidates: Vec<u32>,
}

impl WholeScores {
    /// Make buffers for an index of some rows.
    pub(crate) fn new(rows: usize) -> Self {
        Self { scores: vec![f32::NAN; rows], candidates: Vec::new() }
    }

    fn clear(&mut self) {
        self.candidates.drain(..).for_each(|row| self.scores[row as usize] = f32::NAN);
    }

    fn insert(&mut self, row: u32, score: f32) {
        self.scores[row as usize] = score;
        self.candidates.push(row);
    }

    fn get(&self, row: u32) -> Option<f32> {
        Some(self.scores[row as usize]).filter(|score| !score.is_nan())
    }
}

impl IvfIndex {
    /// Return how many of the true neighbours of a query, shape (dim,), are found at each operating point of a window, shape
    /// (nprobes, shortlists), by one scan.
    ///
    /// # Errors
    /// As [`IvfIndex::search`].
    pub(crate) fn count_found(
        &self,
        query: &[f32],
        window: &Window<'_>,
        neighbours: Neighbours<'_>,
        scores: &mut WholeScores,
    ) -> Result<Vec<u32>> {
        self.check(MatrixF32::new(query, self.layout().dim)?, None)?;
        self.with_scratch(|scratch, sections| {
            Ok(scratch.count_found(sections, query, window, neighbours, scores))
        })
    }

    /// Return the smallest margin of a query, shape (dim,), up to each of the first `lists` lists that it would probe.
    ///
    /// # Errors
    /// As [`IvfIndex::search`].
    pub(crate) fn trace_margins(&self, query: &[f32], lists: usize) -> Result<Vec<f32>> {
        self.check(MatrixF32::new(query, self.layout().dim)?, None)?;
        self.with_scratch(|scratch, sections| Ok(scratch.trace_margins(sections, query, lists)))
    }
}

impl SearchScratch {
    /// Return the number of neighbours found at each operating point, shape (nprobes, shortlists).
    ///
    /// A search that has too few candidates for its shortlist probes more lists; this does not.
    pub(crate) fn count_found(
        &mut self,
        sections: &Sections<'_>,
        query: &[f32],
        window: &Window<'_>,
        neighbours: Neighbours<'_>,
        scores: &mut WholeScores,
    ) -> Vec<u32> {
        self.prepare_query(sections, query);
        let (nprobe, shortlist) = (window.nprobes.last().copied(), window.shortlists.last().copied());
        let shortlist = shortlist.unwrap_or(0) + usize::from(neighbours.own_row.is_some());
        self.begin_scan(sections, &StopRule::of_lists(sections.layout, nprobe.unwrap_or(0), shortlist), None);
        self.rows.track_best(TRACKED_SCORES);
        self.lut.build_fine();
        scores.clear();
        let (mut index, mut counts) = (0, Vec::with_capacity(window.nprobes.len() * window.shortlists.len()));
        for &nprobe in &window.nprobes {
            let stop = window.thresholds.stop(nprobe);
            while index < stop.max_lists
                && self.has_probe(sections, index, None)
                && !self.is_early_end(sections, index, stop.threshold)
            {
                self.scan_probe(sections, index, None);
                index += 1;
            }
            self.rows.sorted();
            self.score_new(sections, neighbours, scores);
            self.push_counts(sections, window, neighbours, scores, &mut counts);
        }
        counts
    }

    /// Return the smallest margin up to each of the first `lists` probes, infinite for those that every query probes.
    pub(crate) fn trace_margins(&mut self, sections: &Sections<'_>, query: &[f32], lists: usize) -> Vec<f32> {
        self.prepare_query(sections, query);
        self.begin_scan(sections, &StopRule::of_lists(sections.layout, lists, TRACED_SHORTLIST), None);
        self.rows.track_best(TRACKED_SCORES);
        let (mut lowest, mut trace) = (f32::INFINITY, Vec::with_capacity(lists));
        while trace.len() < lists && self.has_probe(sections, trace.len(), None) {
            if trace.len() >= MIN_LISTS {
                lowest = lowest.min(self.margin(sections, trace.len()));
            }
            self.scan_probe(sections, trace.len(), None);
            trace.push(lowest);
        }
        trace
    }

    /// Score the candidates that have no score, but for the query's own row.
    fn score_new(&mut self, sections: &Sections<'_>, neighbours: Neighbours<'_>, scores: &mut WholeScores) {
        self.rerank_rows.clear();
        for candidate in self.rows.best() {
            let row = candidate.row();
            if scores.get(row).is_some() || neighbours.own_row == Some(row) {
                continue;
            }
            if sections.layout.refine == RefineCodec::None {
                scores.insert(row, to_score_f32(f64::from(self.lut.score(candidate.score()))));
                continue;
            }
            let (block, lane) = sections.block_of(row as usize);
            let centroid_score = self.probes[candidate.probe as usize].centroid_score;
            let base_score = centroid_score + self.lut.fine_score(block, lane);
            self.rerank_rows.push(RerankRow { row, base_score });
        }
        let query = refine_query(sections, &self.query, &self.rotated);
        sections.reranker.score(query, &self.rerank_rows, |hit| scores.insert(hit.row, hit.score));
    }

    /// Append the number found with each shortlist.
    fn push_counts(
        &mut self,
        sections: &Sections<'_>,
        window: &Window<'_>,
        neighbours: Neighbours<'_>,
        scores: &WholeScores,
        counts: &mut Vec<u32>,
    ) {
        let mut best = BestOf::new(neighbours);
        let mut candidates = self.rows.best().iter().map(Candidate::row);
        let mut seen = 0;
        for &shortlist in &window.shortlists {
            while seen < shortlist.max(neighbours.k)
                && let Some(row) = candidates.next()
            {
                if let Some(score) = scores.get(row) {
                    best.push(Hit { row, score }, sections.ids);
                    seen += 1;
                }
            }
            counts.push(best.found);
        }
    }
}

/// The best `k` hits, ties by lower id, and how many of them are true neighbours.
struct BestOf<'a> {
    neighbours: Neighbours<'a>,
    hits: Vec<Hit>,
    found: u32,
}

impl<'a> BestOf<'a> {
    fn new(neighbours: Neighbours<'a>) -> Self {
        Self { neighbours, hits: Vec::with_capacity(neighbours.k + 1), found: 0 }
    }

    fn push(&mut self, hit: Hit, ids: RowIdSlice<'_>) {
        let Neighbours { k, rows, .. } = self.neighbours;
        let is_full = self.hits.len() == k;
        if is_full && self.hits.last().is_none_or(|last| last.score > hit.score) {
            return;
        }
        let id = |hit: &Hit| ids.get(hit.row as usize);
        let is_before =
            |other: &Hit| other.score > hit.score || other.score == hit.score && id(other) < id(&hit);
        let position = self.hits.partition_point(is_before);
        if position == k {
            return;
        }
        let is_true = |hit: Hit| u32::from(rows.binary_search(&hit.row).is_ok());
        self.found += is_true(hit);
        if is_full && let Some(last) = self.hits.pop() {
            self.found -= is_true(last);
        }
        self.hits.insert(position, hit);
    }
}
