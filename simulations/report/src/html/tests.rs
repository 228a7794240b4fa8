use proptest::prelude::*;

use super::*;
use crate::{
    Axis, BarSeries, Bars, Drawing, Fact, Lane, Lines, Mark, Schedule, Series, Shade, Style,
};

const HOSTILE: &str = "\"'><script>alert(1)</script><!-- ]]> & {x} \u{0}\u{202e}";

fn lines(text: &str) -> Lines {
    let series = |style| Series {
        name: text.to_owned(),
        points: vec![(0.0, 1.0), (2.0, f64::NAN), (3.0, 9.0)],
        style,
    };
    Lines {
        x: Axis::from_zero(text),
        y: Axis::logarithmic(text),
        series: [Style::Line, Style::Marked, Style::Limit, Style::Area]
            .map(series)
            .into(),
        shades: vec![Shade {
            from: 1.0,
            to: 2.0,
            label: text.to_owned(),
        }],
    }
}

fn drawings(text: &str) -> Vec<Drawing> {
    let bars = Bars {
        value: Axis::from_zero(text),
        groups: vec![text.to_owned()],
        series: vec![BarSeries {
            name: text.to_owned(),
            values: vec![Some(0.5)],
        }],
    };
    let lane = Lane {
        name: text.to_owned(),
        shades: lines(text).shades,
        is_calm: false,
        marks: vec![Mark {
            at: 0.5,
            label: text.to_owned(),
        }],
    };
    let schedule = Schedule {
        x: Axis::from_zero(text),
        lanes: vec![lane],
    };
    vec![
        Drawing::Lines(lines(text)),
        Drawing::Bars(bars),
        Drawing::Schedule(schedule),
    ]
}

/// A document with the text in every place that holds one.
fn everywhere(text: &str) -> Document {
    let finding = Finding {
        title: text.to_owned(),
        standing: Standing::Fail,
        text: text.into(),
        timeline: vec![text.to_owned()],
        command: Some(text.to_owned()),
    };
    let table = Table {
        caption: text.to_owned(),
        columns: vec![Column::words(text), Column::numbers(text)],
        rows: vec![vec![Cell::from(text), Cell::number(1.0, 0)]],
    };
    let mut blocks = vec![
        Block::Paragraph(Text::plain(text).code(text).strong(text)),
        Block::Heading(text.to_owned()),
        Block::List(vec![text.into()]),
        Block::Code(text.to_owned()),
        Block::Table(table.with_best_in_column(1, crate::Best::Highest)),
        Block::Finding(finding),
    ];
    blocks.extend(drawings(text).into_iter().map(|drawing| {
        Block::Plot(Plot {
            title: text.to_owned(),
            description: text.to_owned(),
            drawing,
        })
    }));
    let section = Section::new(text, blocks);
    Document {
        question: text.to_owned(),
        standing: Some(Standing::Unknown),
        facts: vec![Fact::new(text, text)],
        summary: vec![text.into()],
        sections: vec![section.clone(), section.clone(), section],
    }
}

/// Names of all elements in the order in which they open; panics where one does not close.
fn elements(page: &str) -> Vec<String> {
    let (mut open, mut seen) = (Vec::<String>::new(), Vec::new());
    // The style sheet is ours and has no tags in it.
    for tag in page.split('<').skip(1) {
        let (inside, _) = tag.split_once('>').expect("every tag ends");
        let name = inside
            .split([' ', '/'])
            .find(|word| !word.is_empty())
            .expect("a name");
        if inside.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closes in order");
            continue;
        }
        seen.push(name.to_owned());
        let is_void = ["!doctype", "meta"].contains(&name);
        if !is_void && !inside.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, Vec::<String>::new(), "all closed");
    seen
}

fn attributes(page: &str, name: &str) -> Vec<String> {
    let opening = format!(" {name}=\"");
    let parts = page.split(&opening).skip(1);
    let values = parts.filter_map(|rest| rest.split('"').next());
    values.map(str::to_owned).collect()
}

#[test]
fn hostile_text_is_text_wherever_it_stands() {
    let (hostile, harmless) = (html(&everywhere(HOSTILE)), html(&everywhere("harmless")));
    assert_eq!(count(&elements(&hostile)), count(&elements(&harmless)));
    assert!(!hostile.contains("<script"));
    assert!(hostile.contains("&lt;script&gt;alert(1)"));
}

