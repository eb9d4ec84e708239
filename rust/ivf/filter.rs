//! A filter of one index: which rows are allowed, how many in each list, and a copy of the codes of few.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::ivf::sections::Sections;
use crate::kernels::fastscan::blocks::{BLOCK_ROWS, block_bytes, block_count, gather};
#[cfg(target_os = "linux")]
use crate::storage::free_memory::has_memory_for;
use crate::topk::bitmap::RowBitmap;

/// The codes are copied once searches have seen this many times as many rows as are allowed: then they have cost about as much
/// as the copy does. To copy a row takes about 120 to 200 ns, to scan a block for one row 90 ns.
const SEEN_BEFORE_COPY: usize = 2;

/// The codes are copied if at most one of this many rows is allowed: then the copy is that much smaller than the codes.
const MIN_ROWS_PER_COPIED: usize = 8;

/// The routing codes are copied, too, if at most one of this many lists holds allowed rows.
const MIN_LISTS_PER_COPIED: usize = 2;

/// The allowed rows of an index, prepared for many searches: a search ranks and scans only the lists that hold some.
#[derive(Debug)]
pub struct IvfFilter {
    rows: RowBitmap,
    /// The lists that hold allowed rows.
    lists: RowBitmap,
    rows_in_lists: usize,
    /// Allowed rows before each list, and all of them at the end: shape (nlist + 1,).
    counts_before: Vec<u32>,
    /// Allowed rows that searches have seen.
    seen: AtomicUsize,
    copy: OnceLock<CodesCopy>,
    copied_bytes: CopiedBytes,
}

/// Bytes of the copies that the filters of one index have.
///
/// A caller may keep any number of filters. Their copies take at most as much memory as the codes of the index.
#[derive(Clone, Debug, Default)]
pub(crate) struct CopiedBytes(Arc<AtomicUsize>);

impl CopiedBytes {
    /// Add the bytes of a copy, unless all would be more than `max` then. Dropping the result subtracts them.
    fn reserve(&self, size: usize, max: usize) -> Option<ReservedBytes> {
        let add = |bytes: usize| bytes.checked_add(size).filter(|&bytes| bytes <= max);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(ReservedBytes { all: self.clone(), size })
    }
}

/// The bytes of one copy.
#[derive(Debug)]
struct ReservedBytes {
    all: CopiedBytes,
    size: usize,
}

impl Drop for ReservedBytes {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// The codes of the allowed rows, and the routing codes of the lists that hold them, without gaps: a block of the index holds 32
/// rows, of which a filter may allow one.
#[derive(Debug)]
struct CodesCopy {
    /// The allowed rows, rising: row `rows[i]` has the code at position `i`.
    rows: Vec<u32>,
    blocks: Vec<u8>,
    /// The lists that hold allowed rows, rising, and their routing codes.
    routing: Option<(Vec<u32>, Vec<u8>)>,
    _reserved: ReservedBytes,
}

/// The rows of a list that a search scans.
pub(crate) struct ListRows<'a> {
    pub(crate) blocks: &'a [u8],
    /// Row numbers; positions in the copy, if there is one.
    pub(crate) rows: Range<usize>,
    /// The allowed ones of them, if not all are.
    pub(crate) filter: Option<&'a RowBitmap>,
    pub(crate) allowed: usize,
}

impl<'a> ListRows<'a> {
    /// All rows of a list.
    pub(crate) fn all(sections: &Sections<'a>, list: usize) -> Self {
        let rows = sections.rows_of(list);
        Self { blocks: sections.blocks_of(list), allowed: rows.len(), rows, filter: None }
    }
}

impl IvfFilter {
    /// Count the allowed rows of each list; list `i` holds the rows from `list_offsets[i]` to `list_offsets[i + 1]`.
    pub(crate) fn new(rows: RowBitmap, list_offsets: &[u64], copied_bytes: CopiedBytes) -> Self {
        let counts_before = rows.counts_before(list_offsets.iter().map(|&offset| offset as usize));
        let lists =
            RowBitmap::new(counts_before.len() - 1, |list| counts_before[list] < counts_before[list + 1]);
        let lengths = lists.ones(0..lists.rows()).map(|list| list_offsets[list + 1] - list_offsets[list]);
        let rows_in_lists = lengths.sum::<u64>() as usize;
        let (seen, copy) = (AtomicUsize::new(0), OnceLock::new());
        Self { rows, lists, rows_in_lists, counts_before, seen, copy, copied_bytes }
    }

    /// Whether an index of this shape can have made the filter.
    pub(crate) fn fits(&self, rows: usize, nlist: usize) -> bool {
        self.rows.rows() == rows && self.lists.rows() == nlist
    }

    /// Number of allowed rows.
    pub fn allowed(&self) -> usize {
        self.rows.allowed()
    }

    /// The allowed rows.
    pub(crate) fn bitmap(&self) -> &RowBitmap {
        &self.rows
    }

    /// The lists that hold allowed rows.
    pub(crate) fn lists(&self) -> &RowBitmap {
        &self.lists
    }

    /// The share of allowed rows in the lists that hold some.
    pub(crate) fn share_in_lists(&self) -> f64 {
        self.allowed() as f64 / self.rows_in_lists.max(1) as f64
    }

