//! The lowest seed at which something is found, looked for on a few threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

/// The lowest of so many seeds from `first` on at which `look` finds something, and what: the same on
/// any number of threads. Seeds above it may have been looked at, too.
///
/// # Errors
/// What `look` says of a seed that no find lies below.
pub fn first_of<T: Send>(
    (first, runs): (u64, u64),
    threads: usize,
    look: impl Fn(u64) -> Result<Option<T>> + Sync,
) -> Result<Option<(u64, T)>> {
    let next = AtomicU64::new(0);
    // Seeds are claimed in order: whoever stops after a find leaves none below it unlooked at.
    let found: Mutex<Option<(u64, Result<T>)>> = Mutex::new(None);
    let lowest = || found.lock().expect("nobody panics with it");
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while lowest().is_none() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs {
                        return;
                    }
                    let seen = look(first.wrapping_add(number)).transpose();
                    let Some(seen) = seen else { continue };
                    let mut lowest = lowest();
                    if lowest.as_ref().is_none_or(|(other, _)| number < *other) {
                        *lowest = Some((number, seen));
                    }
                }
            });
        }
    });
    let found = found.into_inner().expect("nobody panics with it");
    let named = |(number, seen): (u64, Result<T>)| Ok((first.wrapping_add(number), seen?));
    found.map(named).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_find_is_told_on_any_number_of_threads() {
        for threads in 1..5 {
            let look = |seed: u64| Ok((seed % 7 == 3).then_some(seed * 2));
            assert_eq!(
                first_of((4, 100), threads, look).expect("no error"),
                Some((10, 20))
            );
            assert_eq!(first_of((4, 6), threads, look).expect("no error"), None);
        }
    }

    #[test]
    fn an_error_counts_unless_something_was_found_below_it() {
        let look = |seed: u64| match seed {
            5 => Ok(Some(())),
            8 => Err(anyhow::anyhow!("eight")),
            _ => Ok(None),
        };
        assert!(first_of((6, 10), 2, look).is_err());
        let found = first_of((0, 10), 2, look).expect("the find comes first");
        assert_eq!(found, Some((5, ())));
    }
}
