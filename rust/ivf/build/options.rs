//! Build options: what the caller chose, and what follows from the number and dimension of rows.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::ivf::build::operating_points::POINTS;
use crate::ivf::calibration::TABLES;
use crate::ivf::early_stop::STEPS;
use crate::ivf::layout::IvfLayout;
use crate::ivf::storage_forms::StorageForms;
use crate::kernels::fastscan::{M_MULTIPLE, MAX_M};
use crate::quantizer::pq::default_m;
use crate::quantizer::query_transform::TransformKind;
use crate::quantizer::refine_codec::{REFINE_CODECS, RefineCodec};
use crate::storage::format::{ALIGN, MAX_ROWS, header_bytes};
use crate::topk::packed_ids::IdForm;

/// Default average number of rows of a list. Shorter lists are ranked more precisely, but there are more to rank.
const ROWS_PER_LIST: usize = 92;

/// Largest default number of lists.
const MAX_DEFAULT_LISTS: usize = 65_536;

/// Options of a build; `None` leaves the choice to it.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Subquantizers of a code, a multiple of 4; by default one for every four dimensions.
    pub m: Option<usize>,
    /// Inverted lists; by default one for every 92 rows.
    pub nlist: Option<usize>,
    /// How the second-level residual is encoded; int8 by default.
    pub refine: Option<RefineCodec>,
    /// The transform; by default the one with the best recall.
    pub transform: Option<TransformKind>,
    /// Largest size of the file: determines m and refine, unless they are given.
    pub memory_bytes: Option<u64>,
    /// The IVF index whose lists, transform and codebooks the new one shares; by default they are trained.
    pub training: Option<PathBuf>,
    /// Number of threads.
    pub threads: usize,
    /// Builds with the same seed give the same file.
    pub seed: u64,
}

/// Return the choice of this name.
///
/// # Errors
/// [`Error::UnknownChoice`] if there is none.
pub fn parse_choice<T: Copy>(option: &'static str, choices: &[(&str, T)], name: &str) -> Result<T> {
    let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = choices.iter().find(|(other, _)| *other == name).map(|&(_, choice)| choice);
    found.ok_or_else(|| Error::UnknownChoice { name: option, expected: names(), got: name.to_owned() })
}

impl Default for BuildOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (m, nlist, refine, transform, memory_bytes) = (None, None, None, None, None);
        Self { m, nlist, refine, transform, memory_bytes, training: None, threads, seed: 0 }
    }
}

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedOptions {
    /// Subquantizers of a code.
    pub m: usize,
    /// Number of lists; equal rows may give fewer.
    pub nlist: usize,
    /// How the second-level residual is encoded.
    pub refine: RefineCodec,
    /// How ids are stored.
    pub id_form: IdForm,
}

impl ResolvedOptions {
    /// Resolve the options for `rows` vectors of `dim` dimensions, and ids of a form.
    ///
    /// # Errors
    /// [`Error::TooManyRows`], or [`Error::OptionOutOfRange`], also if no choice fits the memory.
    pub fn new(rows: usize, dim: usize, id_form: IdForm, options: &BuildOptions) -> Result<Self> {
        if rows > MAX_ROWS {
            return Err(Error::TooManyRows { max: MAX_ROWS, got: rows });
        }
        let nlist = options.nlist.unwrap_or_else(|| (rows / ROWS_PER_LIST).clamp(1, MAX_DEFAULT_LISTS));
        check("nlist", nlist, 1..=rows.max(1), "")?;
        if let Some(m) = options.m {
            check("m", m, M_MULTIPLE..=default_m(dim).min(MAX_M), ", and a multiple of 4")?;
        }
        let (m, refine) = (default_m(dim), RefineCodec::Int8);
        let defaults = Self { m, nlist, refine, id_form };
        match options.memory_bytes {
            None => Ok(defaults.with_given(options)),
            Some(bytes) => defaults.within(bytes, rows, dim, options),
        }
    }

    /// The given options, and otherwise these.
    fn with_given(self, options: &BuildOptions) -> Self {
        Self { m: options.m.unwrap_or(self.m), refine: options.refine.unwrap_or(self.refine), ..self }
    }

    /// The best choice whose file has at most this many bytes.
    fn within(self, bytes: u64, rows: usize, dim: usize, options: &BuildOptions) -> Result<Self> {
        let fallbacks = fallbacks(dim).map(|(m, refine)| Self { m, refine, ..self }.with_given(options));
        let sizes: Vec<(Self, u64)> =
            fallbacks.map(|resolved| (resolved, resolved.file_bytes(rows, dim))).collect();
        let fitting = sizes.iter().find(|(_, size)| *size <= bytes);
        let smallest = sizes.iter().map(|&(_, size)| size).min().unwrap_or(0);
        fitting.map(|&(resolved, _)| resolved).ok_or_else(|| Error::OptionOutOfRange {
            name: "memory",
            expected: format!("at least {smallest} bytes for {rows} rows of {dim} dimensions"),
            got: bytes,
        })
    }

