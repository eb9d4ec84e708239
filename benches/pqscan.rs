//! The 4-bit scan: GB/s of codes for each kernel, from the cache and from memory, compared with a memcpy of as many bytes.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use snapseek::codes::blocks::{BLOCK_ROWS, block_bytes};
use snapseek::codes::pqscan::{PqScanner, Sums, Table};

/// Subquantizers of vectors of 512 dimensions.
const M: usize = 128;

/// Blocks scanned in one go, as many as a list has.
const CHUNK: usize = 8;

fn scan_all(scanner: PqScanner, blocks: &[u8], steps: &[u8], sums: &mut [Sums], masks: &mut [u32]) -> u32 {
    let mut found = 0;
    let chunks = blocks.chunks_exact(CHUNK * block_bytes(M));
    let ahead = chunks.clone().skip(1).chain([&[][..]]);
    for (chunk, ahead) in chunks.zip(ahead) {
        scanner.scan(chunk, Table { steps, zero: 8_000, floor: 4_000 }, ahead, sums, masks);
        found |= masks.iter().fold(0, |found, mask| found | mask);
    }
    found
}

fn pqscan(criterion: &mut Criterion) {
    let steps: Vec<u8> = (0..M * 16).map(|i| (i * 37 % 128) as u8).collect();
    let (mut sums, mut masks) = ([[0; BLOCK_ROWS]; CHUNK], [0; CHUNK]);
    for (place, count) in [("cache", 120), ("memory", 120_000)] {
        let bytes = count * block_bytes(M);
        let blocks: Vec<u8> = (0..bytes).map(|i: usize| ((i * 2_654_435_761) >> 13) as u8).collect();
        let mut group = criterion.benchmark_group(format!("pqscan/{place}"));
        group.throughput(Throughput::Bytes(bytes as u64)).measurement_time(Duration::from_secs(3));
        for scanner in PqScanner::all() {
            group.bench_function(scanner.name(), |bencher| {
                bencher.iter(|| scan_all(scanner, black_box(&blocks), &steps, &mut sums, &mut masks));
            });
        }
        let mut copy = vec![0; bytes];
        group.bench_function("memcpy", |bencher| bencher.iter(|| copy.copy_from_slice(black_box(&blocks))));
        group.finish();
    }
}

criterion_group!(benches, pqscan);
criterion_main!(benches);
