//! What time it is: by the clock, or by `PGHERD_NOW`, as for the command.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Now. What is wrong with `PGHERD_NOW` is said where the provider is configured.
pub fn now() -> Timestamp {
    pgherd_targets::given_now().ok().flatten().unwrap_or_else(Timestamp::now)
}

/// The day, UTC.
pub fn today() -> Date {
    now().to_zoned(TimeZone::UTC).date()
}
