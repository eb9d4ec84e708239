//! Building a flat index: rows are encoded with SQ8 and written in the order of their ids. Nothing is trained.

use std::path::Path;

use crate::error::{FormatError, Result};
use crate::kernels::stride;
use crate::matrix::{RowsView, check_ids};
use crate::parallel::{Interrupt, ProgressCallback, ScopedWorkers};
use crate::quantizer::magnitude::check_range;
use crate::quantizer::sq8::encode_row;
use crate::storage::format::{KIND_FLAT, Tag, chunk_count};
use crate::storage::section_writer::SectionWriter;

/// Sections of a flat index with ids; one less without.
pub(crate) const SECTIONS_WITH_IDS: usize = 4;

/// Rows encoded at once.
const BATCH_ROWS: usize = 4096;

/// Return the sections of a flat index and their sizes. Nothing here can overflow: rows are below 2^32 and dim is at most
/// 4096.
pub(crate) fn sections(rows: u64, dim: usize, with_ids: bool) -> Vec<(Tag, u64)> {
    let mut sections =
        vec![(Tag::CODES, rows * stride(dim) as u64), (Tag::SCALES, rows * size_of::<f32>() as u64)];
    if with_ids {
        sections.push((Tag::IDS, rows * size_of::<i64>() as u64));
    }
    let chunks: u64 = sections.iter().map(|&(_, size)| chunk_count(size)).sum();
    sections.push((Tag::CHUNKS, chunks * size_of::<u32>() as u64));
    sections
}

/// Check that the ids of a file rise.
pub(crate) fn check_id_order(ids: &[i64]) -> std::result::Result<(), FormatError> {
    match ids.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(row) => Err(FormatError::IdOrder { row: row + 1, before: ids[row], got: ids[row + 1] }),
        None => Ok(()),
    }
}

/// Write `rows` to a flat index at `path`, in the order of their `ids` if there are any.
///
/// # Errors
/// [`crate::Error::NotFinite`], [`crate::Error::MagnitudeRange`], [`crate::Error::IdsLength`] or
/// [`crate::Error::IdsRepeated`] for bad input, [`crate::Error::Storage`] if the disk refuses, the progress callback's error, or [`crate::Error::Stopped`]. No file is left then.
pub fn build<'a>(
    rows: &RowsView<'_>,
    ids: Option<&[i64]>,
    path: &Path,
    on_progress: &'a mut ProgressCallback<'a>,
    interrupt: Interrupt<'a>,
) -> Result<()> {
    check_ids(rows.len(), ids)?;
    check_range(rows.magnitude(interrupt)?, f32::MAX)?;
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    if let Some(ids) = ids {
        order.sort_unstable_by_key(|&row| ids[row as usize]);
    }
    let sections = sections(rows.len() as u64, rows.dim(), ids.is_some());
    let mut writer = SectionWriter::create(path, KIND_FLAT, rows.len() as u64, rows.dim() as u32, &sections)?;
    let mut workers = ScopedWorkers::new(1, on_progress, interrupt);
    for (batch, numbers) in order.chunks(BATCH_ROWS).enumerate() {
        let share = |batch: usize| ((batch * BATCH_ROWS) as f64 / order.len() as f64).min(1.0);
        workers.begin_stage("write", (share(batch), share(batch + 1)));
        for (codes, scales) in workers.run([numbers].into_iter(), |numbers| encode(rows, numbers))? {
            writer.append(Tag::CODES, bytemuck::cast_slice(&codes))?;
            writer.append(Tag::SCALES, bytemuck::cast_slice(&scales))?;
        }
        if let Some(ids) = ids {
            let ids: Vec<i64> = numbers.iter().map(|&row| ids[row as usize]).collect();
            writer.append(Tag::IDS, bytemuck::cast_slice(&ids))?;
        }
    }
    writer.finalize()?;
    writer.persist()
}

fn encode(rows: &RowsView<'_>, numbers: &[u32]) -> Result<(Vec<i8>, Vec<f32>)> {
    let values = rows.gather(numbers)?;
    let mut codes = vec![0; numbers.len() * stride(rows.dim())];
    let encoded = codes.chunks_exact_mut(stride(rows.dim()));
    let scales = values.chunks_exact(rows.dim()).zip(encoded).map(|(row, to)| encode_row(row, to)).collect();
    Ok((codes, scales))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::error::Error;
    use crate::flat::index::FlatIndex;
    use crate::matrix::Values;
    use crate::storage::mmap::LoadMode;

    pub(crate) fn build_at(path: &Path, values: &[f32], dim: usize, ids: Option<&[i64]>) -> Result<()> {
        build(&RowsView::new(Values::F32(values), dim)?, ids, path, &mut |_| Ok(()), Interrupt::NEVER)
    }

    #[test]
    fn rows_are_stored_in_the_order_of_their_ids() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        build_at(&path, &[1.0, 0.0, 0.0, 2.0, 3.0, 0.0], 2, Some(&[7, -5, 6])).unwrap();
        let index = FlatIndex::open(&path, LoadMode::Map).unwrap();
        assert_eq!(index.ids(), Some(&[-5, 6, 7][..]));
        assert_eq!(index.vector(0).unwrap(), [0.0, 2.0]);
        index.verify().unwrap();
    }

    #[test]
    fn many_batches_store_every_row_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let values: Vec<f32> = (0..4 * BATCH_ROWS + 10).map(|i| (i as f32).sin() + 2.0).collect();
        build_at(&path, &values, 1, None).unwrap();
        let index = FlatIndex::open(&path, LoadMode::Map).unwrap();
        index.verify().unwrap();
        assert_eq!((index.rows(), index.ids()), (values.len(), None));
        for row in [0, BATCH_ROWS, 4 * BATCH_ROWS + 9] {
            assert!((index.vector(row).unwrap()[0] - values[row]).abs() < 0.02);
        }
    }

    #[test]
    fn bad_ids_and_rows_leave_no_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let values = [1.0, 0.0, 0.0, f32::NAN];
        assert!(matches!(build_at(&path, &values, 2, None), Err(Error::NotFinite { row: 1, column: 1, .. })));
        assert!(matches!(
            build_at(&path, &values, 2, Some(&[1])),
            Err(Error::IdsLength { expected: 2, got: 1 })
        ));
        assert!(matches!(build_at(&path, &values, 2, Some(&[4, 4])), Err(Error::IdsRepeated { id: 4 })));
        assert!(matches!(build_at(&path, &[1e-40; 2], 2, None), Err(Error::MagnitudeRange { .. })));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        assert!(matches!(
            check_id_order(&[1, 3, 3]),
            Err(FormatError::IdOrder { row: 2, before: 3, got: 3 })
        ));
    }
}
