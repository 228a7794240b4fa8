use super::*;
use crate::{Axis, BarSeries, Bars, Column, Drawing, Fact};

fn with(blocks: Vec<Block>) -> String {
    markdown(&Document {
        question: "Why?".to_owned(),
        sections: vec![Section::new("S", blocks)],
        ..Document::default()
    })
}

#[test]
fn text_is_never_markup() {
    for (text, shown) in [
        ("# no title", "\\# no title"),
        ("- no point", "\\- no point"),
        ("1. no point", "1\\. no point"),
        ("v1.2 and 3)", "v1.2 and 3)"),
        (
            "<b>*a*_b_`c`[d](e)",
            "\\<b\\>\\*a\\*\\_b\\_\\`c\\`\\[d\\](e)",
        ),
        ("two\n\n# lines", "two  \\# lines"),
        ("http://example.org", "http:\\//example.org"),
        ("\u{1b}[31mred", "\u{fffd}\\[31mred"),
    ] {
        let page = with(vec![Block::text(text)]);
        assert_eq!(page, format!("# Why?\n\n## S\n\n{shown}\n"));
    }
}

#[test]
fn what_is_bold_keeps_its_distance() {
    let text = Text::default().strong("Real: ").and("as it is");
    let page = with(vec![Block::Paragraph(text)]);
    assert!(page.ends_with("**Real:** as it is\n"), "{page}");
}

#[test]
fn code_cannot_end_itself() {
    let page = with(vec![
        Block::Code("```\nout".to_owned()),
        Block::Paragraph(Text::default().code("a``b`")),
    ]);
    assert!(page.contains("````text\n```\nout\n````\n"), "{page}");
    assert!(page.contains("``` a``b` ```"), "{page}");
}

#[test]
fn cells_keep_to_their_columns() {
    let table = Table {
        columns: vec![Column::words("who|what"), Column::numbers("n")],
        rows: vec![
            vec![
                Cell::from(Text::default().code("a|b")),
                Cell::number(2.0, 1),
            ],
            vec![Cell::from("c|d")],
        ],
        ..Table::default()
    };
    let page = with(vec![Block::Table(
        table.with_best_in_column(1, crate::Best::Lowest),
    )]);
    let expected = "| who\\|what | n |\n| --- | ---: |\n| `a\\|b` | **2.0** |\n| c\\|d |  |\n";
    assert!(page.contains(expected), "{page}");
}

#[test]
fn findings_and_facts_are_told() {
    let finding = Finding {
        title: "too much".to_owned(),
        standing: Standing::Fail,
        text: "by *one*".into(),
        timeline: vec!["0 s: a".to_owned(), "1 s: b".to_owned()],
        command: Some("make again".to_owned()),
    };
    let page = markdown(&Document {
        question: "Q?".to_owned(),
        standing: Some(Standing::Fail),
        facts: vec![Fact::new("seed", "4`2")],
        sections: vec![Section::new("S", vec![Block::Finding(finding)])],
        ..Document::default()
    });
    let expected = "# Q?\n\n**✗ fail**\n\n- seed: ``4`2``\n\n## S\n\n### **✗ fail**: too much\n\n\
                    by \\*one\\*\n\n```text\n0 s: a\n1 s: b\n```\n\n```text\nmake again\n```\n";
    assert_eq!(page, expected);
}

#[test]
fn a_figure_is_its_words_and_its_numbers() {
    let bars = Bars {
        value: Axis::from_zero("part"),
        groups: vec!["even".to_owned()],
        series: vec![BarSeries {
            name: "ours".to_owned(),
            values: vec![Some(0.99)],
        }],
    };
    let page = with(vec![Block::Plot(Plot {
        title: "Use".to_owned(),
        description: "More is better.".to_owned(),
        drawing: Drawing::Bars(bars),
    })]);
    assert!(
        page.contains("**Figure 1: Use.** More is better."),
        "{page}"
    );
    assert!(page.contains("| even | 0.99 |"), "{page}");
}
