//! The judge: one ideal bucket in whole numbers. It knows nothing of shares, views or amounts.

/// A limit as the judge sees it: `burst` units, and `units` per `period_ns`.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub burst: i128,
    pub units: i128,
    pub period_ns: i128,
    /// ε in thousandths.
    pub overshoot_milli: i128,
}

/// What happened to one key: units admitted at an instant, or taken back (below zero).
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    pub at_ns: u64,
    pub units: i128,
}

/// From when on how many groups of nodes counted apart from each other.
pub type Groups = Vec<(u64, u32)>;

/// The library keeps time in 2⁻²⁰ of a unit, rounded down at each node by its own clock: what
/// that can add up to in a test stays below a thousandth of a unit.
const GRAIN: i128 = 1000;

/// Whether every interval holds the bound; the text says which one does not.
///
/// With κ groups the bound is κ·(1 + ε)·C + ∫ κ·r dt for any interval, and (1 + κ·ε)·C + ∫ κ·r dt
/// for those that start with one group: the tests all do, so that is checked for the whole run.
/// Each founding beyond the first, by nodes that remember nothing, is one more group.
pub fn judge(
    terms: Terms,
    history: &[Admission],
    groups: &Groups,
    foundings: usize,
) -> Result<(), String> {
    let foundings = foundings.max(1) as i128;
    let mut sorted = history.to_vec();
    sorted.sort_by_key(|admission| admission.at_ns);
    let most = i128::from(groups.iter().map(|(_, count)| *count).max().unwrap_or(1));
    let most = most + foundings - 1;
    let whole = |milli: i128| terms.burst * terms.period_ns * milli / 1000;
    let ceiling = most * whole(1000 + terms.overshoot_milli) + terms.period_ns / GRAIN;
    let from_start =
        whole(1000 * foundings + most * terms.overshoot_milli) + terms.period_ns / GRAIN;
    let (mut level, mut last, mut total, mut drained) = (0, 0, 0, 0);
    for Admission { at_ns, units } in sorted {
        let drains = terms.units * grown(groups, last, at_ns);
        last = at_ns;
        level = (level - drains).max(0) + units * terms.period_ns;
        level = level.max(0);
        total += units * terms.period_ns;
        drained += drains;
        let in_units = |scaled: i128| scaled as f64 / terms.period_ns as f64;
        if level > ceiling {
            let (level, ceiling) = (in_units(level), in_units(ceiling));
            return Err(format!(
                "level {level} above {ceiling} at {at_ns} ns, κ {most}"
            ));
        }
        if total - drained > from_start {
            let (total, bound) = (in_units(total), in_units(from_start + drained));
            return Err(format!(
                "{total} admitted above {bound} by {at_ns} ns, κ {most}"
            ));
        }
    }
    Ok(())
}

/// ∫ κ dt between two instants.
fn grown(groups: &Groups, from: u64, to: u64) -> i128 {
    let ends = groups.iter().skip(1).map(|(at, _)| *at).chain([u64::MAX]);
    let piece = |((start, count), end): (&(u64, u32), u64)| {
        let (start, end) = ((*start).max(from), end.min(to));
        i128::from(*count) * i128::from(end.saturating_sub(start))
    };
    groups.iter().zip(ends).map(piece).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        burst: 3,
        units: 1,
        period_ns: 1_000_000_000,
        overshoot_milli: 0,
    };

    fn at(at_ns: u64, units: i128) -> Admission {
        Admission { at_ns, units }
    }

    #[test]
    fn one_unit_above_the_burst_is_seen() {
        let one = vec![(0, 1)];
        assert!(judge(TERMS, &[at(5, 3)], &one, 1).is_ok());
        assert!(judge(TERMS, &[at(5, 3), at(5, 1)], &one, 1).is_err());
        let early = [at(0, 3), at(999_000_000, 1)];
        assert!(
            judge(TERMS, &early, &one, 1).is_ok(),
            "a thousandth is forgiven"
        );
        let early = [at(0, 3), at(990_000_000, 1)];
        assert!(judge(TERMS, &early, &one, 1).is_err());
    }

    #[test]
    fn idle_time_buys_no_more_than_a_burst() {
        let long_after = [at(0, 3), at(60_000_000_000, 3), at(60_000_000_000, 1)];
        assert!(judge(TERMS, &long_after, &vec![(0, 1)], 1).is_err());
    }

    #[test]
    fn two_groups_drain_twice() {
        let history = [at(0, 3), at(1_000_000_000, 2)];
        assert!(judge(TERMS, &history, &vec![(0, 1)], 1).is_err());
        assert!(judge(TERMS, &history, &vec![(0, 2)], 1).is_ok());
    }
}
