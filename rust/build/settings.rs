//! The settings of a build: what the caller asked for, and what follows from it and from the size of the input.

use crate::build::transform::Kind;
use crate::codes::{M_STEP, MAX_M, full_m};
use crate::error::{Error, Result};
use crate::file::format::MAX_ROWS;
use crate::index::lists::Shape;
use crate::tier::refine::Tier;

/// Rows of a list, on average: with fewer, lists are chosen better, and there are more to choose from.
const LIST_ROWS: usize = 92;

/// Most lists that are made unless more are asked for.
const MOST_LISTS: usize = 65_536;

/// What a caller may ask for; `None` leaves the choice to the build.
#[derive(Clone, Debug)]
pub struct Options {
    /// Subquantizers of a code, a multiple of 4; by default one for every four dimensions.
    pub m: Option<usize>,
    /// Inverted lists; by default one for every 92 rows.
    pub nlist: Option<usize>,
    /// What the candidates are refined with; int8 by default.
    pub tier: Option<Tier>,
    /// The transform; by default the one with the best recall.
    pub transform: Option<Kind>,
    /// Most bytes that the file may have: chooses m and tier, unless they are given.
    pub memory_bytes: Option<u64>,
    /// Threads to work with.
    pub threads: usize,
    /// Builds with the same seed give the same file.
    pub seed: u64,
}

/// Names of the tiers.
pub const TIERS: [(&str, Tier); 6] = [
    ("none", Tier::None),
    ("tcq2", Tier::Tcq2),
    ("tcq3", Tier::Tcq3),
    ("int4", Tier::Int4),
    ("int8", Tier::Int8),
    ("f16", Tier::Float16),
];

/// Names of the transforms.
pub const TRANSFORMS: [(&str, Kind); 4] = [
    ("identity", Kind::Identity),
    ("pca", Kind::Pca),
    ("query-0.25", Kind::Query25),
    ("query-0.5", Kind::Query50),
];

/// The choice of this name.
///
/// # Errors
/// [`Error::Choice`] if there is none.
pub fn named<T: Copy>(setting: &'static str, choices: &[(&str, T)], name: &str) -> Result<T> {
    let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = choices.iter().find(|(one, _)| *one == name).map(|&(_, choice)| choice);
    found.ok_or_else(|| Error::Choice { name: setting, expected: names(), got: name.to_owned() })
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { m: None, nlist: None, tier: None, transform: None, memory_bytes: None, threads, seed: 0 }
    }
}

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Subquantizers of a code.
    pub m: usize,
    /// Inverted lists wanted; equal rows may give fewer.
    pub nlist: usize,
    /// What the candidates are refined with.
    pub tier: Tier,
}

impl Settings {
    /// Settings for `rows` vectors of `dim` dimensions.
    ///
    /// # Errors
    /// [`Error::TooManyRows`], or [`Error::Setting`] for what is out of range, or if no setting needs so little memory.
    pub fn choose(rows: usize, dim: usize, options: &Options) -> Result<Self> {
        if rows > MAX_ROWS {
            return Err(Error::TooManyRows { max: MAX_ROWS, got: rows });
        }
        let nlist = options.nlist.unwrap_or_else(|| (rows / LIST_ROWS).clamp(1, MOST_LISTS));
        check("nlist", nlist, 1..=rows.max(1), "")?;
        if let Some(m) = options.m {
            check("m", m, M_STEP..=full_m(dim).min(MAX_M), ", and a multiple of 4")?;
        }
        match options.memory_bytes {
            None => Ok(Self::asked(options, full_m(dim), Tier::Int8, nlist)),
            Some(bytes) => Self::within(bytes, rows, dim, options, nlist),
        }
    }

    /// What was asked for, and otherwise this.
    fn asked(options: &Options, m: usize, tier: Tier, nlist: usize) -> Self {
        Self { m: options.m.unwrap_or(m), nlist, tier: options.tier.unwrap_or(tier) }
    }

