//! What is looked for in a text, and that it is found.

use std::collections::BTreeSet;

use super::layers::layer;
use super::sources::Source;

/// The top-level module that a file belongs to; none for the table of contents.
pub(crate) fn module_of(path: &str) -> Option<String> {
    let inside = path.strip_prefix("src/")?;
    let (module, _) = inside.split_once('/')?;
    Some(module.to_owned())
}

/// The code of a line, without its comment.
pub(crate) fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

pub(crate) fn code_of(text: &str) -> String {
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Layers that a file names by way of the crate's root.
pub(crate) fn imports(source: &Source) -> BTreeSet<String> {
    let code = code_of(&source.text);
    let up = if source.path.ends_with("/mod.rs") {
        "super::"
    } else {
        "super::super::"
    };
    let mut found = roots(&code, "crate::");
    let known = |name: &String| layer(name).is_some();
    found.extend(roots(&code, up).into_iter().filter(known));
    found
}

/// The names that follow a prefix, those of a `{…}` group too.
pub(crate) fn roots(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| is_word(c) || c == '$' || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_roots(group)),
            None => found.extend(first_name(rest)),
        }
    }
    found
}

/// The first name of each path in a group, up to its closing brace.
pub(crate) fn group_roots(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut item) = (0_usize, Vec::new(), String::new());
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => names.extend(first_name(&std::mem::take(&mut item))),
            '{' => depth += 1,
            '}' => depth -= 1,
            other => item.push(other),
        }
    }
    names.extend(first_name(&item));
    names
}

pub(crate) fn first_name(text: &str) -> Option<String> {
    let name: String = text
        .trim_start()
        .chars()
        .take_while(|c| is_word(*c))
        .collect();
    (!name.is_empty()).then_some(name)
}

/// Lines (from 1) that ask the operating system for the time.
pub(crate) fn clock_reads(text: &str) -> Vec<usize> {
    let reads = |line: &str| line.contains("Instant::now") || line.contains("SystemTime::now");
    lines_where(text, reads)
}

/// Lines (from 1) whose code has one of these as a whole word.
pub(crate) fn words(text: &str, wanted: &[&str]) -> Vec<usize> {
    let has = |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| {
            !line[..at].ends_with(is_word) && !line[at + word.len()..].starts_with(is_word)
        })
    };
    lines_where(text, |line| wanted.iter().any(|word| has(line, word)))
}

pub(crate) fn lines_where(text: &str, holds: impl Fn(&str) -> bool) -> Vec<usize> {
    let lines = text.lines().enumerate();
    let held = lines.filter(|(_, line)| holds(code(line)));
    held.map(|(index, _)| index + 1).collect()
}

/// Every function and its length in lines, from its signature to the brace that closes it. Relies on
/// the format that `cargo fmt` gives.
pub(crate) fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(name) = function_name(code(line)) else {
            continue;
        };
        let closing = format!("{}}}", " ".repeat(indent));
        let end = lines[start..].iter().position(|line| *line == closing);
        let one_line = code(line).trim_end().ends_with(['}', ';']);
        found.extend(end.filter(|_| !one_line).map(|end| (name, end + 1)));
    }
    found
}

pub(crate) fn function_name(line: &str) -> Option<String> {
    let before: Vec<&str> = line.split("fn ").collect();
    let (first, rest) = before.split_first()?;
    let qualifiers = ["pub", "const", "async", "pub(crate)", "pub(super)"];
    let plain = first
        .split_whitespace()
        .all(|word| qualifiers.contains(&word));
    plain.then(|| first_name(rest.first()?)).flatten()
}

/// Numbers of claims and invariants in a text.
pub(crate) fn citations(text: &str) -> BTreeSet<String> {
    let mut found = numbered(text, "INV-");
    found.extend(numbered(text, "C"));
    found
}

pub(crate) fn numbered(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(prefix) {
        let rest = &text[at + prefix.len()..];
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let part = |c: char| is_word(c) || c == '-' || c == '\\';
        let alone = !text[..at].ends_with(part) && !rest[digits.len()..].starts_with(is_word);
        if alone && !digits.is_empty() && digits.len() <= 2 {
            found.insert(format!("{prefix}{digits}"));
        }
    }
    found
}

/// The numbers that have a heading of their own.
pub(crate) fn defined(document: &str) -> BTreeSet<String> {
    let headings = document
        .lines()
        .filter_map(|line| line.strip_prefix("### "));
    let numbers = headings.filter_map(|heading| heading.split_once(':'));
    numbers.map(|(number, _)| number.to_owned()).collect()
}

/// What of a file runs as a test, and its assertions.
pub(crate) fn tested_part(source: &Source) -> String {
    let file = source.path.contains("tests") || source.path.ends_with("_tests.rs");
    if file {
        return source.text.clone();
    }
    let (code, tests) = match source.text.find("#[cfg(test)]") {
        Some(at) => source.text.split_at(at),
        None => (source.text.as_str(), ""),
    };
    let asserts = code.lines().filter(|line| line.contains("assert"));
    asserts.chain([tests]).collect::<Vec<_>>().join("\n")
}

