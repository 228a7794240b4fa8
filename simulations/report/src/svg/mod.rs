//! Pictures as SVG that a page carries in itself.
//!
//! Colours, dashes and fonts are the page's: shapes carry classes (`s0` to `s7` for the series) and
//! the page's style sheet says what those are in the light and in the dark. A picture is drawn for
//! a width rather than shrunk to it, so that its words can be read on a phone.

mod bars;
mod legend;
mod lines;
mod schedule;
mod shapes;

use crate::{Drawing, Plot, markup::Markup};

/// How large words are, in pixels.
const TEXT_PX: f64 = 12.5;

/// How large words are in tight places.
const SMALL_PX: f64 = 11.0;

/// Colours that there are; further series use them again with another dash and another mark.
pub(crate) const COLOURS: usize = 8;

/// What a picture is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// A desk.
    Wide,
    /// A phone.
    Narrow,
}

impl Room {
    pub(crate) const ALL: [Self; 2] = [Self::Wide, Self::Narrow];

    /// The class by which the page shows one and hides the other.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    const fn width(self) -> f64 {
        match self {
            Self::Wide => 760.0,
            Self::Narrow => 360.0,
        }
    }

    const fn height(self) -> f64 {
        match self {
            Self::Wide => 290.0,
            Self::Narrow => 220.0,
        }
    }

    fn is_wide(self) -> bool {
        self == Self::Wide
    }
}

/// The picture. `id` must be the page's only one of that name.
pub(crate) fn draw(plot: &Plot, id: &str, room: Room) -> Markup {
    let mut body = Markup::default();
    let height = match &plot.drawing {
        Drawing::Lines(lines) => lines::draw(&mut body, lines, room),
        Drawing::Bars(bars) => bars::draw(&mut body, bars, room),
        Drawing::Schedule(schedule) => schedule::draw(&mut body, schedule, room),
    };
    let (title_id, description_id) = (format!("{id}-title"), format!("{id}-description"));
    let mut svg = Markup::default();
    svg.open(
        "svg",
        &[
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("class", room.class()),
            (
                "viewBox",
                &format!("0 0 {} {}", room.width(), height.ceil()),
            ),
            ("role", "img"),
            ("aria-labelledby", &format!("{title_id} {description_id}")),
        ],
    );
    svg.leaf("title", &[("id", &title_id)], &plot.title);
    svg.leaf("desc", &[("id", &description_id)], &plot.description);
    svg.newline();
    svg.append(&body);
    svg.close("svg");
    svg.newline();
    svg
}

/// The classes of a series' shape.
fn classes(index: usize, shape: &str) -> String {
    format!(
        "{shape} s{} d{}",
        index % COLOURS,
        index.min(COLOURS * 2 - 1)
    )
}

#[cfg(test)]
mod tests;
