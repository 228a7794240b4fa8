//! The few shapes that pictures are made of.

use crate::markup::{Markup, px};

/// Half a mark's width.
const MARK_PX: f64 = 3.6;

/// On which side of its place a text lies.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

pub(super) fn line(out: &mut Markup, class: &str, from: (f64, f64), to: (f64, f64)) {
    out.empty(
        "line",
        &[
            ("class", class),
            ("x1", &px(from.0)),
            ("y1", &px(from.1)),
            ("x2", &px(to.0)),
            ("y2", &px(to.1)),
        ],
    );
}

pub(super) fn text(out: &mut Markup, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
    let attributes = [
        ("class", class),
        ("x", &px(at.0)),
        ("y", &px(at.1)),
        ("text-anchor", anchor.name()),
    ];
    out.leaf("text", &attributes, text);
}

/// A rectangle, with words for whoever points at it.
pub(super) fn rect(out: &mut Markup, class: &str, at: (f64, f64), size: (f64, f64), tip: &str) {
    let attributes = [
        ("class", class),
        ("x", &px(at.0)),
        ("y", &px(at.1)),
        ("width", &px(size.0.max(0.0))),
        ("height", &px(size.1.max(0.0))),
    ];
    if tip.is_empty() {
        return out.empty("rect", &attributes);
    }
    out.open("rect", &attributes);
    out.leaf("title", &[], tip);
    out.close("rect");
}

pub(super) fn path(out: &mut Markup, class: &str, data: &str) {
    out.empty("path", &[("class", class), ("d", data)]);
}

/// Straight from point to point.
pub(super) fn through(points: &[(f64, f64)]) -> String {
    let points = points.iter().enumerate().map(|(index, (x, y))| {
        let command = if index == 0 { 'M' } else { 'L' };
        format!("{command}{} {}", px(*x), px(*y))
    });
    points.collect()
}

/// A mark whose shape tells its series without a colour.
pub(super) fn mark(out: &mut Markup, class: &str, index: usize, at: (f64, f64)) {
    let (x, y) = at;
    let m = MARK_PX;
    let corners: &[(f64, f64)] = match index % 6 {
        0 => &[
            (-0.4, -1.0),
            (0.4, -1.0),
            (1.0, -0.4),
            (1.0, 0.4),
            (0.4, 1.0),
            (-0.4, 1.0),
            (-1.0, 0.4),
            (-1.0, -0.4),
        ],
        1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        2 => &[(0.0, -1.2), (1.2, 1.0), (-1.2, 1.0)],
        3 => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        4 => &[(0.0, 1.2), (1.2, -1.0), (-1.2, -1.0)],
        _ => &[(-1.1, -0.5), (1.1, -0.5), (1.1, 0.5), (-1.1, 0.5)],
    };
    let placed: Vec<_> = corners
        .iter()
        .map(|(dx, dy)| (x + dx * m, y + dy * m))
        .collect();
    path(out, class, &format!("{}Z", through(&placed)));
}
