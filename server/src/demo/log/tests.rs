//! Reading logs: order, lateness, damage, length, spreading.

use proptest::prelude::*;

use super::*;

const LOG_SPEED: Decimal = Decimal::whole(1);

/// A line by `client` at that second of a minute-long stretch that starts at 06:00.
fn line(client: &str, second: u32) -> String {
    let (minute, second) = (second / 60, second % 60);
    format!(
        "{client} - - [01/Aug/1995:06:{minute:02}:{second:02} +0000] \"GET / HTTP/1.0\" 200 1\n"
    )
}

fn read(text: &str) -> Log {
    Log::read(text.as_bytes()).expect("readable")
}

/// Instants in milliseconds, and clients.
fn shape(schedule: &Schedule) -> Vec<(u64, &str)> {
    let requests = schedule.requests.iter();
    requests
        .map(|request| (request.at_ns / 1_000_000, schedule.client(request)))
        .collect()
}

#[test]
fn each_seconds_requests_are_spread_evenly_over_it() {
    let text = [
        line("a", 0),
        line("b", 2),
        line("c", 2),
        line("a", 2),
        line("a", 2),
    ]
    .concat();
    let schedule = read(&text).schedule(LOG_SPEED).expect("short");
    let expected = [(0, "a"), (2000, "b"), (2250, "c"), (2500, "a"), (2750, "a")];
    assert_eq!(shape(&schedule), expected);
    assert_eq!(schedule.clients[schedule.hottest as usize], "a");
}

#[test]
fn time_shrinks_with_the_speed() {
    let text = [line("a", 0), line("b", 60), line("b", 60)].concat();
    let schedule = read(&text).schedule(Decimal::whole(600)).expect("short");
    assert_eq!(schedule.requests[1].at_ns, 100_000_000);
    assert_eq!(schedule.requests[2].at_ns, 100_833_333);
}

#[test]
fn lines_up_to_a_minute_out_of_order_are_sorted_and_later_ones_counted() {
    let text = [
        line("a", 100),
        line("b", 40),
        line("late", 39),
        line("c", 101),
    ]
    .concat();
    let log = read(&text);
    assert_eq!(log.tally.late_lines, 1);
    let schedule = log.schedule(LOG_SPEED).expect("short");
    assert_eq!(shape(&schedule), [(0, "b"), (60_000, "a"), (61_000, "c")]);
}

#[test]
fn lines_that_do_not_parse_are_counted_and_the_first_few_named() {
    let mut text = String::new();
    for bad in 0..7 {
        text.push_str(&line("a", bad));
        text.push_str("not a line\n");
    }
    let tally = read(&text).tally;
    assert_eq!(tally.unparsed_lines, 7);
    assert_eq!(tally.unparsed_first, [2, 4, 6, 8, 10]);
}

#[test]
fn line_ends_of_either_kind_or_none_at_the_end_do() {
    let text = line("a", 0).replace('\n', "\r\n") + line("b", 1).trim_end();
    let log = read(&text);
    assert_eq!((log.hits.len(), log.tally.unparsed_lines), (2, 0));
}

#[test]
fn a_line_too_long_is_skipped_to_its_end() {
    let long = "x".repeat(3 * LINE_BYTES_MAX);
    let text = format!("{}{long}\n{}", line("a", 0), line("b", 1));
    let log = read(&text);
    assert_eq!((log.hits.len(), log.tally.unparsed_first), (2, vec![2]));
}

#[test]
fn a_line_of_exactly_the_longest_length_is_read() {
    let plain = line("a", 0);
    let padding = " ".repeat(LINE_BYTES_MAX - (plain.len() - 1));
    let padded = format!("{}{padding}\n", plain.trim_end());
    let too_long = format!("{}{padding} \n", plain.trim_end());
    assert_eq!(read(&(padded + &too_long)).tally.unparsed_first, [2]);
}

#[test]
fn a_log_without_a_request_and_a_run_without_an_end_are_refused() {
    assert!(Log::read(&b"nothing\n"[..]).is_err());
    assert!(Log::read(&b""[..]).is_err());
    let years = [line("a", 0), line("b", 0).replace("1995", "9999")].concat();
    assert!(read(&years).schedule(LOG_SPEED).is_err());
    assert!(Log::open(Path::new("no/such/file")).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Log::read(&bytes[..]);
    }

    #[test]
    fn every_line_is_a_request_or_counted(
        seconds in prop::collection::vec(0u32..600, 1..60),
        speed in 1u64..1000,
    ) {
        let text: String = seconds.iter().map(|second| line("a", *second)).collect();
        let log = read(&text);
        let schedule = log.schedule(Decimal::whole(speed)).expect("short");
        let kept = schedule.requests.len() as u64;
        prop_assert_eq!(kept + log.tally.late_lines, seconds.len() as u64);
        prop_assert!(schedule.requests.is_sorted_by_key(|request| request.at_ns));
    }
}
