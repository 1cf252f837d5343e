//! Times, durations, sizes and counts as a person reads them.

use std::time::{SystemTime, UNIX_EPOCH};

/// `text` without line breaks and other control characters, which could move the cursor of a terminal.
pub fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// `text` in at most `width` characters; what is cut is replaced by `...`.
pub fn ellipsis(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    format!("{kept}{}", ".".repeat(width.min(3)))
}

/// Milliseconds since the Unix epoch as `2026-03-21 17:04:05` in UTC.
pub fn utc(ms: i64) -> String {
    let (days, ms_of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let seconds = ms_of_day / 1000;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years that begin in March put the leap day at the end, so that every month has a fixed place.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// A duration with its two largest units, e.g. `2m 55s`.
pub fn duration(ms: i64) -> String {
    let seconds = ms / 1000;
    match seconds {
        _ if ms < 0 => format!("-{}", duration(ms.saturating_neg())),
        0..=9 => format!("{}.{:03}s", seconds, ms % 1000),
        10..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..=86_399 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A count with commas, e.g. `3,468,981`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `2 runs`.
pub fn plural(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A size in bytes with three digits, e.g. `1.13 MB` (powers of 1000).
pub fn bytes(n: u64) -> String {
    let mut size = n as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if size < 999.5 {
            return scaled(size, unit);
        }
        size /= 1000.0;
    }
    scaled(size, "TB")
}

/// A rate, e.g. `2.31 M/s`.
pub fn rate(n: u64, seconds: f64) -> String {
    let rate = if seconds > 0.0 { n as f64 / seconds } else { 0.0 };
    match rate {
        r if r >= 1e6 => format!("{} M", scaled(r / 1e6, "").trim_end()),
        r if r >= 1e3 => format!("{} k", scaled(r / 1e3, "").trim_end()),
        r => scaled(r, "").trim_end().to_owned(),
    }
}

fn scaled(size: f64, unit: &str) -> String {
    match size {
        _ if unit == "B" || size >= 99.95 => format!("{size:.0} {unit}"),
        _ if size >= 9.995 => format!("{size:.1} {unit}"),
        _ => format!("{size:.2} {unit}"),
    }
}

/// Now, in milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_in_the_gregorian_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(-1), "1969-12-31 23:59:59");
        assert_eq!(utc(951_782_399_000), "2000-02-28 23:59:59");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(utc(1_795_428_698_357), "2026-11-23 10:11:38");
        // The ends of i64 must not overflow.
        assert!(utc(i64::MAX).starts_with("292278994-08-17"));
        assert!(utc(i64::MIN).starts_with("-292275055-05-16"));
    }

    #[test]
    fn durations_sizes_counts() {
        assert_eq!(duration(1234), "1.234s");
        assert_eq!(duration(175_000), "2m 55s");
        assert_eq!(duration(i64::MIN).chars().next(), Some('-'));
        assert_eq!((bytes(999), bytes(1000), bytes(1_131_272)), ("999 B".into(), "1.00 kB".into(), "1.13 MB".into()));
        assert_eq!((count(0), count(1000), count(3_468_981)), ("0".into(), "1,000".into(), "3,468,981".into()));
        assert_eq!(rate(5_000_000, 2.0), "2.50 M");
        assert_eq!((ellipsis("abcdef", 6), ellipsis("abcdefg", 6)), ("abcdef".into(), "abc...".into()));
        assert_eq!(one_line("a\nb\u{1b}"), "a\\nb\\u{1b}");
    }
}
