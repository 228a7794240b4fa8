//! The command's exit codes for bad usage and bad input, seen from outside.

use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_distributary"))
        .arg("demo")
        .args(arguments)
        .output()
        .expect("the command runs")
}

#[test]
fn bad_usage_and_bad_input_end_with_exit_code_2_and_a_reason() {
    for (arguments, reason) in [
        (&["--speed", "5"][..], "--log"),
        (&["--nodes", "0"], "--nodes"),
        (&["--rate", "5"], "not a rate"),
        (&["--balance", "best"], "possible values"),
        (&["--partition", "20..45"], "after the run's last request"),
        (&["--log", "no/such.log"], "no/such.log"),
        (&["--log", "Cargo.toml"], "Common Log Format"),
        (&["--json", "no/such/dir/a.json"], "no/such/dir"),
        (&["--report", "no/such/dir/a.html"], "no/such/dir"),
    ] {
        let output = demo(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
}

#[test]
fn an_idle_run_ends_well_and_says_which_seed_it_drew() {
    let output = demo(&["--idle", "1", "--nodes", "2"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("seed "), "{said}");
    assert!(said.contains("per node and second"), "{said}");
}

#[test]
fn a_log_is_replayed_judged_and_written_down() {
    let folder = std::env::temp_dir().join(format!("distributary-usage-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let (log, json) = (folder.join("access.log"), folder.join("figures.json"));
    let line = "host - - [01/Aug/1995:06:00:00 +0000] \"GET / HTTP/1.0\" 200 1\n";
    std::fs::write(&log, line.repeat(40) + "damaged\n").expect("a file");
    let [log, json] = [&log, &json].map(|path| path.to_str().expect("a plain path"));
    let output = demo(&["--log", log, "--json", json, "--speed", "10", "--seed", "3"]);
    let said = String::from_utf8_lossy(&output.stdout);
    let figures = std::fs::read_to_string(json).expect("figures");
    std::fs::remove_dir_all(&folder).expect("a temporary folder");

    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("1 lines do not parse, the first of them 41"),
        "{said}"
    );
    for part in [
        "\"requests\": 40",
        "\"ideal_admitted\": 10",
        "\"unparsed_lines\": 1",
    ] {
        assert!(figures.contains(part), "{figures}");
    }
}

#[test]
fn a_run_is_written_as_a_page_that_needs_nothing_else() {
    let folder = std::env::temp_dir().join(format!("distributary-page-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let (log, page) = (folder.join("access.log"), folder.join("page.html"));
    let lines = (0..180).map(|second| {
        let time = format!("06:{:02}:{:02}", second / 60, second % 60);
        format!("<b>host - - [01/Aug/1995:{time} +0000] \"GET / HTTP/1.0\" 200 1\n")
    });
    std::fs::write(&log, lines.collect::<String>()).expect("a file");
    let [log, page] = [&log, &page].map(|path| path.to_str().expect("a plain path"));
    let arguments = [
        "--log", log, "--report", page, "--speed", "60", "--seed", "3",
    ];
    let output = demo(&[&arguments[..], &["--partition", "1..2"]].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    let page = std::fs::read_to_string(page).expect("a page");
    std::fs::remove_dir_all(&folder).expect("a temporary folder");

    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in [
        "the bound was kept.",
        "<td class=\"words\">180</td>",
        "Admitted against the ideal and the bound",
        "How far the nodes&#39; views were apart",
        ">partition</text>",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    // Four pictures, each for two widths, and nothing that the page would have to load.
    assert_eq!(page.matches("<svg ").count(), 8);
    assert!(!page.contains("src=") && !page.contains("<script"));
    let addresses = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!addresses.contains("http:") && !addresses.contains("https:"));
}
