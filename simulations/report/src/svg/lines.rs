//! Values over time or by a parameter.

use super::{
    Room, SMALL_PX, TEXT_PX, classes,
    legend::{self, Entry, Sample},
    shapes::{self, Anchor},
};
use crate::{Axis, Lines, Scaling, Series, Style, markup::Markup, scale::Scale, words};

/// Above the lines: the name of what is measured.
const HEAD_PX: f64 = 24.0;

/// Above the lines too, where stretches of x are shaded: what they are.
const SHADES_PX: f64 = 17.0;

/// Room that names at the ends of lines may take.
const NAMES_PX_MAX: f64 = 150.0;

/// Height of a name at the end of a line.
const NAME_PX: f64 = 14.0;

/// The picture's inside.
#[derive(Clone, Copy)]
struct Inside {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

struct Frame {
    inside: Inside,
    x: Scale,
    y: Scale,
}

/// Draws; returns the height.
pub(super) fn draw(out: &mut Markup, lines: &Lines, room: Room) -> f64 {
    let frame = Frame::new(lines, room);
    shapes::text(out, "axis", (0.0, 12.0), Anchor::Start, &lines.y.label);
    frame.shades(out, lines);
    frame.grid(out, &lines.y);
    for (index, series) in lines.series.iter().enumerate().rev() {
        frame.series(out, index, series);
    }
    if room.is_wide() {
        frame.names(out, lines);
    }
    let below = frame.x_axis(out, &lines.x, room);
    let entries: Vec<Entry<'_>> = lines.series.iter().enumerate().map(entry).collect();
    legend::draw(out, &entries, below + 6.0, room)
}

fn entry((index, series): (usize, &Series)) -> Entry<'_> {
    let sample = match series.style {
        Style::Line | Style::Area => Sample::Line,
        Style::Marked => Sample::Marked,
        Style::Limit => Sample::Limit,
    };
    Entry {
        index,
        name: &series.name,
        sample,
    }
}

fn finite(series: &Series) -> impl Iterator<Item = (f64, f64)> {
    let points = series.points.iter().copied();
    points.filter(|(x, y)| x.is_finite() && y.is_finite())
}

impl Frame {
    fn new(lines: &Lines, room: Room) -> Self {
        let shades_px = if lines.shades.is_empty() {
            0.0
        } else {
            SHADES_PX
        };
        let top = HEAD_PX + shades_px;
        let bottom = top + room.height();
        let points = || lines.series.iter().flat_map(finite);
        let y_values = points().map(|(_, y)| y);
        let y = Scale::new(&lines.y, y_values, (bottom, top), 5, true);
        let ticks = y.ticks().into_iter();
        let widths = ticks.map(|tick| words::width(&tick.text, TEXT_PX));
        let left = widths.fold(16.0, f64::max) + 9.0;
        let names = lines
            .series
            .iter()
            .map(|s| words::width(&s.name, TEXT_PX) + 20.0);
        let names = names.fold(0.0, f64::max).min(NAMES_PX_MAX);
        let right = room.width()
            - if room.is_wide() {
                names.max(14.0)
            } else {
                14.0
            };
        let ends = lines.shades.iter().flat_map(|shade| [shade.from, shade.to]);
        let x_values = points().map(|(x, _)| x).chain(ends);
        let x_ticks = if room.is_wide() { 8 } else { 4 };
        // A parameter's marks need some air, time runs from edge to edge.
        let has_marks = lines
            .series
            .iter()
            .any(|series| series.style == Style::Marked);
        let air = if has_marks { 12.0 } else { 0.0 };
        let x = Scale::new(
            &lines.x,
            x_values,
            (left + air, right - air),
            x_ticks,
            false,
        );
        let inside = Inside {
            left,
            right,
            top,
            bottom,
        };
        Self { inside, x, y }
    }

