//! Where charges lie whose receipts do not say it: those made for other nodes.

use super::receipts::WINDOW;
use crate::limit::{Place, Spot};

/// The places of the last charges, each where its number says: to keep one takes no look at another, which
/// would have to come from memory.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Kept>);

#[derive(Clone, Copy, Debug)]
struct Kept {
    /// The charge; none has the number zero.
    number: u64,
    spot: Spot,
}

impl Places {
    /// Keeps the place of a charge.
    pub(super) fn keep(&mut self, number: u64, spot: Spot) {
        let at = (number % WINDOW) as usize;
        if at >= self.0.len() {
            // Until there is one for each of the last charges, twice as many each time.
            let nobodys = Kept {
                number: 0,
                spot: Spot::UNKNOWN,
            };
            self.0.resize((at + 1).next_power_of_two(), nobodys);
        }
        self.0[at] = Kept { number, spot };
    }

    /// The place that was kept of a charge.
    pub(super) fn of(&self, number: u64) -> Option<Place> {
        let kept = self.0.get((number % WINDOW) as usize)?;
        (kept.number == number).then(|| kept.spot.place()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::UnitsTime;
    use crate::units::Amount;

    #[test]
    fn the_last_places_are_kept_as_they_were() {
        let mut places = Places::default();
        let place = |number: u64| match number % 3 {
            0 => Place::Drains(UnitsTime(number << 40)),
            1 => Place::Filled(Amount::from_units(number)),
            _ => Place::Filled(Amount::from_grains(u128::from(number) << 90 | 5)),
        };
        assert_eq!(places.of(0), None);
        // Not all charges have a place here.
        let kept = |number: &u64| !number.is_multiple_of(5);
        (1..3 * WINDOW)
            .filter(kept)
            .for_each(|number| places.keep(number, Spot::of(place(number))));
        for number in 0..4 * WINDOW {
            let here = (2 * WINDOW..3 * WINDOW).contains(&number) && kept(&number);
            if here || number >= 3 * WINDOW {
                assert_eq!(places.of(number), here.then(|| place(number)), "{number}");
            }
        }
    }

    #[test]
    fn few_charges_take_little_room() {
        let mut places = Places::default();
        (1..=100)
            .for_each(|number| places.keep(number, Spot::of(Place::Drains(UnitsTime(number)))));
        assert_eq!(places.0.len(), 128);
        (101..5 * WINDOW)
            .for_each(|number| places.keep(number, Spot::of(Place::Drains(UnitsTime(number)))));
        assert_eq!(places.0.len() as u64, WINDOW);
    }
}
