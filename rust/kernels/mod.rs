//! SIMD kernels: the inner loops of search and build, each with a portable reference version.
//!
//! A kernel type such as [`dot_i8::DotI8`] holds an instruction set that this CPU is known to have. All its versions return
//! the same result to the bit, which tests compare, so the choice changes the speed only. The bounds that prove that no sum
//! overflows stand next to the constants.

pub mod dot_f16;
pub mod dot_i8;
pub mod fastscan;
pub mod gemm_i8;

/// Values that kernels multiply in one step: rows and queries are padded with zeros to a multiple, so that no tail is left.
pub const LANES: usize = 16;

/// Codes in one stored row of `dim` dimensions, padding included.
pub const fn stride(dim: usize) -> usize {
    dim.next_multiple_of(LANES)
}

/// Bytes of a cache line.
#[cfg(target_arch = "x86_64")]
pub(crate) const CACHE_LINE_BYTES: usize = 64;

/// Prefetch all cache lines of `bytes`.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(CACHE_LINE_BYTES) {
        prefetch_line(line.as_ptr());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// Prefetch the cache line of an address, which need not be valid.
#[inline]
pub(crate) fn prefetch_line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint that may name any address: it neither reads nor faults.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
