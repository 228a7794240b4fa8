//! All figures as one document for programs.

use std::path::Path;

use serde_json::{Value, json};

use crate::args::Args;
use crate::figure::Figures;
use crate::works::Row;

/// Writes it.
pub fn write(
    file: &Path,
    args: &Args,
    rows: &[Row],
    mut figures: Figures,
    skipped: &[String],
) -> std::io::Result<()> {
    figures.insert("checks".to_owned(), json!(rows));
    figures.insert("quick".to_owned(), json!(args.quick));
    figures.insert("only".to_owned(), json!(args.only));
    figures.insert("skipped".to_owned(), json!(skipped));
    figures.insert("machine".to_owned(), machine());
    let text = serde_json::to_string_pretty(&Value::Object(figures))?;
    std::fs::write(file, text + "\n")
}

/// What it was measured on, as far as that is known.
pub fn machine() -> Value {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1));
    let pages = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "processor": model.unwrap_or("unknown"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "huge_pages": pages.as_deref().map_or("unknown", str::trim),
        "load": load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
    })
}
