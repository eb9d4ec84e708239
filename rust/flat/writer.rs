//! Writing a shard: under a temporary name, flushed to the disk, then renamed. A crash leaves no half shard
//! behind.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::file::checksum::Checksum;
use crate::file::format::{Header, KIND_FLAT, MAX_ROWS, Tag, align, header_bytes};
use crate::file::temporary::TemporaryName;
use crate::vectors::{Vectors, check_dim, encode_row, stride};

const SECTIONS: usize = 3;
const BUFFER_BYTES: usize = 1 << 20;

/// Writes one shard from left to right. Dropping it before [`ShardWriter::finish`] leaves nothing on the
/// disk.
///
/// Memory: one float32 per row, and a buffer of 1 MiB.
#[derive(Debug)]
pub struct ShardWriter {
    dim: usize,
    /// `None` once finished, aborted or failed.
    draft: Option<Draft>,
}

#[derive(Debug)]
struct Draft {
    // Declared, and so dropped, before the name: the file is closed before it is removed.
    file: BufWriter<File>,
    name: TemporaryName,
    codes: Checksum,
    scales: Vec<f32>,
    row: Vec<i8>,
}

impl ShardWriter {
    /// Begin a shard of `dim` dimensions that will appear at `path`, replacing what is there.
    ///
    /// The temporary file lies in the same directory and its name is that of `path` with a number and `.tmp`
    /// added.
    ///
    /// # Errors
    /// [`Error::DimRange`], [`Error::NoFileName`], or [`Error::Storage`] if the temporary file cannot be
    /// made.
    pub fn create(path: &Path, dim: usize) -> Result<Self> {
        check_dim(dim)?;
        let draft = Draft::create(path, dim)?;
        Ok(Self { dim, draft: Some(draft) })
    }

    /// Add rows of shape (n, dim), all or, if one of them is refused, none.
    ///
    /// # Errors
    /// [`Error::Dim`], [`Error::NotFinite`] and [`Error::TooManyRows`] leave the writer as it was;
    /// [`Error::Storage`] aborts it. [`Error::WriterClosed`] after its end.
    pub fn append(&mut self, vectors: Vectors<'_>) -> Result<()> {
        let draft = self.draft.as_mut().ok_or(Error::WriterClosed)?;
        vectors.check(self.dim)?;
        let rows = draft.scales.len() + vectors.len();
        if rows > MAX_ROWS {
            return Err(Error::TooManyRows { max: MAX_ROWS, got: rows });
        }
        let written = vectors.rows().try_for_each(|row| draft.append(row));
        if written.is_err() {
            self.abort();
        }
        written
    }

    /// Write the rest, flush it to the disk, make the file appear and return its number of rows.
    ///
    /// # Errors
    /// [`Error::Storage`] if the disk refuses: the temporary file is gone then. [`Error::WriterClosed`] after
    /// its end.
    pub fn finish(&mut self) -> Result<usize> {
        let draft = self.draft.take().ok_or(Error::WriterClosed)?;
        draft.finish(self.dim)
    }

    /// Remove the temporary file. Does nothing after the writer's end.
    pub fn abort(&mut self) {
        self.draft = None;
    }
}

impl Draft {
    fn create(path: &Path, dim: usize) -> Result<Self> {
        let (name, file) = TemporaryName::create(path)?;
        let mut draft = Self {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            name,
            codes: Checksum::default(),
            scales: Vec::new(),
            row: vec![0; stride(dim)],
        };
        // The header's place; what it says is known at the end.
        draft.write(&[0; header_bytes(SECTIONS)])?;
        draft.pad(header_bytes(SECTIONS) as u64)?;
        Ok(draft)
    }

    fn append(&mut self, row: &[f32]) -> Result<()> {
        self.scales.push(encode_row(row, &mut self.row));
        let codes = bytemuck::cast_slice(&self.row);
        self.codes.update(codes);
        self.file.write_all(codes).map_err(Error::storage("write", self.name.temporary()))
    }

