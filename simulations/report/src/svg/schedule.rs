//! What happened to whom and when.

use super::{
    Room, SMALL_PX, TEXT_PX,
    shapes::{self, Anchor},
};
use crate::{Lane, Schedule, Shade, markup::Markup, scale::Scale, words};

const LANE_PX: f64 = 26.0;

/// Room that names of lanes may take.
const NAMES_PX_MAX: f64 = 120.0;

/// Draws; returns the height.
pub(super) fn draw(out: &mut Markup, schedule: &Schedule, room: Room) -> f64 {
    let names = schedule
        .lanes
        .iter()
        .map(|lane| words::width(&lane.name, TEXT_PX));
    let left = names.fold(0.0, f64::max).min(NAMES_PX_MAX) + 10.0;
    let right = room.width() - 12.0;
    let lasting = schedule.lanes.iter().flat_map(|lane| &lane.shades);
    let ends = lasting.flat_map(|shade| [shade.from, shade.to]);
    let instants = schedule.lanes.iter().flat_map(|lane| &lane.marks);
    let values = ends.chain(instants.map(|mark| mark.at));
    let ticks = if room.is_wide() { 8 } else { 4 };
    let x = Scale::new(&schedule.x, values, (left, right), ticks, false);
    let top = 4.0;
    let bottom = top + LANE_PX * schedule.lanes.len() as f64;
    for tick in x.ticks() {
        shapes::line(out, "grid", (tick.at, top), (tick.at, bottom));
        let at = (tick.at, bottom + 16.0);
        shapes::text(out, "tick", at, Anchor::Middle, &tick.text);
    }
    for (index, lane) in schedule.lanes.iter().enumerate() {
        draw_lane(out, lane, top + index as f64 * LANE_PX, &x, (left, right));
    }
    shapes::line(out, "base", (left, bottom), (right, bottom));
    let middle = ((left + right) * 0.5, bottom + 33.0);
    shapes::text(out, "axis", middle, Anchor::Middle, &schedule.x.label);
    bottom + 40.0
}

fn draw_lane(out: &mut Markup, lane: &Lane, top: f64, x: &Scale, (left, right): (f64, f64)) {
    let baseline = top + LANE_PX * 0.5 + 4.3;
    let name = words::fitted(&lane.name, TEXT_PX, NAMES_PX_MAX);
    shapes::text(out, "ink", (left - 8.0, baseline), Anchor::End, &name);
    shapes::line(out, "grid", (left, top + LANE_PX), (right, top + LANE_PX));
    for shade in &lane.shades {
        draw_shade(out, lane, shade, top, x);
    }
    let starts: Vec<f64> = lane.marks.iter().map(|mark| x.at(mark.at)).collect();
    let mut free = f64::MIN;
    for (index, mark) in lane.marks.iter().enumerate() {
        let at = starts[index];
        shapes::line(out, "instant", (at, top + 4.0), (at, top + LANE_PX - 4.0));
        let next = starts.get(index + 1).copied().unwrap_or(right + 10.0);
        let label = words::fitted(&mark.label, SMALL_PX, next - at - 8.0);
        if at >= free && label.chars().count() > 3 {
            shapes::text(out, "note", (at + 4.0, baseline), Anchor::Start, &label);
            free = at + 4.0 + words::width(&label, SMALL_PX);
        }
    }
}

fn draw_shade(out: &mut Markup, lane: &Lane, shade: &Shade, top: f64, x: &Scale) {
    let class = if lane.is_calm { "phase" } else { "fault" };
    let (from, to) = (x.at(shade.from), x.at(shade.to));
    let size = ((to - from).max(2.0), LANE_PX - 8.0);
    shapes::rect(out, class, (from, top + 4.0), size, &shade.label);
    let label = words::fitted(&shade.label, SMALL_PX, size.0 - 8.0);
    if label.chars().count() > 3 || label == shade.label {
        let at = (from + 4.0, top + LANE_PX * 0.5 + 3.8);
        shapes::text(out, "note", at, Anchor::Start, &label);
    }
}
