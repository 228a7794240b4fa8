//! The command itself, as a shell sees it.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the command, which prints to a reader who is gone, as `head` is after ten lines.
fn unread(arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    Command::new(env!("CARGO_BIN_EXE_simulate"))
        .args(arguments)
        .stdout(writer)
        .output()
        .expect("it starts")
}

fn is_quiet(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.is_empty(), "{said}");
}

#[test]
fn a_reader_who_goes_away_stops_the_printing_and_not_the_run() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unread.json");
    let file = file.to_str().expect("a path in UTF-8");
    let table = "table --only burst-same --strategies static --json";
    let mut arguments: Vec<&str> = table.split(' ').collect();
    arguments.push(file);
    is_quiet(&unread(&arguments));

    let written = std::fs::metadata(file).expect("the table was written");
    assert!(written.len() > 0);
    is_quiet(&unread(&["compare", file, file]));
    std::fs::remove_file(file).expect("it is there");
}

#[test]
fn a_run_that_nobody_reads_has_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let file = folder.join("lossy-idle.toml");
    is_quiet(&unread(&["run", file.to_str().expect("a path in UTF-8")]));
}
