//! The repository as text.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Source {
    /// From the repository's root.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn all_sources() -> Vec<Source> {
    let folders = [
        "src",
        "tests",
        "server/src",
        "server/tests",
        "simulations/model/src",
        "simulations/model/tests",
        "simulations/report/src",
        "benches/counted/src",
    ];
    folders.into_iter().flat_map(sources).collect()
}

/// Every Rust file below a folder, in order. An empty answer would make every test pass.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "nothing in {folder}");
    found.sort();
    let source = |path: PathBuf| {
        let inside = path.strip_prefix(root()).expect("below the root");
        let inside = inside.to_string_lossy().replace('\\', "/");
        Source {
            text: read(&inside),
            path: inside,
        }
    };
    found.into_iter().map(source).collect()
}

pub(crate) fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

pub(crate) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn stem(path: &str) -> String {
    let stem = Path::new(path).file_stem().expect("a file has a name");
    stem.to_string_lossy().into_owned()
}