    /// The best settings whose file has no more than so many bytes.
    fn within(bytes: u64, rows: usize, dim: usize, options: &Options, nlist: usize) -> Result<Self> {
        let ladder = ladder(dim).map(|(m, tier)| Self::asked(options, m, tier, nlist));
        let sizes: Vec<(Self, u64)> =
            ladder.map(|settings| (settings, settings.file_bytes(rows, dim))).collect();
        let fitting = sizes.iter().find(|(_, size)| *size <= bytes);
        let least = sizes.iter().map(|&(_, size)| size).min().unwrap_or(0);
        fitting.map(|&(settings, _)| settings).ok_or_else(|| Error::Setting {
            name: "memory",
            expected: format!("at least {least} bytes for {rows} rows of {dim} dimensions"),
            got: bytes,
        })
    }

    /// Bytes of the file, at most.
    pub fn file_bytes(&self, rows: usize, dim: usize) -> u64 {
        let Self { m, nlist, tier } = *self;
        let shape =
            Shape { rows, dim, m, nlist, tier, transform: 0, efforts: crate::build::calibrate::POINTS };
        let sections = shape.layout();
        let gaps = (sections.len() as u64 + 1) * crate::file::format::ALIGN
            + crate::file::format::header_bytes(sections.len()) as u64;
        sections.iter().map(|&(_, size)| size).sum::<u64>() + gaps
    }
}

/// From the best settings to the smallest.
fn ladder(dim: usize) -> impl Iterator<Item = (usize, Tier)> {
    let full = full_m(dim);
    let refined = [Tier::Int8, Tier::Int4, Tier::Tcq3, Tier::Tcq2].map(|tier| (full, tier));
    let fewer = (1..=full / M_STEP).rev().map(|steps| (steps * M_STEP, Tier::None));
    refined.into_iter().chain(fewer)
}

fn check(name: &'static str, got: usize, range: std::ops::RangeInclusive<usize>, more: &str) -> Result<()> {
    let fits = range.contains(&got) && (name != "m" || got.is_multiple_of(M_STEP));
    let expected = || format!("{} to {}{more}", range.start(), range.end());
    if fits { Ok(()) } else { Err(Error::Setting { name, expected: expected(), got: got as u64 }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 1_500_000;

    fn within(bytes: u64) -> Result<Settings> {
        Settings::choose(ROWS, 512, &Options { memory_bytes: Some(bytes), ..Options::default() })
    }

    #[test]
    fn without_a_limit_everything_is_kept() {
        let settings = Settings::choose(ROWS, 512, &Options::default()).unwrap();
        assert_eq!(settings, Settings { m: 128, nlist: 16304, tier: Tier::Int8 });
        assert!(settings.file_bytes(ROWS, 512) / ROWS as u64 <= 600);
    }

    #[test]
    fn less_memory_takes_the_tier_first_and_then_subquantizers() {
        let chosen = [1_000, 600, 450, 350, 150, 100].map(|megabytes| within(megabytes * 1_000_000).unwrap());
        let tiers = [Tier::Int8, Tier::Int4, Tier::Tcq3, Tier::Tcq2, Tier::None, Tier::None];
        assert_eq!(chosen.map(|settings| settings.tier), tiers);
        assert!(chosen[4].m == 128 && (40..128).contains(&chosen[5].m), "{chosen:?}");
        for (settings, megabytes) in chosen.iter().zip([1_000, 600, 450, 350, 150, 100]) {
            assert!(settings.file_bytes(ROWS, 512) <= megabytes * 1_000_000);
        }
        let refused = within(1_000_000).unwrap_err().to_string();
        assert!(refused.starts_with("memory must be at least "), "{refused}");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let refused = |options: Options| Settings::choose(1000, 16, &options).unwrap_err().to_string();
        let with_m = |m| refused(Options { m: Some(m), ..Options::default() });
        assert_eq!(with_m(6), "m must be 4 to 4, and a multiple of 4, got 6");
        assert_eq!(with_m(0), "m must be 4 to 4, and a multiple of 4, got 0");
        let nlist = refused(Options { nlist: Some(1001), ..Options::default() });
        assert_eq!(nlist, "nlist must be 1 to 1000, got 1001");
        assert!(matches!(
            Settings::choose(MAX_ROWS + 1, 4, &Options::default()),
            Err(Error::TooManyRows { .. })
        ));
        let choice = named("tier", &TIERS, "int9").unwrap_err().to_string();
        assert_eq!(choice, "tier must be one of none, tcq2, tcq3, int4, int8, f16, got \"int9\"");
    }

    #[test]
    fn no_rows_have_one_list() {
        assert_eq!(Settings::choose(0, 3, &Options::default()).unwrap().nlist, 1);
    }
}
