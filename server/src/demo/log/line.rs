//! One line of Common or Combined Log Format: `client ident user [time] "request" status size`.

/// Who asked and when, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) client: &'a str,
    pub(crate) second: i64,
}

/// Length of a time stamp: `01/Aug/1995:06:00:00 +0000`.
const STAMP_BYTES: usize = 26;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Reads one line, without its end; none if it is not in the format. Total over any bytes.
pub(crate) fn parse(bytes: &[u8]) -> Option<Line<'_>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (client, rest) = text.split_once(' ')?;
    let (names, rest) = rest.split_once(" [")?;
    let (stamp, rest) = rest.split_once("] ")?;
    // Who the user is may hold spaces; that both names are there is all that is asked.
    let named = !client.is_empty() && names.contains(' ');
    (named && has_request_and_status(rest)).then_some(Line {
        client,
        second: second(stamp.as_bytes())?,
    })
}

/// Whether it starts `"request" 200 123`. Requests hold quotes of their own in real logs, so any
/// closing quote that a status and a size follow will do.
fn has_request_and_status(text: &str) -> bool {
    let Some(request) = text.strip_prefix('"') else {
        return false;
    };
    let mut closings = request.match_indices("\" ");
    closings.any(|(at, quote)| is_status_and_size(&request[at + quote.len()..]))
}

fn is_status_and_size(text: &str) -> bool {
    let mut words = text.split(' ');
    let status = words.next().unwrap_or("");
    let size = words.next().unwrap_or("");
    status.len() == 3 && all_digits(status) && (size == "-" || all_digits(size))
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Seconds since 1970 of `01/Aug/1995:06:00:00 +0000`.
fn second(stamp: &[u8]) -> Option<i64> {
    let stamp: &[u8; STAMP_BYTES] = stamp.try_into().ok()?;
    let separators = [
        (2, b'/'),
        (6, b'/'),
        (11, b':'),
        (14, b':'),
        (17, b':'),
        (20, b' '),
    ];
    if separators.iter().any(|(at, byte)| stamp[*at] != *byte) {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == &stamp[3..6])?;
    let days = days(number(&stamp[7..11])?, month, number(&stamp[..2])?)?;
    let (hour, minute) = (number(&stamp[12..14])?, number(&stamp[15..17])?);
    let second = number(&stamp[18..20])?;
    // 60 is a leap second.
    let valid = hour < 24 && minute < 60 && second <= 60;
    let local = days * 86_400 + hour * 3600 + minute * 60 + second;
    valid.then_some(local - offset(&stamp[21..])?)
}

/// Seconds that `+0130` lies ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (hours, minutes) = (number(&text[1..3])?, number(&text[3..])?);
    let seconds = hours * 3600 + minutes * 60;
    match text[0] {
        _ if hours > 23 || minutes > 59 => None,
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// A number all of whose bytes are digits.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        Some(number * 10 + digit)
    })
}

/// Days from 1970 to a date of the Gregorian calendar; the month counts from 0.
fn days(year: i64, month: usize, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if day < 1 || day > lengths[month] {
        return None;
    }
    let before: i64 = lengths[..month].iter().sum();
    Some(days_before_year(year) - days_before_year(1970) + before + day - 1)
}

/// Days of the Gregorian calendar before a year, from year 1 on.
fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMON: &str =
        r#"host.example - - [01/Aug/1995:06:00:04 +0000] "GET /a.gif HTTP/1.0" 200 1713"#;

    fn second_of(stamp: &str) -> Option<i64> {
        second(stamp.as_bytes())
    }

    #[test]
    fn common_and_combined_lines_parse() {
        let expected = Some(Line {
            client: "host.example",
            second: 807_256_804,
        });
        assert_eq!(parse(COMMON.as_bytes()), expected);
        let combined = format!("{COMMON} \"http://a/\" \"Agent [x] (\\\"y\\\")\"");
        assert_eq!(parse(combined.as_bytes()), expected);
    }

    #[test]
    fn users_with_spaces_requests_with_quotes_and_no_size_parse() {
        for line in [
            r#"::1 - frank smith [01/Aug/1995:06:00:04 +0000] "GET /"a" b" HTTP/1.0" 304 -"#,
            r#"10.0.0.1 - - [01/Aug/1995:06:00:04 +0000] "" 400 0"#,
        ] {
            assert!(parse(line.as_bytes()).is_some(), "{line}");
        }
    }

    #[test]
    fn what_is_not_the_format_does_not_parse() {
        for line in [
            "",
            "host",
            " - - [01/Aug/1995:06:00:04 +0000] \"GET /\" 200 1",
            "host [01/Aug/1995:06:00:04 +0000] \"GET /\" 200 1",
            "host - - [01/Aug/1995:06:00:04 +0000]",
            "host - - [01/Aug/1995:06:00:04 +0000] \"GET / HTTP/1.0",
            "host - - [01/Aug/1995:06:00:04 +0000] \"GET /\" 20 1",
            "host - - [01/Aug/1995:06:00:04 +0000] \"GET /\" 200",
            "host - - [1/Aug/1995:06:00:04 +0000] \"GET /\" 200 1",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
        assert_eq!(
            parse(b"h\xff - - [01/Aug/1995:06:00:04 +0000] \"G\" 200 1"),
            None
        );
    }

    #[test]
    fn stamps_are_read_with_their_offset() {
        assert_eq!(second_of("01/Jan/1970:00:00:00 +0000"), Some(0));
        assert_eq!(second_of("01/Jan/1970:01:30:00 +0130"), Some(0));
        assert_eq!(second_of("31/Dec/1969:20:00:00 -0400"), Some(0));
        assert_eq!(second_of("29/Feb/2000:00:00:00 +0000"), Some(951_782_400));
        assert_eq!(second_of("31/Dec/2016:23:59:60 +0000"), Some(1_483_228_800));
    }

    #[test]
    fn impossible_stamps_are_refused() {
        for stamp in [
            "29/Feb/1900:00:00:00 +0000",
            "00/Jan/1970:00:00:00 +0000",
            "31/Apr/1970:00:00:00 +0000",
            "01/Foo/1970:00:00:00 +0000",
            "01/Jan/1970:24:00:00 +0000",
            "01/Jan/1970:00:60:00 +0000",
            "01/Jan/1970:00:00:61 +0000",
            "01/Jan/1970:00:00:00 +2400",
            "01/Jan/1970:00:00:00 00000",
            "01/Jan/1970:00:00:00+00000",
            "-1/Jan/1970:00:00:00 +0000",
        ] {
            assert_eq!(second_of(stamp), None, "{stamp}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_damaged_line_is_read_without_panic(
            at in 0usize..COMMON.len(),
            byte in any::<u8>(),
            cut in 0usize..COMMON.len(),
        ) {
            let mut bytes = COMMON.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = parse(&bytes);
            prop_assert_eq!(parse(&bytes[..cut.min(COMMON.len() - 6)]), None);
        }

        #[test]
        fn days_follow_each_other(
            year in 0i64..9999,
            month in 0usize..12,
            day in 1i64..28,
        ) {
            let today = days(year, month, day).expect("a date");
            prop_assert_eq!(days(year, month, day + 1), Some(today + 1));
        }
    }
}
