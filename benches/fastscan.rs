//! The PQ fast-scan kernels: GB/s of codes from the cache and from memory, against a memcpy of the same size.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use snapseek::kernels::fastscan::blocks::{BLOCK_ROWS, block_bytes};
use snapseek::kernels::fastscan::{BlockSums, FastScan, ScanTable};

/// Subquantizers of vectors of 512 dimensions.
const M: usize = 128;

/// Blocks scanned at once, as many as a list has.
const CHUNK: usize = 8;

fn scan_all(
    kernel: FastScan,
    blocks: &[u8],
    entries: &[u8],
    sums: &mut [BlockSums],
    masks: &mut [u32],
) -> u32 {
    let mut found = 0;
    let chunks = blocks.chunks_exact(CHUNK * block_bytes(M));
    let prefetched = chunks.clone().skip(1).chain([&[][..]]);
    for (chunk, prefetched) in chunks.zip(prefetched) {
        let table = ScanTable { entries, zero_point: 8_000, threshold: 4_000 };
        kernel.scan(chunk, table, prefetched, sums, masks);
        found |= masks.iter().fold(0, |found, mask| found | mask);
    }
    found
}

fn fastscan(criterion: &mut Criterion) {
    let entries: Vec<u8> = (0..M * 16).map(|i| (i * 37 % 128) as u8).collect();
    let (mut sums, mut masks) = ([[0; BLOCK_ROWS]; CHUNK], [0; CHUNK]);
    for (level, count) in [("cache", 120), ("memory", 120_000)] {
        let bytes = count * block_bytes(M);
        let blocks: Vec<u8> = (0..bytes).map(|i: usize| ((i * 2_654_435_761) >> 13) as u8).collect();
        let mut group = criterion.benchmark_group(format!("fastscan/{level}"));
        group.throughput(Throughput::Bytes(bytes as u64)).measurement_time(Duration::from_secs(3));
        for kernel in FastScan::all() {
            group.bench_function(kernel.name(), |bencher| {
                bencher.iter(|| scan_all(kernel, black_box(&blocks), &entries, &mut sums, &mut masks));
            });
        }
        let mut copy = vec![0; bytes];
        group.bench_function("memcpy", |bencher| bencher.iter(|| copy.copy_from_slice(black_box(&blocks))));
        group.finish();
    }
}

criterion_group!(benches, fastscan);
criterion_main!(benches);
