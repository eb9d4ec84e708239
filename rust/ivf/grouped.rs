//! Searches many queries list by list: the blocks of a list are scanned for all queries that probe it, while they are in the cache.
//!
//! The results are those of one query after another: each query probes the same lists, and its shortlist does not depend on their
//! order. Only searches without a filter are grouped, because only their lists are known beforehand.

use crate::error::Result;
use crate::ivf::probe::StopRule;
use crate::ivf::search::{SearchParams, SearchScratch};
use crate::ivf::sections::Sections;
use crate::parallel::Interrupt;
use crate::topk::reservoir::Hit;

/// The best lists of a query are scanned first: with good candidates early, fewer rows of the other lists become candidates.
const FIRST_LISTS: usize = 4;

/// Scans of a list by one query between two checks of the interrupt.
const SCANS_BETWEEN_CHECKS: usize = 256;

/// One scan: the list, the query and the index of the list among the query's probes.
type Scan = (u32, u32, u32);

/// Whether queries with these parameters can be searched together.
pub(crate) fn is_groupable(sections: &Sections<'_>, params: SearchParams) -> bool {
    !params.exact && params.k > 0 && sections.layout.rows > params.shortlist
}

/// Search each query with the scratch of the same index; then [`SearchScratch::hits`] has its hits.
///
/// # Errors
/// [`crate::Error::Stopped`] if `interrupt` says so.
pub(crate) fn search_together(
    sections: &Sections<'_>,
    queries: &[(&[f32], SearchParams)],
    scratches: &mut [SearchScratch],
    interrupt: Interrupt<'_>,
) -> Result<()> {
    let mut scans: Vec<Scan> = Vec::new();
    for (number, (&(query, params), scratch)) in queries.iter().zip(scratches.iter_mut()).enumerate() {
        interrupt.check()?;
        let lists = scratch.begin(sections, query, params);
        for index in 0..lists.min(FIRST_LISTS) {
            scratch.scan_probe(sections, index, scratch.list_of(index + 1), None);
        }
        let others = FIRST_LISTS.min(lists)..lists;
        let scan = |index: usize| Some((scratch.list_of(index)?, number as u32, index as u32));
        scans.extend(others.filter_map(scan));
    }
    scans.sort_unstable();
    for (index, &(list, number, probe)) in scans.iter().enumerate() {
        if index % SCANS_BETWEEN_CHECKS == 0 {
            interrupt.check()?;
        }
        let next = scans.get(index + 1).map(|scan| scan.0).filter(|&next| next != list);
        scratches[number as usize].scan_probe(sections, probe as usize, next, None);
    }
    for (&(_, params), scratch) in queries.iter().zip(scratches.iter_mut()) {
        interrupt.check()?;
        scratch.rerank(sections, params.k.min(sections.layout.rows));
    }
    Ok(())
}

impl SearchScratch {
    /// Prepare a search without a filter; return the number of lists that it probes.
    fn begin(&mut self, sections: &Sections<'_>, query: &[f32], params: SearchParams) -> usize {
        self.prepare_query(sections, query);
        self.top.reset(params.k.min(sections.layout.rows));
        let stop_rule = StopRule::new(sections.layout, params, None);
        self.begin_scan(sections, &stop_rule);
        let (mut index, mut lists, mut rows) = (0, 0, 0);
        while !stop_rule.is_reached(lists, rows) && self.has_probe(sections, index) {
            let size = self.list_of(index).map_or(0, |list| sections.rows_of(list as usize).len());
            (index, lists, rows) = (index + 1, lists + usize::from(size > 0), rows + size);
        }
        index
    }

    /// Return the list of a probe.
    fn list_of(&self, index: usize) -> Option<u32> {
        self.probes.get(index).map(|probe| probe.list)
    }

    /// Return the hits of the last search, best first.
    pub(crate) fn hits(&mut self, sections: &Sections<'_>) -> &[Hit] {
        self.top.sorted(sections.ids)
    }
}
