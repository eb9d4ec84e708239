//! CPU features, as witness types: a value of [`Avx2`], [`Avx512`] or [`Neon`] proves that this CPU has the feature.
//!
//! A witness can only be made by its `detect`, so a kernel that takes one is safe to call. All feature detection of the
//! crate is in this module: [`Isa`] chooses a kernel, and [`multiversion`] compiles a portable loop for wider registers.

/// Witness of AVX2, F16C and FMA (x86-64-v3).
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    /// Return a witness if this CPU has AVX2, F16C and FMA.
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("f16c")
            && std::arch::is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

/// Witness of AVX-512 with byte and word instructions and VNNI. Such a CPU also has AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    /// Return a witness if this CPU has AVX-512F, BW and VNNI.
    pub(crate) fn detect() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vnni");
        found.then_some(Self(()))
    }
}

/// Witness of AVX-512 with permutations of bytes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512Vbmi(());

#[cfg(target_arch = "x86_64")]
impl Avx512Vbmi {
    /// Return a witness if this CPU has AVX-512F, BW and VBMI.
    pub(crate) fn detect() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vbmi");
        found.then_some(Self(()))
    }
}

/// Witness of NEON.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neon(());

#[cfg(target_arch = "aarch64")]
impl Neon {
    /// Return a witness if this CPU has NEON.
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

/// An instruction set that this CPU is known to have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Isa {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl Isa {
    /// Return every instruction set of this CPU, the fastest last.
    pub(crate) fn all() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let wide = [Avx2::detect().map(Self::Avx2), Avx512::detect().map(Self::Avx512)];
        #[cfg(target_arch = "aarch64")]
        let wide = [Neon::detect().map(Self::Neon)];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let wide: [Option<Self>; 0] = [];
        [Some(Self::Scalar)].into_iter().chain(wide).flatten().collect()
    }

    /// Name of the instruction set: `scalar`, `avx2`, `avx512` or `neon`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "neon",
        }
    }
}

/// Define a kernel type: a choice among the instruction sets that it has code for, made once and cheap to copy.
///
/// `$isa => $supported` is a pattern of [`Isa`] for the instruction sets with code of their own, besides `Scalar`.
macro_rules! define_kernel {
    ($(#[$doc:meta])* $name:ident, $($(#[$cfg:meta])* $isa:ident),*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            isa: $crate::simd::Isa,
        }

        impl $name {
            /// Return every kernel that this CPU runs, the fastest last.
            pub fn all() -> Vec<Self> {
                let has_code = |isa: &$crate::simd::Isa| match isa {
                    $crate::simd::Isa::Scalar => true,
                    $($(#[$cfg])* $crate::simd::Isa::$isa(_) => true,)*
                    #[allow(unreachable_patterns)]
                    _ => false,
                };
                $crate::simd::Isa::all().into_iter().filter(has_code).map(|isa| Self { isa }).collect()
            }

            /// Return the fastest kernel that this CPU runs.
            pub fn fastest() -> Self {
                Self::all().pop().unwrap_or(Self::scalar())
            }

            /// Return the reference kernel, which runs everywhere.
            pub fn scalar() -> Self {
                Self { isa: $crate::simd::Isa::Scalar }
            }

            /// Name of the instruction set: `scalar`, `avx2`, `avx512` or `neon`.
            pub fn name(&self) -> &'static str {
                self.isa.name()
            }
        }
    };
}
pub(crate) use define_kernel;

/// Define `$name` as `$portable`, compiled for AVX2 too and chosen at run time.
///
/// The portable function must be `#[inline(always)]` and must not pass closures to functions that are not: they would be
/// compiled apart, for narrower registers. AVX2 alone does not fuse a multiplication and an addition, so the results are the
/// same to the bit.
macro_rules! multiversion {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? = $portable:path) => {
        $(#[$doc])*
        fn $name($($arg: $type),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn compiled_for_avx2($($arg: $type),*) $(-> $ret)? {
                    $portable($($arg),*)
                }
                if $crate::simd::Avx2::detect().is_some() {
                    // SAFETY: the witness proves that this CPU has AVX2.
                    return unsafe { compiled_for_avx2($($arg),*) };
                }
            }
            $portable($($arg),*)
        }
    };
}
pub(crate) use multiversion;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_has_the_scalar_kernel_first() {
        let names: Vec<&str> = Isa::all().into_iter().map(Isa::name).collect();
        assert_eq!(names[0], "scalar");
        assert!(names.len() <= 3);
    }
}
