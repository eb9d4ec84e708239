//! The direction of imports: a room imports only from rooms that stand above it in the table of `lib.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms in the order of the table.
fn rooms() -> Vec<String> {
    let table = fs::read_to_string(home().join("lib.rs")).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | "));
    let names = rows.filter_map(|row| row.split('`').nth(1));
    names.map(|name| name.trim_start_matches("mod@").to_owned()).collect()
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rust")
}

/// The files of a room: one, or a folder of them.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// The rooms that a file names, its tests and comments apart.
fn named(text: &str) -> BTreeSet<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let lines = code.lines().filter_map(|line| line.split("//").next());
    let paths = lines.flat_map(|line| line.split("crate::").skip(1));
    paths
        .filter_map(|path| path.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).next())
        .collect()
}

#[test]
fn rooms_import_only_what_stands_above_them() {
    let rooms = rooms();
    for (at, room) in rooms.iter().enumerate() {
        let folder = home().join(room);
        let place = if folder.is_dir() { folder } else { folder.with_extension("rs") };
        for file in files(&place) {
            let text = fs::read_to_string(&file).unwrap();
            for name in named(&text) {
                let wanted = rooms.iter().position(|other| other == name);
                let wanted = wanted.unwrap_or_else(|| panic!("{}: crate::{name} is no room", file.display()));
                assert!(wanted <= at, "{} imports crate::{name}, which stands below {room}", file.display());
            }
        }
    }
}

#[test]
fn every_folder_and_file_is_a_room() {
    let apart = ["lib", "allocation", "golden", "rooms"];
    let found = fs::read_dir(home()).unwrap().map(|entry| entry.unwrap().path());
    let found = found.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    let found: BTreeSet<String> = found.filter(|name| !apart.contains(&name.as_str())).collect();
    assert_eq!(found, rooms().into_iter().collect());
}

#[test]
fn names_are_read_from_code_alone() {
    let text = "//! [`crate::build`]\nuse crate::math::dot;\nlet a = crate::file::X; // crate::py\n#[cfg(test)]\ncrate::index";
    assert_eq!(named(text).into_iter().collect::<Vec<_>>(), ["file", "math"]);
}