    /// Return the filter as a search that begins now sees it.
    pub(crate) fn view(&self) -> FilterView<'_> {
        FilterView { filter: self, copy: self.copy.get() }
    }

    /// Count the allowed rows that a search has seen, and copy the codes if it is time: other threads search without the copy
    /// meanwhile. Where memory is short, count from 0 again.
    pub(crate) fn count_seen(&self, sections: &Sections<'_>, rows: usize) {
        if self.copy.get().is_some() || self.allowed() * MIN_ROWS_PER_COPIED > self.rows.rows() {
            return;
        }
        let limit = self.allowed() * SEEN_BEFORE_COPY;
        let before = self.seen.fetch_add(rows, Ordering::Relaxed);
        // One thread sees the number pass the limit.
        if before < limit && before + rows >= limit {
            match CodesCopy::new(self, sections) {
                Some(copy) => drop(self.copy.set(copy)),
                None => self.seen.store(0, Ordering::Relaxed),
            }
        }
    }
}

/// A filter as one search sees it, with the copy of the codes or without.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FilterView<'a> {
    pub(crate) filter: &'a IvfFilter,
    copy: Option<&'a CodesCopy>,
}

impl<'a> FilterView<'a> {
    /// Return what a search scans of a list.
    pub(crate) fn rows_of(self, sections: &Sections<'a>, list: usize) -> ListRows<'a> {
        let counts = &self.filter.counts_before;
        let positions = counts[list] as usize..counts[list + 1] as usize;
        let allowed = positions.len();
        match self.copy {
            Some(copy) => {
                let bytes = block_bytes(sections.layout.m);
                let blocks = positions.start / BLOCK_ROWS * bytes..block_count(positions.end) * bytes;
                ListRows { blocks: &copy.blocks[blocks], rows: positions, filter: None, allowed }
            }
            None => ListRows { filter: Some(&self.filter.rows), allowed, ..ListRows::all(sections, list) },
        }
    }

    /// Return the row of a candidate of the scan.
    pub(crate) fn row_of(self, candidate: u32) -> u32 {
        self.copy.map_or(candidate, |copy| copy.rows[candidate as usize])
    }

    /// Return the routing codes to scan.
    pub(crate) fn routing_codes(self, sections: &Sections<'a>) -> RoutingCodes<'a> {
        match self.copy.and_then(|copy| copy.routing.as_ref()) {
            Some((lists, blocks)) => {
                RoutingCodes { blocks, count: lists.len(), lists: Some(lists), filter: None }
            }
            None => RoutingCodes { filter: Some(&self.filter.lists), ..RoutingCodes::all(sections) },
        }
    }
}

/// The routing codes of the lists that a search ranks.
#[derive(Clone, Copy)]
pub(crate) struct RoutingCodes<'a> {
    pub(crate) blocks: &'a [u8],
    /// Number of codes.
    pub(crate) count: usize,
    /// The list of each code; by default its position.
    lists: Option<&'a [u32]>,
    /// The codes to rank, if not all.
    pub(crate) filter: Option<&'a RowBitmap>,
}

impl<'a> RoutingCodes<'a> {
    /// The routing codes of all lists.
    pub(crate) fn all(sections: &Sections<'a>) -> Self {
        Self { blocks: sections.routing_blocks, count: sections.layout.nlist, lists: None, filter: None }
    }

    /// Return the list of a code.
    pub(crate) fn list_of(self, code: usize) -> u32 {
        self.lists.map_or(code as u32, |lists| lists[code])
    }
}

impl CodesCopy {
    /// Copy the codes, unless memory is short, or the copies of other filters take too much of it.
    fn new(filter: &IvfFilter, sections: &Sections<'_>) -> Option<Self> {
        let has_routing = filter.lists.allowed() * MIN_LISTS_PER_COPIED <= filter.lists.rows();
        let copied = |bitmap: &RowBitmap, m| {
            bitmap.allowed() * size_of::<u32>() + block_count(bitmap.allowed()) * block_bytes(m)
        };
        let routing_bytes =
            if has_routing { copied(&filter.lists, sections.routing_codebooks.m()) } else { 0 };
        let size = copied(&filter.rows, sections.layout.m) + routing_bytes;
        let max = sections.blocks.len() + sections.routing_blocks.len();
        let reserved = filter.copied_bytes.reserve(size, max).filter(|_| has_memory_for(size as u64))?;
        let numbers =
            |bitmap: &RowBitmap| bitmap.ones(0..bitmap.rows()).map(|row| row as u32).collect::<Vec<_>>();
        let rows = numbers(&filter.rows);
        let blocks = gather(sections.blocks, sections.layout.m, &rows);
        let routing = has_routing.then(|| {
            let lists = numbers(&filter.lists);
            let blocks = gather(sections.routing_blocks, sections.routing_codebooks.m(), &lists);
            (lists, blocks)
        });
        Some(Self { rows, blocks, routing, _reserved: reserved })
    }
}

/// Other systems do not say how much memory is free.
#[cfg(not(target_os = "linux"))]
fn has_memory_for(_: u64) -> bool {
    true
}

#[cfg(test)]
mod tests;
