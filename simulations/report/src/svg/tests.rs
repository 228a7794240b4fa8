use super::*;
use crate::{Axis, BarSeries, Bars, Lines, Series, Shade, Style};

fn lines(series: Vec<Series>) -> Plot {
    Plot {
        title: "t".to_owned(),
        description: "d".to_owned(),
        drawing: Drawing::Lines(Lines {
            x: Axis::from_zero("s"),
            y: Axis::from_zero("units"),
            series,
            shades: vec![Shade {
                from: 2.0,
                to: 5.0,
                label: "partition".to_owned(),
            }],
        }),
    }
}

fn series(name: &str, style: Style, points: &[(f64, f64)]) -> Series {
    Series {
        name: name.to_owned(),
        points: points.to_vec(),
        style,
    }
}

fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
    let opening = format!(" {attribute}=\"");
    let parts = svg.split(&opening).skip(1);
    let values = parts.filter_map(|rest| rest.split('"').next()?.parse().ok());
    values.collect()
}

#[test]
fn everything_lies_inside_the_picture() {
    let many = (0..12).map(|index| {
        let name = format!("strategy number {index}");
        series(
            &name,
            Style::Marked,
            &[(0.0, 0.0), (10.0, f64::from(index % 3))],
        )
    });
    let plot = lines(many.collect());
    for room in Room::ALL {
        let svg = draw(&plot, "a", room).finish();
        let (_, size) = svg.split_once("viewBox=\"0 0 ").expect("a size");
        let size: Vec<f64> = size
            .split(['"', ' '])
            .map_while(|part| part.parse().ok())
            .collect();
        for (attribute, end) in [("x", size[0]), ("x1", size[0]), ("x2", size[0])] {
            let inside = numbers(&svg, attribute).into_iter();
            assert!(
                inside.into_iter().all(|at| (0.0..=end).contains(&at)),
                "{attribute}"
            );
        }
        for attribute in ["y", "y1", "y2"] {
            let inside = numbers(&svg, attribute).into_iter();
            assert!(
                inside.into_iter().all(|at| (0.0..=size[1]).contains(&at)),
                "{attribute}"
            );
        }
    }
}

#[test]
fn a_line_goes_where_its_numbers_are() {
    let plot = lines(vec![series(
        "one",
        Style::Line,
        &[(0.0, 0.0), (10.0, 100.0)],
    )]);
    let svg = draw(&plot, "a", Room::Wide).finish();
    let (_, data) = svg
        .split_once("class=\"line s0 d0\" d=\"M")
        .expect("a path");
    let ends: Vec<f64> = data
        .split(['L', ' ', '"'])
        .map_while(|part| part.parse().ok())
        .collect();
    let [x1, y1, x2, y2] = ends[..] else {
        panic!("two points: {ends:?}")
    };
    assert!(
        x1 < x2 && (y1 - y2 - Room::Wide.height()).abs() < 0.2,
        "{ends:?}"
    );
    // The shade covers 3 of the 10 that the line runs through.
    let shade = svg.split_once("class=\"shade\"").expect("a shade").1;
    assert!((numbers(shade, "width")[0] / (x2 - x1) - 0.3).abs() < 0.01);
}

#[test]
fn what_is_not_finite_is_not_drawn() {
    let points = [
        (0.0, 1.0),
        (1.0, f64::NAN),
        (2.0, f64::INFINITY),
        (f64::NAN, 3.0),
        (3.0, 2.0),
    ];
    let plot = lines(vec![
        series("one", Style::Area, &points),
        series("none", Style::Area, &[]),
    ]);
    let bars = Plot {
        drawing: Drawing::Bars(Bars {
            groups: vec!["a".to_owned(), "b".to_owned()],
            series: vec![BarSeries {
                name: "s".to_owned(),
                values: vec![Some(f64::NAN)],
            }],
            ..Bars::default()
        }),
        ..plot.clone()
    };
    for (plot, shape, expected) in [(plot, "class=\"line s0", 2), (bars, "<rect", 1)] {
        let svg = draw(&plot, "a", Room::Narrow).finish();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        // A line and its sample in the legend; the legend's bar alone.
        assert_eq!(svg.matches(shape).count(), expected);
    }
}

#[test]
fn series_are_told_apart_without_colours() {
    let styles = crate::html::STYLE;
    let classes: Vec<String> = (0..12).map(|index| classes(index, "line")).collect();
    for pair in 0..4 {
        assert_eq!(pair % COLOURS, (pair + COLOURS) % COLOURS);
        assert_ne!(classes[pair], classes[pair + COLOURS]);
    }
    for index in 2..12 {
        assert!(styles.contains(&format!(".line.d{index} {{")), "d{index}");
    }
}
