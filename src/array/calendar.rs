//! datetime64 and timedelta64 as Python's `datetime` sees them.
//!
//! NumPy's `tolist` gives a `date` for units of days and coarser, a `datetime` from hours to microseconds, and a plain int for finer or generic units and for
//! what Python's classes cannot hold. `None` here means that int.

use super::time_unit::TimeUnit;

/// A point in time of the proleptic Gregorian calendar, years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are Python's")]
pub enum Civil {
    /// Python's `datetime.date`.
    Date { year: u16, month: u8, day: u8 },
    /// Python's `datetime.datetime`.
    DateTime { year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8, microsecond: u32 },
}

/// A length of time, normalized as Python's `datetime.timedelta` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Duration {
    /// Whole days, rounded down; at most 999,999,999 either way.
    pub days: i32,
    /// The rest in seconds, below one day.
    pub seconds: u32,
    /// The rest in microseconds, below one second.
    pub microseconds: u32,
}

const ATTOSECONDS: u128 = 1_000_000_000_000_000_000;
const MICROSECOND: u128 = ATTOSECONDS / 1_000_000;
/// In microseconds.
const DAY: i128 = 86_400_000_000;

/// A number of ticks, made comparable with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Generic(i128),
    /// Units whose length varies: years and months.
    Months(i128),
    /// So many times so many attoseconds.
    Exact(i128, u128),
}

impl Span {
    fn new(ticks: i64, unit: TimeUnit) -> Span {
        let amount = i128::from(ticks) * i128::from(unit.count);
        let length = match unit.name {
            "Y" => return Span::Months(amount * 12),
            "M" => return Span::Months(amount),
            "W" => 604_800 * ATTOSECONDS,
            "D" => 86_400 * ATTOSECONDS,
            "h" => 3_600 * ATTOSECONDS,
            "m" => 60 * ATTOSECONDS,
            "s" => ATTOSECONDS,
            "ms" => ATTOSECONDS / 1_000,
            "us" => MICROSECOND,
            "ns" => 1_000_000_000,
            "ps" => 1_000_000,
            "fs" => 1_000,
            "as" => 1,
            _ => return Span::Generic(amount),
        };
        Span::Exact(amount, length)
    }

    /// Microseconds, where the unit is one of those Python's classes have a resolution for.
    fn microseconds(self) -> Option<i128> {
        match self {
            Span::Exact(amount, length) if length >= MICROSECOND => amount.checked_mul((length / MICROSECOND) as i128),
            _ => None,
        }
    }

    /// Counted from 1970, months are a number of days.
    fn since_1970(self) -> Span {
        match self {
            Span::Months(months) => Span::Exact(days_to_month(months), 86_400 * ATTOSECONDS),
            other => other,
        }
    }

