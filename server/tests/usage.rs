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
    ] {
        let output = demo(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
}
