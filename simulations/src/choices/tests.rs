use super::*;

const DOCUMENT: &str = include_str!("../../../docs/consistency.md");

#[test]
fn every_table_stands_in_the_document_with_its_own_columns_and_rows() {
    for table in all(1).expect("workloads that are there") {
        let begin = mark(table.name, "begin");
        let (_, rest) = DOCUMENT.split_once(&begin).expect("its mark");
        let (inside, _) = rest.split_once(&mark(table.name, "end")).expect("its end");
        let mut lines = inside.trim().lines();
        assert_eq!(lines.next(), Some(&*line(table.head.iter().copied())));
        assert_eq!(lines.next(), Some(&*rule(table.head.len())));
        let labels: Vec<_> = lines.filter_map(|line| line.split(" | ").next()).collect();
        let expected: Vec<_> = table
            .rows
            .iter()
            .map(|(label, _)| format!("| {label}"))
            .collect();
        assert_eq!(labels, expected, "{}", table.name);
    }
}

#[test]
fn what_stands_between_the_marks_is_replaced_and_nothing_else() {
    let document = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb";
    let new = filled(document, "x", "new").expect("it has the marks");
    assert_eq!(new, "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb");
    assert!(filled(document, "y", "new").is_err());
}

#[test]
fn a_row_is_what_its_runs_show() {
    let mut tables = all(1).expect("workloads that are there");
    let mut table = tables.remove(0);
    table.rows.truncate(1);
    for run in &mut table.rows[0].1 {
        (run.duration_ms, run.faults) = (2_000, Vec::new());
    }
    let text = table.markdown(&|| {}).expect("it runs");
    let row = text.lines().last().expect("a row");
    let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
    assert_eq!(cells.len(), table.head.len());
    let utilisation: f64 = cells[1].trim().parse().expect("a figure");
    assert!((0.9..=1.0).contains(&utilisation), "{row}");
    assert_eq!((cells[7], cells[8].trim()), ("0.0", "kept"));
}
