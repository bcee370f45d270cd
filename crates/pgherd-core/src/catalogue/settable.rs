//! Which server parameters DigitalOcean sets: the one cloud whose API has a closed list that could be read.

use std::sync::LazyLock;

use serde::Deserialize;

static DIGITALOCEAN: LazyLock<Vec<Settable>> =
    LazyLock::new(|| super::rows(include_str!("digitalocean_parameters.csv")));

/// As of when the list holds.
pub const AS_OF: &str = "2026-08";

/// A server parameter that DigitalOcean sets, and what it takes for it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Settable {
    /// Its name, in the server's own case.
    pub name: String,
    /// Smallest value, in the parameter's unit.
    pub min: Option<f64>,
    /// Largest value, in the parameter's unit.
    pub max: Option<f64>,
    /// The only values, separated by `|`; empty: any in range.
    values: String,
}

impl Settable {
    /// The only values it takes; none: any in range.
    pub fn values(&self) -> Vec<&str> {
        self.values.split('|').filter(|value| !value.is_empty()).collect()
    }
}

/// What DigitalOcean takes for a parameter; `None`: it does not set that one.
pub fn on_digitalocean(name: &str) -> Option<&'static Settable> {
    DIGITALOCEAN.iter().find(|settable| settable.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::parameters;

    #[test]
    fn every_row_is_a_parameter_and_within_what_the_server_takes() {
        assert_eq!(DIGITALOCEAN.len(), 46);
        for row in DIGITALOCEAN.iter() {
            let known = parameters::newest(&row.name).unwrap_or_else(|| panic!("{} is no parameter", row.name));
            assert_eq!(row.name, known.name);
            let below = row.min.zip(known.min).is_some_and(|(here, there)| here < there);
            let above = row.max.zip(known.max).is_some_and(|(here, there)| here > there);
            // The API's own description: autovacuum_naptime may be 0 there, and PostgreSQL begins with 1 s.
            assert!((!below || row.name == "autovacuum_naptime") && !above, "{row:?} {known:?}");
            for value in row.values() {
                assert!(parameters::parse(known, value).is_ok(), "{} = {value}", row.name);
            }
        }
    }

    #[test]
    fn figures_are_in_the_unit_of_the_parameter() {
        let range = |name| on_digitalocean(name).map(|row| (row.min, row.max));
        assert_eq!(range("WORK_MEM"), Some((Some(1024.0), Some(1_048_576.0))), "1 to 1024 MB, in kB");
        assert_eq!(range("max_stack_depth"), Some((Some(2048.0), Some(6144.0))), "in kB");
        assert_eq!(range("log_statement"), None);
    }
}
