//! A flat shard of vectors that lie ready: nothing is trained, and ids, where rows have any, rise with the rows.

use std::path::Path;

use crate::error::{Fault, Result};
use crate::file::draft::Draft;
use crate::file::format::{KIND_FLAT, Tag, chunk_count};
use crate::parallel::{Listener, Team};
use crate::vectors::ids::check_ids as check_given;
use crate::vectors::rows::Rows;
use crate::vectors::{encode_row, stride};

/// Sections of a flat shard with ids; one less without.
pub(crate) const SECTIONS_WITH_IDS: usize = 4;

/// Rows coded in one go.
const PIECE: usize = 4096;

/// Sections of a flat shard. Nothing here can overflow: rows are below 2^32 and dim is at most 4096.
pub(crate) fn layout(rows: u64, dim: usize, with_ids: bool) -> Vec<(Tag, u64)> {
    let mut layout =
        vec![(Tag::CODES, rows * stride(dim) as u64), (Tag::SCALES, rows * size_of::<f32>() as u64)];
    if with_ids {
        layout.push((Tag::IDS, rows * size_of::<i64>() as u64));
    }
    let chunks: u64 = layout.iter().map(|&(_, size)| chunk_count(size)).sum();
    layout.push((Tag::CHUNKS, chunks * size_of::<u32>() as u64));
    layout
}

/// Check that ids rise.
pub(crate) fn check_ids(ids: &[i64]) -> std::result::Result<(), Fault> {
    match ids.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(row) => Err(Fault::IdOrder { row: row + 1, before: ids[row], got: ids[row + 1] }),
        None => Ok(()),
    }
}

/// Write `rows` to a flat shard at `path`, in the order of their `ids` if there are any.
///
/// # Errors
/// [`crate::Error::NotFinite`], [`crate::Error::IdsLength`] or [`crate::Error::IdsRepeated`] for bad input,
/// [`crate::Error::Storage`] if the disk refuses, or the listener's error. No file is left then.
pub fn build<'a>(
    rows: &Rows<'_>,
    ids: Option<&[i64]>,
    path: &Path,
    listener: &'a mut Listener<'a>,
) -> Result<()> {
    check_given(rows.len(), ids)?;
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    if let Some(ids) = ids {
        order.sort_unstable_by_key(|&row| ids[row as usize]);
    }
    let layout = layout(rows.len() as u64, rows.dim(), ids.is_some());
    let mut draft = Draft::create(path, KIND_FLAT, rows.len() as u64, rows.dim() as u32, &layout)?;
    let mut team = Team::new(1, listener);
    for (piece, numbers) in order.chunks(PIECE).enumerate() {
        let share = |piece: usize| ((piece * PIECE) as f64 / order.len() as f64).min(1.0);
        team.enter("write", (share(piece), share(piece + 1)));
        for (codes, scales) in team.run([numbers].into_iter(), |numbers| code(rows, numbers))? {
            draft.append(Tag::CODES, bytemuck::cast_slice(&codes))?;
            draft.append(Tag::SCALES, bytemuck::cast_slice(&scales))?;
        }
        if let Some(ids) = ids {
            let ids: Vec<i64> = numbers.iter().map(|&row| ids[row as usize]).collect();
            draft.append(Tag::IDS, bytemuck::cast_slice(&ids))?;
        }
    }
    draft.seal()?;
    draft.publish()
}

fn code(rows: &Rows<'_>, numbers: &[u32]) -> Result<(Vec<i8>, Vec<f32>)> {
    let values = rows.gather(numbers)?;
    let mut codes = vec![0; numbers.len() * stride(rows.dim())];
    let places = codes.chunks_exact_mut(stride(rows.dim()));
    let scales = values.chunks_exact(rows.dim()).zip(places).map(|(row, to)| encode_row(row, to)).collect();
    Ok((codes, scales))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::parallel::Progress;
    use crate::vectors::rows::Values;
    use crate::{Shard, ShardWriter, Vectors};

    fn build_at(path: &Path, values: &[f32], ids: Option<&[i64]>) -> Result<()> {
        let mut listener = |_: Progress| Ok(());
        build(&Rows::new(Values::Single(values), 2)?, ids, path, &mut listener)
    }

    #[test]
    fn without_ids_it_is_what_a_writer_writes() {
        let home = tempfile::tempdir().unwrap();
        let (built, written) = (home.path().join("a.snap"), home.path().join("b.snap"));
        let values: Vec<f32> = (0..20_000).map(|at| (at as f32).sin()).collect();
        build_at(&built, &values, None).unwrap();
        let mut writer = ShardWriter::create(&written, 2).unwrap();
        writer.append(Vectors::new(&values, 2).unwrap()).unwrap();
        writer.finish().unwrap();
        assert_eq!(std::fs::read(built).unwrap(), std::fs::read(written).unwrap());
    }

    #[test]
    fn ids_rise_and_carry_their_rows() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        build_at(&path, &[1.0, 0.0, 0.0, 2.0, 3.0, 0.0], Some(&[7, -5, 6])).unwrap();
        let shard = Shard::open(&path).unwrap();
        assert_eq!(shard.ids(), Some(&[-5, 6, 7][..]));
        assert_eq!(shard.vector(0).unwrap(), [0.0, 2.0]);
        shard.verify().unwrap();
    }

    #[test]
    fn bad_ids_and_rows_leave_no_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let values = [1.0, 0.0, 0.0, f32::NAN];
        assert!(matches!(build_at(&path, &values, None), Err(Error::NotFinite { row: 1, column: 1, .. })));
        assert!(matches!(
            build_at(&path, &values, Some(&[1])),
            Err(Error::IdsLength { expected: 2, got: 1 })
        ));
        assert!(matches!(build_at(&path, &values, Some(&[4, 4])), Err(Error::IdsRepeated { id: 4 })));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        assert!(matches!(check_ids(&[1, 3, 3]), Err(Fault::IdOrder { row: 2, before: 3, got: 3 })));
    }
}
