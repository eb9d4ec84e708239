//! Golden files: files written by each version of the format still open, verify and return the same results to the bit.
//!
//! They are in `tests/golden`, where `golden_files.py` documents how they were made.

use std::fs;
use std::path::{Path, PathBuf};

use crate::flat::index::FlatIndex;
use crate::ivf::index::{Allow, IvfIndex};
use crate::ivf::search::SearchParams;
use crate::matrix::MatrixF32;
use crate::storage::mmap::{LOAD_MODES, LoadMode};
use crate::topk::bitmap::RowBitmap;

const DIM: usize = 16;
const K: usize = 6;
const PARAMS: SearchParams = SearchParams { k: K, nprobe: 2, shortlist: 20, exact: false };
const FILES: usize = 11;

fn folders() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

/// A line of `answers.txt` without its first three words: ids, and scores as the bits of float32.
fn format_line(ids: &[i64], scores: &[f32]) -> String {
    let hits = ids.iter().zip(scores).map(|(id, score)| format!("{id}:{:08x}", score.to_bits()));
    hits.collect::<Vec<_>>().join(" ")
}

fn flat_line(index: &FlatIndex, query: MatrixF32<'_>, mode: &str) -> String {
    let id = |row: usize| index.ids().map_or(row as i64, |ids| ids[row]);
    let filter = RowBitmap::new(index.rows(), |row| id(row) % 3 != 0);
    let hits = index.search(query, K, (mode == "allow").then_some(&filter)).unwrap().remove(0);
    let (ids, scores): (Vec<i64>, Vec<f32>) =
        hits.iter().map(|hit| (id(hit.row as usize), hit.score)).unzip();
    format_line(&ids, &scores)
}

fn ivf_line(index: &IvfIndex, query: MatrixF32<'_>, mode: &str) -> String {
    let allowed: Vec<i64> = index.ids().iter().copied().filter(|id| id % 3 != 0).collect();
    let filter = index.filter(Allow::Ids(&allowed)).unwrap();
    let params = SearchParams { exact: mode == "exact", ..PARAMS };
    let results = index.search(query, params, (mode == "allow").then_some(&filter), 1).unwrap();
    format_line(&results.ids, &results.scores)
}

/// Search again for every line of `answers.txt` about a file, once for each load mode.
fn lines_of(path: &Path, queries: &[f32], cases: &[(usize, &str)]) -> Vec<Vec<String>> {
    let query = |number: usize| MatrixF32::new(&queries[number * DIM..][..DIM], DIM).unwrap();
    if let Ok(index) = FlatIndex::open(path, LoadMode::Map) {
        index.verify().unwrap();
        return vec![cases.iter().map(|&(number, mode)| flat_line(&index, query(number), mode)).collect()];
    }
    let opened = LOAD_MODES.map(|(_, load)| IvfIndex::open(path, load).unwrap());
    let lines = opened.iter().map(|index| {
        index.verify().unwrap();
        cases.iter().map(|&(number, mode)| ivf_line(index, query(number), mode)).collect()
    });
    lines.collect()
}

#[test]
fn golden_files_return_their_recorded_results() {
    assert!(!folders().is_empty());
    for folder in folders() {
        let bytes = fs::read(folder.join("queries.f32")).unwrap();
        let words = bytes.chunks_exact(size_of::<f32>());
        let queries: Vec<f32> = words.map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect();
        let text = fs::read_to_string(folder.join("answers.txt")).unwrap();
        let mut files: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        files.dedup();
        assert_eq!(files.len(), FILES);
        for file in files {
            let lines = text.lines().filter_map(|line| line.strip_prefix(&format!("{file} ")));
            let parts: Vec<[&str; 3]> =
                lines.map(|line| line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap()).collect();
            let cases: Vec<(usize, &str)> =
                parts.iter().map(|[mode, number, _]| (number.parse().unwrap(), *mode)).collect();
            let expected: Vec<&str> = parts.iter().map(|[.., hits]| *hits).collect();
            assert_eq!(expected.len(), 3 * queries.len() / DIM, "{file}");
            for found in lines_of(&folder.join(format!("{file}.snap")), &queries, &cases) {
                assert_eq!(found, expected, "{file} in {}", folder.display());
            }
        }
    }
}
