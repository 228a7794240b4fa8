//! An access log at its own speed or faster: a key for each client host, in order of first sight.
//!
//! Stamps are whole seconds: the k-th of n requests of one second comes at k/n of it. Places are
//! drawn like those of any other workload.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::scenario::Scenario;

use super::{ARRIVALS_MAX, Asked};

const SECOND_NS: u64 = 1_000_000_000;

/// How far behind the latest line a line may lie and still be sorted in; those beyond are left out.
const DISORDER_S_MAX: i64 = 60;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Who asked in which second, counted from the first line's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hit {
    second: u64,
    key: u32,
}

/// How many seconds of a log there are, from its first request to its last, both included.
///
/// # Errors
/// A log that cannot be read.
pub fn span_s(path: &str) -> Result<u64> {
    let hits = open(path)?;
    Ok(hits.last().map_or(0, |hit| hit.second + 1))
}

/// The requests of a log at so many times its speed, up to the run's end or so many of its seconds.
pub(super) fn asked(
    scenario: &Scenario,
    path: &str,
    seconds: Option<u64>,
    speed: u64,
) -> Result<Vec<Asked>> {
    ensure!(speed > 0, "a log's speed is at least 1");
    let end_s = seconds.unwrap_or(u64::MAX);
    let end_ns = scenario.duration_ms.saturating_mul(1_000_000);
    let from_ns = scenario.workload.from_ms * 1_000_000;
    let hits = open(path)?;
    let mut asked = Vec::new();
    for second in hits.chunk_by(|a, b| a.second == b.second) {
        for (k, hit) in (0..).zip(second) {
            let within_ns = SECOND_NS * k / second.len() as u64;
            let at_ns = from_ns + (hit.second * SECOND_NS + within_ns) / speed;
            if hit.second < end_s && at_ns < end_ns {
                asked.push(Asked {
                    at_ns,
                    hot_ns: at_ns,
                    key: hit.key,
                    place: None,
                });
            }
        }
    }
    Ok(asked)
}

/// Reads a log by its path, or by the name of the environment variable that holds it.
fn open(path: &str) -> Result<Vec<Hit>> {
    let path = std::env::var_os(path).map_or_else(|| PathBuf::from(path), PathBuf::from);
    let shown = path.display();
    let file =
        std::fs::File::open(&path).with_context(|| format!("cannot open the log {shown}"))?;
    read(BufReader::new(file)).with_context(|| format!("cannot use the log {shown}"))
}

fn read(mut input: impl BufRead) -> Result<Vec<Hit>> {
    let mut seen: Vec<(i64, u32)> = Vec::new();
    let mut keys: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    let mut latest = i64::MIN;
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if let Some((client, second)) = parse(&line)
            && second >= latest.saturating_sub(DISORDER_S_MAX)
        {
            latest = latest.max(second);
            let next = u32::try_from(keys.len()).expect("no more keys than requests");
            let key = *keys.entry(client.to_vec()).or_insert(next);
            seen.push((second, key));
            ensure!((seen.len() as u64) <= ARRIVALS_MAX, "it is too long");
        }
        line.clear();
    }
    // Stable: within a second, the order of the lines.
    seen.sort_by_key(|(second, _)| *second);
    let first = seen
        .first()
        .context("it has no line in Common Log Format")?
        .0;
    let hits = seen.iter().map(|(second, key)| Hit {
        second: second.abs_diff(first),
        key: *key,
    });
    Ok(hits.collect())
}

/// The client and second of `client ident user [01/Aug/1995:06:00:00 +0000] "request" …`.
fn parse(line: &[u8]) -> Option<(&[u8], i64)> {
    let client_end = line.iter().position(|byte| *byte == b' ')?;
    let stamp_start = line.iter().position(|byte| *byte == b'[')? + 1;
    let stamp = line.get(stamp_start..stamp_start + 26)?;
    let second = second(std::str::from_utf8(stamp).ok()?)?;
    (client_end > 0 && client_end < stamp_start).then_some((&line[..client_end], second))
}

/// Seconds, from any fixed instant, of `01/Aug/1995:06:00:00 +0000`.
fn second(stamp: &str) -> Option<i64> {
    let number = |from: usize, to: usize| stamp.get(from..to)?.parse::<u32>().ok().map(i64::from);
    let month = MONTHS
        .iter()
        .position(|name| stamp.get(3..6) == Some(*name))?;
    let days = days(number(7, 11)?, month as i64 + 1, number(0, 2)?);
    let of_day = number(12, 14)? * 3600 + number(15, 17)? * 60 + number(18, 20)?;
    let offset_s = number(22, 24)? * 3600 + number(24, 26)? * 60;
    let local = days * 86_400 + of_day;
    match stamp.get(21..22)? {
        "+" => Some(local - offset_s),
        "-" => Some(local + offset_s),
        _ => None,
    }
}

/// Days of the Gregorian calendar, counted in years that start in March so that leap days end them.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(client: &str, stamp: &str) -> String {
        format!("{client} - - [{stamp}] \"GET / HTTP/1.0\" 200 1\n")
    }

    #[test]
    fn hosts_become_keys_and_stamps_seconds_from_the_first() {
        let log = [
            line("b", "31/Jul/1995:23:59:59 +0000"),
            "not a line\n".to_owned(),
            line("a", "01/Aug/1995:00:00:01 +0000"),
            line("b", "01/Aug/1995:01:30:00 +0130"),
        ]
        .concat();
        let hits = read(log.as_bytes()).expect("a log");
        let found: Vec<(u64, u32)> = hits.iter().map(|hit| (hit.second, hit.key)).collect();
        assert_eq!(found, [(0, 0), (1, 0), (2, 1)]);
        assert!(read(&b"nothing\n"[..]).is_err());
    }

    #[test]
    fn days_follow_each_other_over_months_and_leap_years() {
        let day = |stamp| second(stamp).expect("a stamp") / 86_400;
        let pairs = [
            ("28/Feb/1996:00:00:00 +0000", "29/Feb/1996:00:00:00 +0000"),
            ("29/Feb/2000:00:00:00 +0000", "01/Mar/2000:00:00:00 +0000"),
            ("28/Feb/1900:00:00:00 +0000", "01/Mar/1900:00:00:00 +0000"),
            ("31/Dec/1999:00:00:00 +0000", "01/Jan/2000:00:00:00 +0000"),
            ("31/Aug/1995:00:00:00 +0000", "01/Sep/1995:00:00:00 +0000"),
        ];
        for (before, after) in pairs {
            assert_eq!(day(before) + 1, day(after), "{before}");
        }
    }

    #[test]
    fn lines_cut_anywhere_are_read_without_panic() {
        let whole = line("host", "01/Aug/1995:06:00:00 +0000");
        for end in 0..whole.len() {
            let cut = parse(&whole.as_bytes()[..end]);
            assert!(cut.is_none_or(|(client, _)| client == b"host"));
        }
        assert_eq!(second("01/Aug/1995:06:00:00 \u{e9}000"), None);
    }
}