/// Elements by name, but for the words in pictures, which are left out where they do not fit.
fn count(elements: &[String]) -> std::collections::BTreeMap<&str, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for element in elements.iter().filter(|name| *name != "text") {
        *counts.entry(element.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn the_page_loads_and_runs_nothing() {
    let page = html(&everywhere("harmless"));
    let elements = elements(&page);
    for loading in [
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "image",
        "use",
        "foreignObject",
    ] {
        assert!(!elements.iter().any(|name| name == loading), "{loading}");
    }
    let without_names = page.replace("http://www.w3.org/2000/svg", "");
    for mark in [
        "http:", "https:", "url(", "@import", " src=", " onload", " style=",
    ] {
        assert!(!without_names.contains(mark), "{mark}");
    }
    assert!(page.contains("default-src &#39;none&#39;"));
}

#[test]
fn every_picture_says_what_it_shows() {
    let page = html(&everywhere("harmless"));
    let ids = attributes(&page, "id");
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len(), "ids are unique");
    let labels = attributes(&page, "aria-labelledby");
    // Three sections of three pictures, each for two widths.
    assert_eq!(labels.len(), 18);
    for id in labels.iter().flat_map(|label| label.split(' ')) {
        assert!(ids.iter().any(|known| known == id), "{id}");
    }
}

#[test]
fn tables_name_their_columns_and_rows() {
    let page = html(&everywhere("harmless"));
    let scopes = attributes(&page, "scope");
    assert!(scopes.iter().any(|scope| scope == "col"));
    assert!(scopes.iter().any(|scope| scope == "row"));
    assert!(page.contains("<td class=\"number\"><strong>1</strong></td>"));
}

#[test]
fn colours_can_be_told_from_the_page_in_the_light_and_in_the_dark() {
    let (light, dark) = STYLE
        .split_once("@media (prefers-color-scheme: dark)")
        .expect("both");
    for scheme in [light, dark] {
        let page = luminance(&colour(scheme, "page"));
        let words = ["ink", "muted", "link", "pass", "unknown", "fail"];
        let series = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "limit"];
        // Words upon the page and upon a panel; names of lines are words too.
        for name in words.into_iter().chain(series) {
            let panel = luminance(&colour(scheme, "panel"));
            for ground in [page, panel] {
                let contrast = contrast(luminance(&colour(scheme, name)), ground);
                assert!(contrast >= 4.0, "--{name}: {contrast:.2}");
            }
            let contrast = contrast(luminance(&colour(scheme, name)), page);
            assert!(contrast >= 4.5, "--{name}: {contrast:.2}");
        }
        for shade in ["shade", "fault"] {
            let ground = luminance(&colour(scheme, shade));
            let ink = contrast(luminance(&colour(scheme, "ink")), ground);
            assert!(ink >= 4.5, "ink on --{shade}: {ink:.2}");
            // The heavy line crosses shaded stretches.
            let line = contrast(luminance(&colour(scheme, "s0")), ground);
            assert!(line >= 3.0, "--s0 on --{shade}: {line:.2}");
        }
    }
}

fn colour(scheme: &str, name: &str) -> [u8; 3] {
    let (_, rest) = scheme.split_once(&format!("--{name}: #")).expect(name);
    [0, 2, 4].map(|at| u8::from_str_radix(&rest[at..at + 2], 16).expect("hexadecimal"))
}

/// Relative luminance as the Web Content Accessibility Guidelines have it.
fn luminance(colour: &[u8; 3]) -> f64 {
    let linear = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        match part <= 0.03928 {
            true => part / 12.92,
            false => ((part + 0.055) / 1.055).powf(2.4),
        }
    });
    linear[0] * 0.2126 + linear[1] * 0.7152 + linear[2] * 0.0722
}

fn contrast(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_text_makes_a_whole_page(text in any::<String>()) {
        let page = html(&everywhere(&text));
        elements(&page);
    }

    #[test]
    fn a_document_survives_json(text in any::<String>()) {
        let mut document = everywhere(&text);
        // JSON has no numbers that are none.
        document.sections.iter_mut().for_each(|section| section.blocks.truncate(6));
        let read: Document = serde_json::from_str(&crate::json(&document)).expect("as written");
        prop_assert_eq!(read, document);
    }
}
