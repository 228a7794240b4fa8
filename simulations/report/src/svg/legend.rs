//! Which line is which: a row of samples, and names at the lines' ends where there is room.

use super::{
    Room, TEXT_PX, classes,
    shapes::{self, Anchor},
};
use crate::{markup::Markup, words};

const ROW_PX: f64 = 19.0;
const SAMPLE_PX: f64 = 24.0;
const GAP_PX: f64 = 18.0;

/// What the sample of an entry looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    Line,
    Marked,
    Limit,
    Bar,
}

/// One entry.
pub(super) struct Entry<'a> {
    pub(super) index: usize,
    pub(super) name: &'a str,
    pub(super) sample: Sample,
}

/// Draws the entries below `top`; returns where they end.
pub(super) fn draw(out: &mut Markup, entries: &[Entry<'_>], top: f64, room: Room) -> f64 {
    let (mut x, mut y) = (0.0, top);
    for entry in entries {
        let name_max = room.width() - SAMPLE_PX - 8.0;
        let name = words::fitted(entry.name, TEXT_PX, name_max);
        let width = SAMPLE_PX + 6.0 + words::width(&name, TEXT_PX);
        if x > 0.0 && x + width > room.width() {
            (x, y) = (0.0, y + ROW_PX);
        }
        sample(out, entry, (x, y + ROW_PX * 0.5));
        let at = (x + SAMPLE_PX + 6.0, y + ROW_PX * 0.5 + 4.3);
        shapes::text(out, "ink", at, Anchor::Start, &name);
        x += width + GAP_PX;
    }
    y + ROW_PX + 4.0
}

fn sample(out: &mut Markup, entry: &Entry<'_>, (x, y): (f64, f64)) {
    let (from, to) = ((x, y), (x + SAMPLE_PX, y));
    let Entry { index, .. } = *entry;
    match entry.sample {
        Sample::Limit => shapes::line(out, "limit", from, to),
        Sample::Bar => {
            let size = (SAMPLE_PX * 0.6, 11.0);
            shapes::rect(out, &classes(index, "bar"), (x + 4.0, y - 5.5), size, "");
        }
        Sample::Line => shapes::line(out, &classes(index, "line"), from, to),
        Sample::Marked => {
            shapes::line(out, &classes(index, "line"), from, to);
            let middle = (x + SAMPLE_PX * 0.5, y);
            shapes::mark(out, &classes(index, "mark"), index, middle);
        }
    }
}

/// Places for labels of one height that lie as near as they can to where they are wanted, none
/// upon another, all between the two ends if they fit there at all.
pub(super) fn spread(wanted: &[f64], height: f64, from: f64, to: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut places = vec![0.0; wanted.len()];
    let mut free = from;
    for index in &order {
        places[*index] = wanted[*index].max(free);
        free = places[*index] + height;
    }
    let mut end = to;
    for index in order.iter().rev() {
        places[*index] = places[*index].min(end);
        end = places[*index] - height;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_lie_upon_each_other() {
        let places = spread(&[50.0, 50.0, 52.0, 0.0], 10.0, 0.0, 60.0);
        let mut sorted = places.clone();
        sorted.sort_by(f64::total_cmp);
        let gaps = sorted.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.into_iter().all(|gap| gap >= 9.999), "{places:?}");
        assert!(sorted[0] >= 0.0 && sorted[3] <= 60.0, "{places:?}");
        assert!(places[0] < places[2] && places[3] < places[0], "{places:?}");
    }

    #[test]
    fn labels_that_have_room_stay_where_they_are_wanted() {
        assert_eq!(spread(&[40.0, 10.0], 10.0, 0.0, 60.0), [40.0, 10.0]);
    }
}
