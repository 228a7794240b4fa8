//! Several requests at once.

use super::{Key, Limiter};
use crate::limit::Decision;
use crate::table::Ask;

/// For how many requests memory is asked for ahead: about as many misses as a core can wait for at once.
const AHEAD: usize = 16;

impl Limiter {
    /// Decides on several requests, one after the other as [`Limiter::check_n`] would, at one instant: a
    /// key that comes twice is charged twice, and one that is refused does not hold up the next. The
    /// decisions are in the order of the requests.
    ///
    /// Where there are millions of keys a check mostly waits for memory; here the waits of sixteen overlap, and the
    /// clock is read once. Nothing is gained with few keys, or with one request.
    ///
    /// ```
    /// use distributary::{Limit, Limiter};
    ///
    /// let limiter = Limiter::local(Limit::per_second(100).burst(3));
    /// let decisions = limiter.check_many(&[("ann", 2), ("bob", 1), ("ann", 2)]);
    /// let allowed: Vec<bool> = decisions.iter().map(|decision| decision.is_allowed()).collect();
    /// assert_eq!(allowed, [true, true, false]);
    /// ```
    #[must_use = "decisions that nobody reads limit nothing"]
    pub fn check_many<K: Key>(&self, requests: &[(K, u64)]) -> Vec<Decision> {
        let now = self.core.clock.now();
        let mut decisions = Vec::with_capacity(requests.len());
        for some in requests.chunks(AHEAD) {
            let ask = |(key, cost): &(K, u64)| (!key.is_empty()).then(|| self.ask(key, *cost));
            let asks: Vec<Option<Ask>> = some.iter().map(ask).collect();
            let known = asks.iter().flatten();
            known.for_each(|ask| self.core.table.prefetch(ask.key));
            decisions.extend(asks.into_iter().map(|ask| match ask {
                Some(ask) => self.decide(ask, now),
                None => self.nobody(),
            }));
        }
        decisions
    }

    /// Asks for the memory that a check of `key` will look at, and does not wait for it: for callers who know
    /// the key some hundred nanoseconds before they check it. It costs a hash and a short lock, changes and counts
    /// nothing, and is of use only where there are so many keys that they are not in the cache.
    ///
    /// ```
    /// # use distributary::{Limit, Limiter};
    /// # let limiter = Limiter::local(Limit::per_second(100));
    /// limiter.prefetch("ann");
    /// // ... the rest of the request is read ...
    /// assert!(limiter.check("ann").is_allowed());
    /// ```
    pub fn prefetch(&self, key: impl Key) {
        self.core.table.prefetch(self.id(&key));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::limit::{Limit, Verdict};
    use crate::limiter::{Limiter, ManualClock};

    fn limiter() -> Limiter {
        Limiter::local_with_clock(Limit::per_second(1).burst(3), Arc::new(ManualClock::new()))
    }

    #[test]
    fn many_are_decided_as_one_after_the_other_would_be() {
        let (many, single) = (limiter(), limiter());
        let name = |number: usize| format!("key {}", number % 23);
        let requests: Vec<(String, u64)> = (0..100)
            .map(|number| {
                (
                    if number % 17 == 3 {
                        String::new()
                    } else {
                        name(number)
                    },
                    number as u64 % 5,
                )
            })
            .collect();
        let told: Vec<(Verdict, u64)> = many
            .check_many(&requests)
            .iter()
            .map(|decision| (decision.verdict(), decision.remaining()))
            .collect();
        let expected: Vec<(Verdict, u64)> = requests
            .iter()
            .map(|(key, cost)| single.check_n(key, *cost))
            .map(|decision| (decision.verdict(), decision.remaining()))
            .collect();
        assert_eq!(told, expected);
        assert_eq!(many.counters(), single.counters());
        assert!(many.check_many::<&str>(&[]).is_empty());
    }

    #[test]
    fn what_is_asked_for_ahead_changes_nothing() {
        let limiter = limiter();
        limiter.prefetch("ann");
        assert_eq!(limiter.counters().keys, 0);
        assert!(limiter.check("ann").is_allowed());
        let before = limiter.counters();
        limiter.prefetch("ann");
        assert_eq!(limiter.counters(), before);
    }
}