/// What stands in backticks after "Watched by:", up to the end of the paragraph.
pub(crate) fn watchers(document: &str) -> BTreeSet<String> {
    let paragraphs = document.split("\n\n");
    let lists = paragraphs.filter_map(|paragraph| paragraph.strip_prefix("Watched by:"));
    let names = lists.flat_map(|list| list.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// The modules of the map: the names that end in a slash, in order.
pub(crate) fn map(readme: &str) -> Vec<String> {
    let fences = readme.split("```text\n").skip(1);
    let fence = fences.into_iter().find(|fence| fence.starts_with("units/"));
    let lines = fence
        .and_then(|fence| fence.split("```").next())
        .unwrap_or("")
        .lines();
    let names = lines.filter_map(|line| line.split_once('/'));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// Lines that name a path of some machine, or one above the repository.
pub(crate) fn outside_paths(text: &str) -> Vec<usize> {
    let absolute = |line: &str| {
        line.match_indices('/').any(|(at, _)| {
            let opens = line[..at].ends_with([' ', '`', '(', '"', '\'']) || at == 0;
            opens && line[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic())
        })
    };
    let marks = ["../", "~/", "file:", "localhost"];
    let outside = |line: &str| absolute(line) || marks.iter().any(|mark| line.contains(mark));
    let lines = text.lines().enumerate();
    let found = lines.filter(|(_, line)| outside(line));
    found.map(|(index, _)| index + 1).collect()
}

/// Files that a document links to.
pub(crate) fn links(text: &str) -> Vec<String> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains("://"));
    let files = files.filter_map(|target| target.split('#').next());
    files
        .filter(|file| !file.is_empty())
        .map(str::to_owned)
        .collect()
}

mod can_be_broken {
    use super::*;
    use crate::sources::set;

    fn snippet(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn an_import_is_found_however_it_is_written() {
        let all = |path, text| {
            imports(&snippet(path, text))
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(all("src/row/a.rs", "use crate::node::Node;"), ["node"]);
        assert_eq!(
            all(
                "src/row/a.rs",
                "use crate::{units::{Id, view}, wire::M,\n quic};"
            ),
            ["quic", "units", "wire"]
        );
        assert_eq!(
            all("src/row/a.rs", "let x = crate::view::settle();"),
            ["view"]
        );
        assert_eq!(all("src/row/mod.rs", "use super::node::Node;"), ["node"]);
        assert_eq!(
            all(
                "src/row/a.rs",
                "use super::super::node::Node; use super::rows;"
            ),
            ["node"]
        );
        assert!(
            all(
                "src/row/a.rs",
                "// see crate::node\nuse super::node; mycrate::quic"
            )
            .is_empty()
        );
        assert_eq!(module_of("src/row/deep/a.rs").as_deref(), Some("row"));
        assert_eq!(module_of("src/lib.rs"), None);
    }

    #[test]
    fn a_forbidden_word_is_found_and_a_comment_is_not() {
        assert_eq!(
            clock_reads("let a;\nlet b = std::time::Instant::now();"),
            [2]
        );
        assert_eq!(
            clock_reads("SystemTime::now() // fine\n// Instant::now"),
            [1]
        );
        assert_eq!(
            words(
                "use tokio::time;\n// tokio\nlet tokio_like = 1;",
                &["tokio"]
            ),
            [1]
        );
        assert_eq!(words("let a: HashMap<u8, u8>;", &["HashMap"]), [1]);
        assert_eq!(
            words(
                "unsafe { x() }\n#[expect(unsafe_code)]",
                &["unsafe", "unsafe_code"]
            ),
            [1, 2]
        );
    }

    #[test]
    fn a_long_function_is_measured() {
        let long = format!(
            "impl A {{\n    pub(super) fn long(\n    ) {{\n{}    }}\n}}\n",
            "        x();\n".repeat(70)
        );
        assert_eq!(functions(&long), [("long".to_owned(), 73)]);
        let short =
            "fn one() {}\nconst fn two() -> u8 {\n    2\n}\ntrait T {\n    fn three();\n}\n";
        assert_eq!(functions(short), [("two".to_owned(), 3)]);
        assert_eq!(functions("    let f: fn () = g;\n}\n"), []);
    }

    #[test]
    fn a_citation_is_a_number_that_stands_alone() {
        let found = |text| citations(text).into_iter().collect::<Vec<_>>();
        assert_eq!(found("/// INV-12 and C3, C10: x"), ["C10", "C3", "INV-12"]);
        assert!(found("0xC3 AC3 C3PO C INV- \\C3 XINV-1 C123").is_empty());
        let document = "### INV-1: one\n### C2: two\n## C3: no\n### Words\n";
        assert_eq!(defined(document), set(&["C2", "INV-1"]));
    }

    #[test]
    fn a_citation_counts_where_it_is_tested() {
        let text = "/// C1\nassert!(x, \"INV-2\");\n#[cfg(test)]\nmod tests { // C3\n}";
        assert_eq!(
            citations(&tested_part(&snippet("src/a/b.rs", text))),
            set(&["C3", "INV-2"])
        );
        assert_eq!(
            citations(&tested_part(&snippet("tests/b.rs", "// C1"))),
            set(&["C1"])
        );
        let document = "x `no`\n\nWatched by: `src/a.rs`, `one`,\n`two`.\n\n`no`";
        assert_eq!(watchers(document), set(&["one", "src/a.rs", "two"]));
    }

    #[test]
    fn a_path_of_some_machine_is_found() {
        assert_eq!(
            outside_paths("fine/path C/N 5/min a / b\nsee /home/x\n`/tmp/y`"),
            [2, 3]
        );
        assert_eq!(outside_paths("~/x\n../x\nhttps://example.org/x"), [1, 2]);
        assert_eq!(
            links("[a](b.md#c) [d](https://e) [f](g/h.md) [i](#j)"),
            ["b.md", "g/h.md"]
        );
        assert_eq!(
            map("```text\nx/ y\n```\n```text\nunits/ a\nlimit/ b/c\n```\n"),
            ["units", "limit"]
        );
    }
}
