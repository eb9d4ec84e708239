//! The int8 dot kernels in cache, and the flat scan against the memory bandwidth.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use snapseek::flat::scan::Int8Rows;
use snapseek::kernels::dot_i8::DotI8;
use snapseek::kernels::stride;
use snapseek::quantizer::sq8::QuantizedQuery;
use snapseek::topk::reservoir::TopK;

/// Larger than the level-3 cache of any likely machine.
const SCAN_BYTES: usize = 256 << 20;

/// Pseudorandom bytes; no result depends on their values.
fn codes(len: usize) -> Vec<i8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as i8
    };
    (0..len).map(|_| next()).collect()
}

fn queries(dim: usize, count: usize) -> Vec<QuantizedQuery> {
    let values: Vec<f32> = codes(dim * count).iter().map(|&code| f32::from(code)).collect();
    values.chunks_exact(dim).map(QuantizedQuery::new).collect()
}

fn products(c: &mut Criterion) {
    const ROWS: usize = 128;
    let mut group = c.benchmark_group("products");
    for dim in [396, 512, 768] {
        group.throughput(Throughput::Bytes((ROWS * stride(dim)) as u64));
        let (codes, query) = (codes(ROWS * stride(dim)), queries(dim, 1).remove(0));
        for kernel in [DotI8::fastest(), DotI8::scalar()] {
            let mut products = [0; ROWS];
            group.bench_function(BenchmarkId::new(kernel.name(), dim), |b| {
                b.iter(|| kernel.products(black_box(&codes), query.codes(), black_box(&mut products)));
            });
        }
    }
    group.finish();
}

fn flat_scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("flat_scan");
    group.sample_size(10).throughput(Throughput::Bytes(SCAN_BYTES as u64));
    let codes = codes(SCAN_BYTES);
    for dim in [512, 768] {
        let rows = SCAN_BYTES / stride(dim);
        let scales = vec![0.01; rows];
        let matrix = Int8Rows::new(&codes[..rows * stride(dim)], &scales, stride(dim));
        for kernel in [DotI8::fastest(), DotI8::scalar()] {
            for count in [1, 16] {
                let queries = queries(dim, count);
                let id = BenchmarkId::new(format!("{}/{count}_queries", kernel.name()), dim);
                group.bench_function(id, |b| {
                    b.iter(|| {
                        let mut tops = vec![TopK::new(100); count];
                        matrix.scan(0..rows, kernel, &queries, None, &mut tops);
                        tops
                    });
                });
            }
        }
    }
    group.finish();
}

fn memory(c: &mut Criterion) {
    let mut group = c.benchmark_group("memory");
    group.sample_size(10).throughput(Throughput::Bytes(SCAN_BYTES as u64));
    let source = codes(SCAN_BYTES);
    let mut target = vec![0_i8; SCAN_BYTES];
    group.bench_function("copy", |b| b.iter(|| black_box(&mut target).copy_from_slice(black_box(&source))));
    let words: &[u64] = bytemuck::cast_slice(&source);
    group.bench_function("read", |b| {
        b.iter(|| black_box(words).iter().fold(0_u64, |sum, &word| sum.wrapping_add(word)));
    });
    group.finish();
}

criterion_group!(benches, products, memory, flat_scan);
criterion_main!(benches);
