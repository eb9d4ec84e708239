//! Products of many int8 rows with many others: billions a second for each kernel.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use snapseek::vectors::cross::{Coded, Crosser, Panels};

const DIM: usize = 512;

fn cross(criterion: &mut Criterion) {
    let values = |n: usize| {
        (0..n * DIM).map(|at| f32::from(((at * 2_654_435_761) >> 13) as u8) - 127.0).collect::<Vec<f32>>()
    };
    let (left, right) = (Coded::new(&values(480), DIM), Panels::new(&Coded::new(&values(768), DIM)));
    let mut group = criterion.benchmark_group("cross");
    group.throughput(Throughput::Elements((480 * 768 * DIM) as u64)).measurement_time(Duration::from_secs(3));
    for crosser in Crosser::all() {
        group.bench_function(crosser.name(), |bencher| {
            bencher.iter(|| {
                let mut sum = 0_i32;
                crosser.products(black_box(&left), 0..left.len(), &right, |_, products| sum ^= products[0]);
                sum
            });
        });
    }
    group.finish();
}

criterion_group!(benches, cross);
criterion_main!(benches);
