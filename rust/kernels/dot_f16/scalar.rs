//! The reference kernel: specification, fallback and oracle of the other.

use crate::kernels::LANES;
use crate::kernels::dot_f16::F16_BYTES;

/// See [`super::DotF16::product`].
pub(super) fn dot_f16(row: &[u8], query: &[i16]) -> f64 {
    let (values, _) = row.as_chunks::<F16_BYTES>();
    let mut sums = [0.0; LANES];
    for (values, codes) in values.as_chunks::<LANES>().0.iter().zip(query.as_chunks::<LANES>().0) {
        for ((sum, &value), &code) in sums.iter_mut().zip(values).zip(codes) {
            *sum += f64::from(widen(u16::from_le_bytes(value))) * f64::from(code);
        }
    }
    sums.iter().sum()
}

/// Convert float16 bits to float32, exactly.
///
/// `half::f16::to_f32` branches on the CPU's features and on the exponent; this is vectorised on every CPU.
#[inline(always)]
pub(super) fn widen(bits: u16) -> f32 {
    /// 2^112: the difference of the exponents' biases. The product is exact, for subnormal float16 too.
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    /// The first magnitude beyond float16's finite ones.
    const INFINITE: f32 = 65536.0;
    let bits = u32::from(bits);
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * REBIAS;
    let exponent = if magnitude >= INFINITE { 0x7f80_0000 } else { 0 };
    f32::from_bits(magnitude.to_bits() | exponent | (bits & 0x8000) << 16)
}
