//! Bugs that can be planted: each is at one place, and in no build but its own.

use super::rules::{code, code_of, first_name};
use super::sources::{read, sources};

/// Bugs that can be planted, at least.
const MUTANTS_MIN: usize = 20;

#[test]
fn each_bug_that_can_be_planted_is_at_one_place() {
    let mut named = named(&read("src/mutant.rs"));
    assert!(named.len() >= MUTANTS_MIN, "only {}", named.len());
    let places = sources("src").into_iter();
    let mut places: Vec<String> = places.flat_map(|source| planted(&source.text)).collect();
    places.sort();
    named.sort();
    assert_eq!(places, named);
}

#[test]
fn no_ordinary_build_has_bugs_to_plant() {
    let gated = "#[cfg(mutant)]\npub mod mutant;";
    assert!(read("src/lib.rs").contains(gated));
    let manifests = [
        "Cargo.toml",
        "server/Cargo.toml",
        "simulations/Cargo.toml",
        ".cargo/config.toml",
    ];
    for path in manifests {
        let sets = read(path).contains("rustflags") || read(path).contains("build =");
        assert!(!sets, "{path} may set a cfg");
    }
}

/// The bugs that the module names.
fn named(text: &str) -> Vec<String> {
    let list = text.split("\nmutants! {").nth(1).unwrap_or("");
    let lines = list.split("\n}").next().unwrap_or("").lines();
    let names = lines.filter_map(|line| code(line).trim().strip_suffix(','));
    names.map(str::to_owned).collect()
}

/// Where bugs can be planted: which, once for each place.
fn planted(text: &str) -> Vec<String> {
    let code = code_of(text);
    let places = code.split("planted!(").skip(1);
    places.filter_map(first_name).collect()
}

#[test]
fn places_and_names_are_found() {
    let text = "if planted!(One) {\n// planted!(No)\nplanted!(\n    Two,\n    a,\n    b\n)";
    assert_eq!(planted(text), ["One", "Two"]);
    assert_eq!(planted("if planted!($name) {"), Vec::<String>::new());
    let text = "x,\nmutants! {\n    // --- A, b ---\n    /// Not,\n    One,\n    Two,\n}\nother,\n";
    assert_eq!(named(text), ["One", "Two"]);
}

/// The committed table of what catches each, and the one for people, say the same.
#[test]
fn the_invariants_name_each_bug_and_what_catches_it() {
    let document = read("docs/invariants.md");
    let caught = caught(&read("simulations/tests/mutants.toml"));
    assert!(caught.len() >= MUTANTS_MIN, "only {}", caught.len());
    for (mutant, oracle) in caught {
        let name = format!("`{mutant}`");
        let mut rows = document.lines().filter(|line| line.contains(&name));
        let row = rows.next().unwrap_or("");
        let told = row.trim_end().trim_end_matches('|').trim_end();
        assert!(
            told.ends_with(&oracle),
            "{mutant} is caught by {oracle}: {row}"
        );
    }
}

/// Bugs and their checkers.
fn caught(table: &str) -> Vec<(String, String)> {
    let value = |name: &str| {
        let start = format!("{name} = \"");
        let lines = table
            .lines()
            .filter_map(move |line| line.strip_prefix(start.as_str()));
        let values = lines.map(|line| line.trim_end_matches('"').to_owned());
        values.collect::<Vec<_>>()
    };
    value("mutant").into_iter().zip(value("oracle")).collect()
}

#[test]
fn what_catches_a_bug_is_read() {
    let table = "[[caught]]\nmutant = \"One\"\noracle = \"rate\"\nseed = 3\n";
    assert_eq!(caught(table), [("One".to_owned(), "rate".to_owned())]);
}