    fn finish(mut self, dim: usize) -> Result<usize> {
        let scales = std::mem::take(&mut self.scales);
        let rows = scales.len();
        let (codes, mut chunks) = std::mem::take(&mut self.codes).finish(Tag::CODES);
        let (scales_entry, more) = checksum(bytemuck::cast_slice(&scales)).finish(Tag::SCALES);
        chunks.extend(more);
        let (chunks_entry, _) = checksum(bytemuck::cast_slice(&chunks)).finish(Tag::CHUNKS);
        let header = Header::new(KIND_FLAT, rows as u64, dim as u32, &[codes, scales_entry, chunks_entry]);
        let [codes, scales_at, _] = &header.sections[..] else { unreachable!("three sections were named") };
        self.pad(codes.offset + codes.size)?;
        self.write(bytemuck::cast_slice(&scales))?;
        self.pad(scales_at.offset + scales_at.size)?;
        self.write(bytemuck::cast_slice(&chunks))?;
        self.file.seek(SeekFrom::Start(0)).map_err(Error::storage("write", self.name.temporary()))?;
        self.write(&header.encode())?;
        self.publish()?;
        Ok(rows)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::storage("write", self.name.temporary()))
    }

    /// Zeros from `end` to where the next section begins.
    fn pad(&mut self, end: u64) -> Result<()> {
        self.write(&vec![0; (align(end) - end) as usize])
    }

    fn publish(self) -> Result<()> {
        let Self { file, name, .. } = self;
        let refused = Error::storage("write", name.temporary());
        let written = file.into_inner().map_err(|error| error.into_error()).and_then(|file| file.sync_all());
        written.map_err(refused)?;
        name.publish()
    }
}

fn checksum(bytes: &[u8]) -> Checksum {
    let mut checksum = Checksum::default();
    checksum.update(bytes);
    checksum
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_appears_only_when_finished() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let mut writer = ShardWriter::create(&path, 2).unwrap();
        writer.append(Vectors::new(&[1.0, 2.0], 2).unwrap()).unwrap();
        assert!(names(home.path())[0].ends_with(".tmp"));
        assert_eq!(writer.finish().unwrap(), 1);
        assert_eq!(names(home.path()), ["a.snap"]);
        assert!(matches!(writer.finish(), Err(Error::WriterClosed)));
    }

    #[test]
    fn abort_and_drop_leave_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let mut aborted = ShardWriter::create(&path, 2).unwrap();
        let dropped = ShardWriter::create(&path, 2).unwrap();
        assert_eq!(names(home.path()).len(), 2);
        aborted.abort();
        drop(dropped);
        assert!(names(home.path()).is_empty());
        let refused = aborted.append(Vectors::new(&[1.0, 2.0], 2).unwrap());
        assert!(matches!(refused, Err(Error::WriterClosed)));
    }

    #[test]
    fn refused_rows_leave_the_writer_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let mut writer = ShardWriter::create(&home.path().join("a.snap"), 2).unwrap();
        writer.append(Vectors::new(&[1.0, 2.0], 2).unwrap()).unwrap();
        let refused = writer.append(Vectors::new(&[1.0, 2.0, f32::NAN, 0.0], 2).unwrap());
        assert!(matches!(refused, Err(Error::NotFinite { row: 1, column: 0, .. })));
        assert_eq!(writer.finish().unwrap(), 1);
    }

    #[test]
    fn a_refusal_to_rename_removes_the_temporary_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        fs::create_dir(&path).unwrap();
        let error = ShardWriter::create(&path, 2).unwrap().finish().unwrap_err();
        assert!(matches!(error, Error::Storage { .. }), "{error}");
        assert_eq!(names(home.path()), ["a.snap"]);
    }

    #[test]
    fn a_name_left_by_a_crash_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.snap");
        let first = ShardWriter::create(&path, 2).unwrap();
        let stray = first.draft.as_ref().unwrap().name.temporary().to_path_buf();
        let number: u32 = {
            let name = stray.to_str().unwrap().trim_end_matches(".tmp");
            name.rsplit('-').next().unwrap().parse().unwrap()
        };
        drop(first);
        for ahead in 1..40 {
            let name = format!("a.snap.{}-{}.tmp", std::process::id(), number + ahead);
            fs::write(home.path().join(name), b"stray").unwrap();
        }
        assert_eq!(ShardWriter::create(&path, 2).unwrap().finish().unwrap(), 0);
        assert_eq!(names(home.path()).iter().filter(|name| name.ends_with(".tmp")).count(), 39);
    }

    #[test]
    fn paths_that_cannot_be_written_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let missing = ShardWriter::create(&home.path().join("none/a.snap"), 2).unwrap_err();
        assert!(missing.to_string().contains("could not create"), "{missing}");
        assert!(matches!(ShardWriter::create(Path::new("/"), 2), Err(Error::NoFileName { .. })));
        assert!(matches!(ShardWriter::create(Path::new("a.snap"), 0), Err(Error::DimRange { .. })));
    }
}
