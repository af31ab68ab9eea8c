//! Numbers as a person reads them.

use std::fmt;

use chrono::{DateTime, Utc};

/// `1 page`, `2 pages`.
///
/// ```
/// use saseo::domain::figures::count;
///
/// assert_eq!(count(0_usize, "page"), "0 pages");
/// assert_eq!(count(1_u64, "page"), "1 page");
/// ```
pub fn count<N: fmt::Display + PartialEq + From<u8> + Copy>(number: N, what: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {what}{ending}")
}

/// A size in the largest unit that leaves it whole at least once: `3 bytes`, `64 KiB`, `10 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, unit) = match self.0 {
            bytes if bytes >= 1 << 20 => (bytes >> 20, "MiB"),
            bytes if bytes >= 1 << 10 => (bytes >> 10, "KiB"),
            bytes => return f.write_str(&count(bytes, "byte")),
        };
        write!(f, "{size} {unit}")
    }
}

/// A moment, to the second.
pub fn moment(at: DateTime<Utc>) -> impl fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}

/// A span of time, in milliseconds: `58 ms`, `2.1 s`, `3 min 5 s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapse(pub u64);

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000;
        match self.0 {
            millis if millis < 1_000 => write!(f, "{millis} ms"),
            millis if millis < 60_000 => write!(f, "{seconds}.{} s", millis % 1_000 / 100),
            _ => write!(f, "{} min {} s", seconds / 60, seconds % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_in_the_unit_that_fits() {
        let told =
            [1, 1023, 1024, 64 << 10, (1 << 20) - 1, 10 << 20].map(|b| Bytes(b).to_string());
        let expected = [
            "1 byte",
            "1023 bytes",
            "1 KiB",
            "64 KiB",
            "1023 KiB",
            "10 MiB",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_span_of_time_is_told_in_the_unit_that_fits() {
        let told =
            [0, 999, 1_000, 2_167, 59_999, 60_000, 185_400].map(|n| Lapse(n).to_string());
        let expected = [
            "0 ms",
            "999 ms",
            "1.0 s",
            "2.1 s",
            "59.9 s",
            "1 min 0 s",
            "3 min 5 s",
        ];
        assert_eq!(told, expected);
    }
}
