//! The layering of modules: each imports only from those above it in the table of `lib.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order of the table.
fn modules() -> Vec<String> {
    let table = fs::read_to_string(root().join("lib.rs")).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | "));
    let names = rows.filter_map(|row| row.split('`').nth(1));
    names.map(str::to_owned).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rust")
}

/// The files of a module, without those of tests: one, or a folder of them.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return if path.ends_with("tests.rs") { Vec::new() } else { vec![path.to_path_buf()] };
    }
    fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// The modules that a file imports, its tests and comments apart.
fn imports(text: &str) -> BTreeSet<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let lines = code.lines().filter_map(|line| line.split("//").next());
    let paths = lines.flat_map(|line| line.split("crate::").skip(1));
    paths
        .filter_map(|path| path.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).next())
        .collect()
}

#[test]
fn modules_import_only_from_those_above_them() {
    let modules = modules();
    for (index, module) in modules.iter().enumerate() {
        let folder = root().join(module);
        let path = if folder.is_dir() { folder } else { folder.with_extension("rs") };
        for file in files(&path) {
            let text = fs::read_to_string(&file).unwrap();
            for name in imports(&text) {
                let imported = modules.iter().position(|other| other == name);
                let imported = imported
                    .unwrap_or_else(|| panic!("{}: crate::{name} is not in the table", file.display()));
                assert!(
                    imported <= index,
                    "{} imports crate::{name}, which is below {module}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn the_table_lists_every_module() {
    let others = ["lib", "tests"];
    let found = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let found = found.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    let found: BTreeSet<String> = found.filter(|name| !others.contains(&name.as_str())).collect();
    assert_eq!(found, modules().into_iter().collect());
}

#[test]
fn imports_are_read_from_code_only() {
    let text = "//! [`crate::ivf`]\nuse crate::linalg::gemm;\nlet a = crate::storage::X; // crate::py\n#[cfg(test)]\ncrate::flat";
    assert_eq!(imports(text).into_iter().collect::<Vec<_>>(), ["linalg", "storage"]);
}
