//! PostgreSQL majors: until when the community and the clouds look after them, and which the clouds still create.

use std::sync::LazyLock;

use jiff::civil::{Date, date};
use serde::Deserialize;

use crate::cloud::Cloud;

static MAJORS: LazyLock<Vec<Major>> = LazyLock::new(|| super::rows(include_str!("versions.csv")));

/// As of when the catalogue of versions holds.
pub const AS_OF: &str = "2026-11";
/// The day it was compiled for.
const AS_OF_DAY: Date = date(2026, 11, 21);

/// One PostgreSQL major and its life.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Major {
    /// The major, such as `16`.
    pub major: u32,
    /// Last day of community support.
    pub community_eol: Date,
    /// Newest minor the catalogue knows; newer ones may exist.
    pub newest_minor: u32,
    /// Last day of RDS standard support; extended support costs extra.
    pub rds_standard_until: Date,
    /// Last day of RDS extended support.
    pub rds_extended_until: Date,
    /// Oldest minor that RDS still creates, where known.
    pub rds_oldest_minor: Option<u32>,
    /// First day for which Cloud SQL bills extended support, where announced.
    pub gcp_extended_from: Option<Date>,
    /// Last day of Azure's standard support.
    pub azure_standard_until: Date,
    /// Whether Azure creates servers of it.
    #[serde(deserialize_with = "yes")]
    pub azure_creates: bool,
    /// Last day DigitalOcean creates clusters of it; `None`: it never did.
    pub do_creates_until: Option<Date>,
}

impl Major {
    /// Whether `cloud` creates a server of this major on that day.
    ///
    /// RDS does past standard support only for paid extended support, which pgherd does not buy. `local` runs what is
    /// installed or can be downloaded: 14 and newer.
    pub fn offered_by(&self, cloud: Cloud, today: Date) -> bool {
        match cloud {
            Cloud::Aws => today <= self.rds_standard_until,
            Cloud::Gcp => true,
            Cloud::Azure => self.azure_creates,
            Cloud::DigitalOcean => self.do_creates_until.is_some_and(|last| today <= last),
            Cloud::Local => self.major >= 14,
        }
    }

    /// Last day `cloud` looks after it without a surcharge (the community's date where the cloud has none of its own).
    pub fn supported_until(&self, cloud: Cloud) -> Date {
        match cloud {
            Cloud::Aws => self.rds_standard_until,
            Cloud::Gcp => self.gcp_extended_from.and_then(|day| day.yesterday().ok()).unwrap_or(self.community_eol),
            Cloud::Azure => self.azure_standard_until,
            Cloud::DigitalOcean | Cloud::Local => self.community_eol,
        }
    }
}

/// Every major known, oldest first.
pub fn all() -> &'static [Major] {
    &MAJORS
}

/// What is known of a major.
pub fn find(major: u32) -> Option<&'static Major> {
    MAJORS.iter().find(|known| known.major == major)
}

/// The newest major that `cloud` creates, as the catalogue has it (Q1).
///
/// As of the catalogue's own day rather than today's, so that a block means the same tomorrow.
pub fn newest(cloud: Cloud) -> u32 {
    offered(cloud, AS_OF_DAY).last().expect("every cloud creates some major; a test holds it")
}

/// Every major that `cloud` creates on that day, oldest first.
pub fn offered(cloud: Cloud, today: Date) -> impl DoubleEndedIterator<Item = u32> {
    MAJORS.iter().filter(move |known| known.offered_by(cloud, today)).map(|known| known.major)
}

fn yes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(deserializer)? == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cloud: Cloud, expected: &[u32]) {
        assert_eq!(offered(cloud, AS_OF_DAY).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_day_of_the_catalogue_is_written_once() {
        assert!(AS_OF_DAY.to_string().starts_with(AS_OF));
        assert!(include_str!("versions.csv").contains(&format!("as of {AS_OF_DAY}")));
    }

    #[test]
    fn rds_creates_what_is_in_standard_support() {
        check(Cloud::Aws, &[14, 15, 16, 17, 18]);
    }

    #[test]
    fn cloud_sql_creates_in_extended_support_too() {
        check(Cloud::Gcp, &[11, 12, 13, 14, 15, 16, 17, 18]);
    }

    #[test]
    fn azure_creates_no_retired_major() {
        check(Cloud::Azure, &[14, 15, 16, 17, 18]);
    }

    #[test]
    fn digitalocean_has_ended_14_and_not_begun_18() {
        check(Cloud::DigitalOcean, &[15, 16, 17]);
    }

    #[test]
    fn the_newest_differs_by_cloud() {
        let newest = Cloud::ALL.iter().map(|cloud| (cloud.name(), newest(*cloud))).collect::<Vec<_>>();
        assert_eq!(newest, [("aws", 18), ("gcp", 18), ("azure", 18), ("digitalocean", 17), ("local", 18)]);
    }

    #[test]
    fn what_is_offered_ends_with_its_last_day() {
        let offers_14 = |cloud, day| offered(cloud, day).any(|major| major == 14);
        assert!(offers_14(Cloud::Aws, date(2027, 2, 28)) && !offers_14(Cloud::Aws, date(2027, 3, 1)));
        assert!(
            offers_14(Cloud::DigitalOcean, date(2026, 5, 12)) && !offers_14(Cloud::DigitalOcean, date(2026, 5, 13))
        );
        assert_eq!(find(14).map(|major| major.community_eol), Some(date(2026, 11, 12)));
        assert_eq!(find(9), None);
    }
}
