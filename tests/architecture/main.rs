//! The shape of the code and of its documents, tested.
//!
//! Goal: what CONTRIBUTING.md calls checked is. Method: the sources are read as text by small
//! functions, each of which is tested on a snippet that breaks its rule, in rules.rs.

mod layers;
mod planted;
mod rules;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use layers::{LAYERS, layer};
use rules::{
    citations, clock_reads, defined, functions, imports, links, map, module_of, outside_paths,
    tested_part, watchers, words,
};
use sources::{Source, all_sources, read, root, set, sources, stem};

/// Modules that may know of sockets, tasks and runtimes.
const DRIVERS: &[&str] = &["quic", "cluster"];

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Numbers of docs/invariants.md that no test cites yet. Only ever gets shorter.
const UNCITED_YET: &[&str] = &[];

/// Tests that docs/invariants.md names and that are not there yet. Only ever gets shorter.
const UNWRITTEN_YET: &[&str] = &[];

const DOCUMENTS: &[&str] = &[
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/design.md",
    "docs/invariants.md",
    "docs/protocol.md",
    "docs/consistency.md",
    "docs/reports/partitions.md",
    "benches/README.md",
];

#[test]
fn modules_import_only_what_their_layer_may() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let Some(module) = module_of(&source.path) else {
            continue;
        };
        let (_, allowed) = layer(&module).expect("every module has its line in LAYERS");
        let found = imports(&source);
        let alien = found
            .iter()
            .filter(|name| **name != module && !allowed.contains(&name.as_str()));
        wrong.extend(alien.map(|name| format!("{} imports {name}", source.path)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn layers_point_one_way() {
    for (index, (module, allowed)) in LAYERS.iter().enumerate() {
        for import in *allowed {
            let above = LAYERS[..index].iter().any(|(other, _)| other == import);
            assert!(above, "{module} may import {import}, which is not above it");
        }
    }
}

#[test]
fn the_map_in_the_readme_is_the_layers() {
    let readme = read("README.md");
    let modules: Vec<_> = LAYERS
        .iter()
        .map(|(module, _)| (*module).to_owned())
        .collect();
    assert_eq!(map(&readme), modules);
    let folders = fs::read_dir(root().join("src")).expect("src");
    let folders: BTreeSet<String> = folders
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, modules.into_iter().collect());
}

#[test]
fn only_one_file_of_the_core_reads_a_clock() {
    for source in sources("src") {
        let may = source.path == "src/limiter/clock.rs" || source.path.starts_with("src/quic/");
        if !may {
            assert_eq!(clock_reads(&source.text), NOWHERE, "in {}", source.path);
        }
    }
}

#[test]
fn the_core_knows_no_runtime_and_no_order_by_chance() {
    let core = sources("src").into_iter().filter(|source| {
        let module = module_of(&source.path);
        module.is_some_and(|module| !DRIVERS.contains(&module.as_str()))
    });
    for Source { path, text } in core {
        let runtimes = [
            "tokio",
            "quinn",
            "rustls",
            "std::net::UdpSocket",
            "std::thread",
        ];
        assert_eq!(words(&text, &runtimes), NOWHERE, "in {path}");
        let maps = ["HashMap", "HashSet", "RandomState", "DashMap"];
        assert_eq!(words(&text, &maps), NOWHERE, "in {path}");
    }
}

#[test]
fn unsafe_code_is_denied_and_no_lint_is_allowed_away() {
    let workspace = read("Cargo.toml");
    assert!(workspace.contains("unsafe_code = \"deny\""));
    for manifest in ["Cargo.toml", "server/Cargo.toml"] {
        let inherits = read(manifest).contains("[lints]\nworkspace = true");
        assert!(inherits, "{manifest} does not inherit the lints");
    }
    let others = all_sources().into_iter();
    for Source { path, text } in others.filter(|source| !is_own(&source.path)) {
        let found = words(&text, &["unsafe", "unsafe_code"]);
        assert_eq!(found, NOWHERE, "in {path}");
        let allowed = text.contains("#[allow(") || text.contains("#![allow(");
        assert!(!allowed, "{path} allows a lint: expect it");
    }
}

#[test]
fn files_and_functions_stay_short() {
    for Source { path, text } in all_sources() {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{path} has {lines} lines");
        for (name, lines) in functions(&text) {
            let fits = lines <= FUNCTION_LINES_MAX;
            assert!(fits, "{name} in {path} has {lines} lines");
        }
    }
}

#[test]
fn every_number_cited_is_defined_and_every_number_defined_is_cited() {
    let defined = defined(&read("docs/invariants.md"));
    let (mut cited, mut tested) = (BTreeMap::new(), BTreeSet::new());
    for source in all_sources()
        .into_iter()
        .filter(|source| !is_own(&source.path))
    {
        tested.extend(citations(&tested_part(&source)));
        let here = citations(&source.text).into_iter();
        cited.extend(here.map(|number| (number, source.path.clone())));
    }
    for document in DOCUMENTS.iter().filter(|path| path.ends_with("design.md")) {
        let here = citations(&read(document)).into_iter();
        cited.extend(here.map(|number| (number, (*document).to_owned())));
    }
    for (number, path) in &cited {
        assert!(
            defined.contains(number),
            "{path} cites {number}: no such number"
        );
    }
    let untested = defined
        .difference(&tested)
        .cloned()
        .collect::<BTreeSet<_>>();
    let known = set(UNCITED_YET);
    let news: Vec<_> = untested.difference(&known).collect();
    assert!(news.is_empty(), "no test or assertion cites {news:?}");
    let done: Vec<_> = known.difference(&untested).collect();
    assert!(
        done.is_empty(),
        "cited by now: take {done:?} off UNCITED_YET"
    );
}

#[test]
fn what_the_invariants_say_watches_them_is_there() {
    let stems: BTreeSet<String> = sources("tests").iter().map(|s| stem(&s.path)).collect();
    let (mut missing, known) = (BTreeSet::new(), set(UNWRITTEN_YET));
    for name in watchers(&read("docs/invariants.md")) {
        if name.contains('/') {
            assert!(root().join(&name).is_file(), "{name} is not there");
        } else if !stems.contains(&name) {
            missing.insert(name);
        }
    }
    let news: Vec<_> = missing.difference(&known).collect();
    assert!(news.is_empty(), "no test is called {news:?}");
    let done: Vec<_> = known.difference(&missing).collect();
    assert!(
        done.is_empty(),
        "written by now: take {done:?} off UNWRITTEN_YET"
    );
}

#[test]
fn documents_stand_alone() {
    for path in DOCUMENTS {
        let text = read(path);
        assert_eq!(outside_paths(&text), NOWHERE, "in {path}");
        let folder = root().join(path);
        let folder = folder.parent().expect("a file lies in a folder");
        for link in links(&text) {
            assert!(
                folder.join(&link).is_file(),
                "{path} links to {link}, which is not there"
            );
        }
    }
}

#[test]
fn the_two_commands_are_in_the_readme_and_in_the_checks() {
    let (readme, checks) = (read("README.md"), read(".ci/run"));
    for command in ["cargo demo", "cargo test --workspace --all-features"] {
        assert!(readme.lines().any(|line| line == command), "{command}");
        assert!(
            checks.lines().any(|line| line.ends_with(command)),
            "{command}"
        );
    }
    let alias = "demo = \"run --release -p distributary-server -- demo\"";
    assert!(read(".cargo/config.toml").contains(alias));
}

/// These files hold snippets that break every rule.
fn is_own(path: &str) -> bool {
    path.starts_with("tests/architecture/")
}

const NOWHERE: &[usize] = &[];