    fn is_same(self, other: Span) -> bool {
        match (self, other) {
            (Span::Exact(a, x), Span::Exact(b, y)) => {
                // a x = b y, with x and y made coprime so that nothing overflows: then y divides a, and x times as much is b.
                let common = gcd(x, y) as i128;
                let (x, y) = (x as i128 / common, y as i128 / common);
                a % y == 0 && (a / y).checked_mul(x) == Some(b)
            }
            (a, b) => a == b,
        }
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Civil {
    /// The date or time of a datetime64, or `None` where NumPy's `tolist` gives an int.
    pub fn new(ticks: i64, unit: TimeUnit) -> Option<Civil> {
        let span = Span::new(ticks, unit);
        let whole_days = matches!(unit.name, "Y" | "M" | "W" | "D");
        let microseconds = span.since_1970().microseconds()?;
        let (year, month, day) = date(microseconds.div_euclid(DAY))?;
        if whole_days {
            return Some(Civil::Date { year, month, day });
        }
        let of_day = microseconds.rem_euclid(DAY);
        let (seconds, microsecond) = (of_day / 1_000_000, (of_day % 1_000_000) as u32);
        let (hour, minute, second) = ((seconds / 3600) as u8, (seconds / 60 % 60) as u8, (seconds % 60) as u8);
        Some(Civil::DateTime { year, month, day, hour, minute, second, microsecond })
    }
}

impl Duration {
    /// The length of a timedelta64, or `None` where NumPy's `tolist` gives an int: for years, months, units below microseconds, and generic ones.
    pub fn new(ticks: i64, unit: TimeUnit) -> Option<Duration> {
        let microseconds = Span::new(ticks, unit).microseconds()?;
        let days = i32::try_from(microseconds.div_euclid(DAY)).ok().filter(|days| (-999_999_999..=999_999_999).contains(days))?;
        let rest = microseconds.rem_euclid(DAY);
        Some(Duration { days, seconds: (rest / 1_000_000) as u32, microseconds: (rest % 1_000_000) as u32 })
    }
}

/// Whether two datetime64 name the same moment.
pub(super) fn same_moment(a: (i64, TimeUnit), b: (i64, TimeUnit)) -> bool {
    Span::new(a.0, a.1).since_1970().is_same(Span::new(b.0, b.1).since_1970())
}

/// Whether two timedelta64 are equally long. Months and days do not compare.
pub(super) fn same_length(a: (i64, TimeUnit), b: (i64, TimeUnit)) -> bool {
    Span::new(a.0, a.1).is_same(Span::new(b.0, b.1))
}

// Both directions count in years that begin in March, so that the leap day is the last of its year, and in eras of 400 years, which all have 146,097 days.

/// Days from 1970 to the first of a month, counted from January 1970.
fn days_to_month(months: i128) -> i128 {
    let from_march = months - 2;
    let (year, month) = (1970 + from_march.div_euclid(12), from_march.rem_euclid(12));
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = (153 * month + 2) / 5;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day - 719_468
}

/// Year, month and day of a number of days since 1970, for the years 1 to 9999.
fn date(days: i128) -> Option<(u16, u8, u8)> {
    let days = i32::try_from(days).ok().filter(|days| (-719_162..=2_932_896).contains(days))? + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    Some(((era * 400 + year + carry) as u16, month as u8, day as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, count: u32) -> TimeUnit {
        TimeUnit::new(name, count).unwrap()
    }

    #[test]
    fn every_day_of_the_calendar_is_one_after_the_day_before() {
        let (mut year, mut month, mut day) = (1, 1, 1);
        for days in -719_162..=2_932_896i64 {
            assert_eq!(Civil::new(days, unit("D", 1)), Some(Civil::Date { year, month, day }));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u8::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (month, day) if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        assert_eq!(year, 10_000);
        assert_eq!(Civil::new(-719_163, unit("D", 1)), None);
        assert_eq!(Civil::new(2_932_897, unit("D", 1)), None);
    }

    #[test]
    fn units_decide_between_date_datetime_and_int() {
        let date = |year, month, day| Some(Civil::Date { year, month, day });
        assert_eq!(Civil::new(-1, unit("Y", 1)), date(1969, 1, 1));
        assert_eq!(Civil::new(25, unit("M", 1)), date(1972, 2, 1));
        assert_eq!(Civil::new(1, unit("W", 2)), date(1970, 1, 15));
        let last = Civil::DateTime { year: 1969, month: 12, day: 31, hour: 23, minute: 59, second: 59, microsecond: 999_999 };
        assert_eq!(Civil::new(-1, unit("us", 1)), Some(last));
        assert_eq!(Civil::new(0, unit("ns", 1)), None);
        assert_eq!(Civil::new(0, TimeUnit::GENERIC), None);
        assert_eq!(Civil::new(i64::MAX, unit("W", i32::MAX as u32)), None);
    }

    #[test]
    fn durations_are_normalized_as_python_does() {
        assert_eq!(Duration::new(-1, unit("us", 1)), Some(Duration { days: -1, seconds: 86_399, microseconds: 999_999 }));
        assert_eq!(Duration::new(3, unit("W", 1)), Some(Duration { days: 21, seconds: 0, microseconds: 0 }));
        assert_eq!(Duration::new(1_000_000_000, unit("D", 1)), None);
        assert_eq!(Duration::new(1, unit("M", 1)), None);
        assert_eq!(Duration::new(1, unit("ns", 1)), None);
    }

    #[test]
    fn moments_compare_across_units_without_overflow() {
        assert!(same_moment((2, unit("Y", 1)), (730, unit("D", 1))));
        assert!(same_moment((-1, unit("M", 1)), (-31, unit("D", 1))));
        assert!(same_moment((1, unit("D", 1)), (24, unit("h", 1))));
        assert!(same_moment((24, unit("M", 1)), (2, unit("Y", 1))));
        assert!(!same_moment((i64::MAX, unit("W", i32::MAX as u32)), (i64::MAX, unit("as", 1))));
        assert!(same_length((1, unit("s", 1)), (1_000_000_000_000_000_000, unit("as", 1))));
        assert!(!same_length((1, unit("M", 1)), (31, unit("D", 1))));
        assert!(!same_length((1, TimeUnit::GENERIC), (1, unit("s", 1))));
    }
}