    /// Upper bound of the size of the file.
    pub fn file_bytes(&self, rows: usize, dim: usize) -> u64 {
        let Self { m, nlist, refine, id_form } = *self;
        let (calibration_points, calibration_tables) = (POINTS, TABLES.len());
        let layout = IvfLayout {
            rows,
            dim,
            m,
            nlist,
            refine,
            transform: 0,
            calibration_points,
            calibration_tables,
            stop_thresholds: STEPS,
            forms: StorageForms::smallest(id_form),
        };
        let sections = layout.sections();
        let padding = (sections.len() as u64 + 1) * ALIGN + header_bytes(sections.len()) as u64;
        sections.iter().map(|&(_, size)| size).sum::<u64>() + padding
    }
}

/// The choices of m and refine codec from the best to the smallest.
fn fallbacks(dim: usize) -> impl Iterator<Item = (usize, RefineCodec)> {
    let m = default_m(dim);
    let is_bitshift = |codec: &RefineCodec| matches!(codec, RefineCodec::Bitshift(_));
    let trellis_codes = REFINE_CODECS.into_iter().map(|(_, codec)| codec).rev().filter(is_bitshift);
    let refined = [RefineCodec::Int8].into_iter().chain(trellis_codes);
    let unrefined = (1..=m / M_MULTIPLE).rev().map(|steps| (steps * M_MULTIPLE, RefineCodec::None));
    refined.map(move |refine| (m, refine)).chain(unrefined)
}

fn check(name: &'static str, got: usize, range: std::ops::RangeInclusive<usize>, more: &str) -> Result<()> {
    let fits = range.contains(&got) && (name != "m" || got.is_multiple_of(M_MULTIPLE));
    let expected = || format!("{} to {}{more}", range.start(), range.end());
    if fits { Ok(()) } else { Err(Error::OptionOutOfRange { name, expected: expected(), got: got as u64 }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 1_500_000;
    const ID_FORM: IdForm = IdForm::INT64;

    fn within(bytes: u64) -> Result<ResolvedOptions> {
        let options = BuildOptions { memory_bytes: Some(bytes), ..BuildOptions::default() };
        ResolvedOptions::new(ROWS, 512, ID_FORM, &options)
    }

    #[test]
    fn defaults_without_a_memory_limit() {
        let resolved = ResolvedOptions::new(ROWS, 512, ID_FORM, &BuildOptions::default()).unwrap();
        assert_eq!(
            resolved,
            ResolvedOptions { m: 128, nlist: 16304, refine: RefineCodec::Int8, id_form: ID_FORM }
        );
        assert!(resolved.file_bytes(ROWS, 512) / ROWS as u64 <= 600);
    }

    #[test]
    fn less_memory_reduces_the_refine_codec_first_and_then_m() {
        let resolved =
            [1_000, 600, 450, 350, 150, 100].map(|megabytes| within(megabytes * 1_000_000).unwrap());
        let codecs = [
            RefineCodec::Int8,
            RefineCodec::Bitshift(38),
            RefineCodec::Bitshift(26),
            RefineCodec::Bitshift(18),
            RefineCodec::Bitshift(2),
            RefineCodec::None,
        ];
        assert_eq!(resolved.map(|resolved| resolved.refine), codecs);
        assert!(resolved[4].m == 128 && (40..128).contains(&resolved[5].m), "{resolved:?}");
        for (resolved, megabytes) in resolved.iter().zip([1_000, 600, 450, 350, 150, 100]) {
            assert!(resolved.file_bytes(ROWS, 512) <= megabytes * 1_000_000);
        }
        let refused = within(1_000_000).unwrap_err().to_string();
        assert!(refused.starts_with("memory must be at least "), "{refused}");
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let refused = |options: BuildOptions| {
            ResolvedOptions::new(1000, 16, ID_FORM, &options).unwrap_err().to_string()
        };
        let with_m = |m| refused(BuildOptions { m: Some(m), ..BuildOptions::default() });
        assert_eq!(with_m(6), "m must be 4 to 4, and a multiple of 4, got 6");
        assert_eq!(with_m(0), "m must be 4 to 4, and a multiple of 4, got 0");
        let nlist = refused(BuildOptions { nlist: Some(1001), ..BuildOptions::default() });
        assert_eq!(nlist, "nlist must be 1 to 1000, got 1001");
        assert!(matches!(
            ResolvedOptions::new(MAX_ROWS + 1, 4, ID_FORM, &BuildOptions::default()),
            Err(Error::TooManyRows { .. })
        ));
        let choices = &REFINE_CODECS;
        let choice = parse_choice("refine", choices, "int9").unwrap_err().to_string();
        assert!(choice.starts_with("refine must be one of none, tcq0.25, tcq0.5, "), "{choice}");
        assert!(choice.ends_with(", bst5.75, bst6, got \"int9\""), "{choice}");
    }

    #[test]
    fn no_rows_have_one_list() {
        assert_eq!(ResolvedOptions::new(0, 3, ID_FORM, &BuildOptions::default()).unwrap().nlist, 1);
    }
}
