//! `simulate`: tables, single runs, swarms, reports.

fn main() {}
