//! The int8 matrix product kernels: billions of products a second.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use snapseek::kernels::gemm_i8::{GemmI8, Int8Matrix, PackedB};

const DIM: usize = 512;

fn gemm_i8(criterion: &mut Criterion) {
    let values = |n: usize| {
        (0..n * DIM).map(|i| f32::from(((i * 2_654_435_761) >> 13) as u8) - 127.0).collect::<Vec<f32>>()
    };
    let (a, b) = (Int8Matrix::new(&values(480), DIM), PackedB::new(&Int8Matrix::new(&values(768), DIM)));
    let mut group = criterion.benchmark_group("gemm_i8");
    group.throughput(Throughput::Elements((480 * 768 * DIM) as u64)).measurement_time(Duration::from_secs(3));
    for kernel in GemmI8::all() {
        group.bench_function(kernel.name(), |bencher| {
            bencher.iter(|| {
                let mut sum = 0_i32;
                kernel.products(black_box(&a), 0..a.len(), &b, |_, products| sum ^= products[0]);
                sum
            });
        });
    }
    group.finish();
}

criterion_group!(benches, gemm_i8);
criterion_main!(benches);
