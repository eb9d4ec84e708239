//! How much memory this process may still take: that of the system, and that of its control groups.

use std::fs;
use std::path::{Path, PathBuf};

/// Return the bytes that are free or can be freed without swapping, within every memory limit; `None` where that is unknown.
pub(crate) fn free_memory() -> Option<u64> {
    let system = field(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")? * 1024;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = group_folders(&groups).into_iter().filter_map(|folder| headroom(&folder));
    Some(limits.fold(system, u64::min))
}

/// A copy of what is there already is made if this many times its size is free.
const FREE_FACTOR: u64 = 4;

/// Whether enough memory is free for a copy of this size.
pub(crate) fn has_memory_for(size: u64) -> bool {
    free_memory().is_some_and(|free| free / FREE_FACTOR >= size)
}

/// Whether the system gives huge pages to memory that is advised so.
pub(crate) fn has_huge_pages() -> bool {
    let setting = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    allows_advice(&setting)
}

fn allows_advice(setting: &str) -> bool {
    setting.contains("[always]") || setting.contains("[madvise]")
}

/// Return the number in a line `name number`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Return the folders of the control groups of a process, from its own up to the root, for both versions.
fn group_folders(groups: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let root = match controllers {
            "" => "/sys/fs/cgroup",
            _ if controllers.split(',').any(|name| name == "memory") => "/sys/fs/cgroup/memory",
            _ => continue,
        };
        let relative = Path::new(path.trim_start_matches('/'));
        folders.extend(relative.ancestors().map(|folder| Path::new(root).join(folder)));
    }
    folders
}

/// Return what a control group may still take. Its page cache that is not in use can be freed, so it does not count.
fn headroom(folder: &Path) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let cache = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cache =
        field(&cache, "total_inactive_file ").or_else(|| field(&cache, "inactive_file ")).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(cache)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_settings_are_read() {
        let meminfo = "MemTotal:       100 kB\nMemAvailable:    42 kB\n";
        assert_eq!((field(meminfo, "MemAvailable:"), field(meminfo, "SwapFree:")), (Some(42), None));
        assert!(allows_advice("always [madvise] never") && !allows_advice("always madvise [never]"));
    }

    #[test]
    fn every_group_of_a_process_counts() {
        let found = group_folders("12:cpu,memory:/a/b\n3:freezer:/c\n0::/d\nbroken\n");
        let expected =
            ["memory/a/b", "memory/a", "memory", "d", ""].map(|name| Path::new("/sys/fs/cgroup").join(name));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_headroom_of_a_group_is_its_limit_less_what_it_needs() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(headroom(home.path()), None);
        let put = |name: &str, text: &str| fs::write(home.path().join(name), text).unwrap();
        put("memory.max", "max\n");
        put("memory.current", "70\n");
        assert_eq!(headroom(home.path()), None);
        put("memory.max", "100\n");
        assert_eq!(headroom(home.path()), Some(30));
        put("memory.stat", "anon 3\ninactive_file 20\n");
        assert_eq!(headroom(home.path()), Some(50));
        put("memory.current", "500\n");
        assert_eq!(headroom(home.path()), Some(0));
    }
}
