//! Files that were written once, by each version of the format, still open, verify and answer to the bit.
//!
//! They lie in `tests/golden`, where `golden_files.py` says how they were made.

use std::fs;
use std::path::{Path, PathBuf};

use crate::file::load::LOADS;
use crate::flat::shard::Shard;
use crate::hits::filter::Filter;
use crate::index::Index;
use crate::index::ivf::Plan;
use crate::vectors::Vectors;

const DIM: usize = 16;
const K: usize = 6;
const PROBE: Plan = Plan { k: K, nprobe: 2, shortlist: 20, exact: false };
const FILES: usize = 8;

fn folders() -> Vec<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

/// A line of `answers.txt` without its first three words: ids, and scores as the bits of float32.
fn line_of(ids: &[i64], scores: &[f32]) -> String {
    let places = ids.iter().zip(scores).map(|(id, score)| format!("{id}:{:08x}", score.to_bits()));
    places.collect::<Vec<_>>().join(" ")
}

fn shard_line(shard: &Shard, query: Vectors<'_>, mode: &str) -> String {
    let id = |row: usize| shard.ids().map_or(row as i64, |ids| ids[row]);
    let flags: Vec<bool> = (0..shard.rows()).map(|row| id(row) % 3 != 0).collect();
    let hits = shard.search(query, K, (mode == "allow").then_some(&flags[..])).unwrap().remove(0);
    let (ids, scores): (Vec<i64>, Vec<f32>) =
        hits.iter().map(|hit| (id(hit.row as usize), hit.score)).unzip();
    line_of(&ids, &scores)
}

fn index_line(index: &Index, query: Vectors<'_>, mode: &str) -> String {
    let filter = Filter::new(index.shape().rows, |row| index.ids()[row] % 3 != 0);
    let plan = Plan { exact: mode == "exact", ..PROBE };
    let answers = index.search(query, plan, (mode == "allow").then_some(&filter), 1).unwrap();
    line_of(&answers.ids, &answers.scores)
}

/// Every answer of a file that `answers.txt` has, anew, in its order.
fn answers_of(path: &Path, queries: &[f32], asked: &[(usize, &str)]) -> Vec<Vec<String>> {
    let query = |number: usize| Vectors::new(&queries[number * DIM..][..DIM], DIM).unwrap();
    if let Ok(shard) = Shard::open(path) {
        shard.verify().unwrap();
        return vec![asked.iter().map(|&(number, mode)| shard_line(&shard, query(number), mode)).collect()];
    }
    let opened = LOADS.map(|(_, load)| Index::open(path, load).unwrap());
    let lines = opened.iter().map(|index| {
        index.verify().unwrap();
        asked.iter().map(|&(number, mode)| index_line(index, query(number), mode)).collect()
    });
    lines.collect()
}

#[test]
fn files_of_every_version_answer_as_they_did() {
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
            let asked: Vec<(usize, &str)> =
                parts.iter().map(|[mode, number, _]| (number.parse().unwrap(), *mode)).collect();
            let expected: Vec<&str> = parts.iter().map(|[.., places]| *places).collect();
            assert_eq!(expected.len(), 3 * queries.len() / DIM, "{file}");
            for answers in answers_of(&folder.join(format!("{file}.snap")), &queries, &asked) {
                assert_eq!(answers, expected, "{file} in {}", folder.display());
            }
        }
    }
}
