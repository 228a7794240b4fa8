//! Values by name: rows of bars, for names are wide and numbers are many.

use super::{
    Room, SMALL_PX, TEXT_PX, classes,
    legend::{self, Entry, Sample},
    shapes::{self, Anchor},
};
use crate::{Bars, markup::Markup, number, scale::Scale, words};

const BAR_PX: f64 = 10.0;
const BAR_GAP_PX: f64 = 2.0;
const GROUP_GAP_PX: f64 = 9.0;

/// Room for a number at the end of a bar.
const VALUE_PX: f64 = 46.0;

/// Room that names of groups may take beside their bars.
const NAMES_PX_MAX: f64 = 190.0;

/// Draws; returns the height.
pub(super) fn draw(out: &mut Markup, bars: &Bars, room: Room) -> f64 {
    let (left, head) = match room.is_wide() {
        true => (names_px(bars), 0.0),
        false => (0.0, 16.0),
    };
    let group_px = head + bars.series.len() as f64 * (BAR_PX + BAR_GAP_PX) + GROUP_GAP_PX;
    let top = 40.0;
    let bottom = top + group_px * bars.groups.len() as f64;
    let values = bars.series.iter().flat_map(|series| &series.values);
    let pixels = (left, room.width() - VALUE_PX);
    let ticks = if room.is_wide() { 8 } else { 4 };
    let scale = Scale::new(&bars.value, values.flatten().copied(), pixels, ticks, true);
    shapes::text(out, "axis", (left, 12.0), Anchor::Start, &bars.value.label);
    axis(out, &scale, top, bottom, room);
    for (index, name) in bars.groups.iter().enumerate() {
        let y = top + index as f64 * group_px + GROUP_GAP_PX * 0.5;
        group_name(out, name, (left, y), group_px, room);
        group(out, bars, index, (left, y + head), &scale);
    }
    let entries = bars.series.iter().enumerate().map(|(index, series)| Entry {
        index,
        name: &series.name,
        sample: Sample::Bar,
    });
    legend::draw(out, &entries.collect::<Vec<_>>(), bottom + 8.0, room)
}

fn names_px(bars: &Bars) -> f64 {
    let widths = bars.groups.iter().map(|name| words::width(name, TEXT_PX));
    widths.fold(0.0, f64::max).min(NAMES_PX_MAX) + 10.0
}

fn axis(out: &mut Markup, scale: &Scale, top: f64, bottom: f64, room: Room) {
    for tick in scale.ticks() {
        shapes::line(out, "grid", (tick.at, top), (tick.at, bottom));
        let half = words::width(&tick.text, TEXT_PX) * 0.5;
        let at = (tick.at.clamp(half, room.width() - half), top - 8.0);
        shapes::text(out, "tick", at, Anchor::Middle, &tick.text);
    }
}

fn group_name(out: &mut Markup, name: &str, at: (f64, f64), group_px: f64, room: Room) {
    let (x, y) = at;
    if room.is_wide() {
        let name = words::fitted(name, TEXT_PX, NAMES_PX_MAX);
        let middle = y + (group_px - GROUP_GAP_PX) * 0.5 + 4.0;
        return shapes::text(out, "ink", (x - 8.0, middle), Anchor::End, &name);
    }
    let name = words::fitted(name, TEXT_PX, room.width());
    shapes::text(out, "ink", (0.0, y + 11.0), Anchor::Start, &name);
}

fn group(out: &mut Markup, bars: &Bars, group: usize, (left, top): (f64, f64), scale: &Scale) {
    for (index, series) in bars.series.iter().enumerate() {
        let value = series.values.get(group).copied().flatten();
        let Some(value) = value.filter(|value| value.is_finite()) else {
            continue;
        };
        let y = top + index as f64 * (BAR_PX + BAR_GAP_PX);
        let end = scale.at(value).max(left + 1.0);
        let shown = number::brief(value);
        let tip = format!("{}, {}: {shown}", bars.groups[group], series.name);
        let size = (end - left, BAR_PX);
        shapes::rect(out, &classes(index, "bar"), (left, y), size, &tip);
        let at = (end + 4.0, y + SMALL_PX * 0.82);
        shapes::text(out, "note", at, Anchor::Start, &shown);
    }
}