    fn shades(&self, out: &mut Markup, lines: &Lines) {
        let Inside {
            top, bottom, right, ..
        } = self.inside;
        let starts: Vec<f64> = lines
            .shades
            .iter()
            .map(|shade| self.x.at(shade.from))
            .collect();
        for (index, shade) in lines.shades.iter().enumerate() {
            let (from, to) = (starts[index], self.x.at(shade.to));
            let size = ((to - from).max(1.0), bottom - top);
            shapes::rect(out, "shade", (from, top), size, &shade.label);
            let next = starts.get(index + 1).copied().unwrap_or(right);
            let room = next.max(to) - from - 4.0;
            let label = words::fitted(&shade.label, SMALL_PX, room);
            if room > 24.0 {
                shapes::text(out, "note", (from, top - 5.0), Anchor::Start, &label);
            }
        }
    }

    fn grid(&self, out: &mut Markup, axis: &Axis) {
        let Inside {
            left,
            right,
            bottom,
            ..
        } = self.inside;
        for tick in self.y.ticks() {
            shapes::line(out, "grid", (left, tick.at), (right, tick.at));
            let at = (left - 7.0, tick.at + 4.3);
            shapes::text(out, "tick", at, Anchor::End, &tick.text);
        }
        if let Some(gap) = self.y.zero_ends_at()
            && axis.scaling == Scaling::Logarithmic
        {
            shapes::line(out, "gap", (left, gap), (right, gap));
        }
        shapes::line(out, "base", (left, bottom), (right, bottom));
    }

    /// Ticks and the name of what x is; returns where they end.
    fn x_axis(&self, out: &mut Markup, axis: &Axis, room: Room) -> f64 {
        let Inside {
            left,
            right,
            bottom,
            ..
        } = self.inside;
        let mut free = f64::MIN;
        for tick in self.x.ticks() {
            let half = words::width(&tick.text, TEXT_PX) * 0.5;
            let at = tick.at.min(room.width() - half);
            shapes::line(out, "base", (tick.at, bottom), (tick.at, bottom + 4.0));
            if at - half > free {
                shapes::text(out, "tick", (at, bottom + 17.0), Anchor::Middle, &tick.text);
                free = at + half + 4.0;
            }
        }
        let middle = (left + right) * 0.5;
        shapes::text(
            out,
            "axis",
            (middle, bottom + 34.0),
            Anchor::Middle,
            &axis.label,
        );
        bottom + 40.0
    }

    fn series(&self, out: &mut Markup, index: usize, series: &Series) {
        let points = finite(series).map(|(x, y)| (self.x.at(x), self.y.at(y)));
        let points: Vec<(f64, f64)> = points.collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return;
        };
        let data = shapes::through(&points);
        if series.style == Style::Limit {
            return shapes::path(out, "limit", &data);
        }
        if series.style == Style::Area {
            let bottom = shapes::through(&[*last, (last.0, self.inside.bottom)]);
            let back = format!("L{} {}", first.0, self.inside.bottom);
            let area = format!("{data}{}{back}Z", bottom.replace('M', "L"));
            shapes::path(out, &classes(index, "area"), &area);
        }
        shapes::path(out, &classes(index, "line"), &data);
        if series.style == Style::Marked {
            for point in &points {
                shapes::mark(out, &classes(index, "mark"), index, *point);
            }
        }
    }

    /// Names at the ends of the lines.
    fn names(&self, out: &mut Markup, lines: &Lines) {
        let ends = lines
            .series
            .iter()
            .enumerate()
            .filter_map(|(index, series)| {
                let (x, y) = finite(series).last()?;
                Some((index, series, (self.x.at(x), self.y.at(y))))
            });
        let ends: Vec<_> = ends.collect();
        let wanted: Vec<f64> = ends.iter().map(|(_, _, (_, y))| *y).collect();
        let Inside {
            top, bottom, right, ..
        } = self.inside;
        let places = legend::spread(&wanted, NAME_PX, top, bottom);
        for ((index, series, (x, y)), place) in ends.into_iter().zip(places) {
            let at = (right + 14.0, place + 4.3);
            if (place - y).abs() > 3.0 || x + 8.0 < right {
                let from = (x.max(right - 6.0) + 2.0, y);
                shapes::line(out, "leader", from, (right + 12.0, place));
            }
            let name = words::fitted(&series.name, TEXT_PX, NAMES_PX_MAX - 16.0);
            let class = match series.style {
                Style::Limit => "name".to_owned(),
                _ => classes(index, "name"),
            };
            shapes::text(out, &class, at, Anchor::Start, &name);
        }
    }
}
