//! What storage there is: sizes, operations and throughput that go together.

use crate::wire::Refusal;

/// Storage as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage<'a> {
    /// `gp3`.
    pub kind: &'a str,
    /// GiB.
    pub gib: i64,
    /// Operations a second, if asked for.
    pub iops: Option<i64>,
    /// MiB a second, if asked for.
    pub throughput: Option<i64>,
}

/// Where gp3 and gp2 are spread over four volumes.
const STRIPED_GIB: i64 = 400;

impl Storage<'_> {
    /// Refuses what RDS for PostgreSQL does not have.
    pub fn check(self) -> Result<(), Refusal> {
        let sizes = match self.kind {
            "gp2" | "gp3" => 20..=65_536,
            "io1" | "io2" => 100..=65_536,
            "standard" => 5..=3072,
            other => return Err(Refusal::value(format!("Invalid storage type: {other}"))),
        };
        if !sizes.contains(&self.gib) {
            return Err(Refusal::value(format!(
                "Invalid storage size for engine name postgres and storage type {}: {}",
                self.kind, self.gib
            )));
        }
        match self.kind {
            "gp3" => self.check_gp3(),
            "io1" => self.check_provisioned(50),
            "io2" => self.check_provisioned(1000),
            _ => self.check_plain(),
        }
    }

    /// What it is given when nothing else is asked for: operations and throughput.
    pub fn baseline(self) -> (Option<i64>, Option<i64>) {
        match self.kind {
            "gp3" if self.gib < STRIPED_GIB => (Some(3000), Some(125)),
            "gp3" => (Some(self.iops.unwrap_or(12_000)), Some(self.throughput.unwrap_or(500))),
            _ => (self.iops, self.throughput),
        }
    }

    /// Whether operations a second are said with every growth of it.
    pub fn says_iops(self) -> bool {
        matches!(self.kind, "io1" | "io2") || self.kind == "gp3" && self.gib >= STRIPED_GIB
    }

    fn check_gp3(self) -> Result<(), Refusal> {
        if self.gib < STRIPED_GIB {
            return match (self.iops, self.throughput) {
                (None, None) => Ok(()),
                _ => Err(Refusal::combination(
                    "You can't specify IOPS or storage throughput for engine postgres and a storage size less than 400.",
                )),
            };
        }
        let (iops, throughput) = (self.iops.unwrap_or(12_000), self.throughput.unwrap_or(500));
        if !(12_000..=64_000).contains(&iops) || iops > 500 * self.gib {
            return Err(Refusal::combination(format!(
                "Invalid iops value for engine name postgres and storage type gp3: {iops}"
            )));
        }
        if !(500..=4000).contains(&throughput) {
            return Err(Refusal::combination(format!(
                "Invalid storage throughput value for storage type gp3: {throughput}"
            )));
        }
        if 4 * throughput > iops {
            return Err(Refusal::combination("The storage throughput to IOPS ratio must be at most 0.25."));
        }
        Ok(())
    }

    fn check_provisioned(self, most_per_gib: i64) -> Result<(), Refusal> {
        self.no_throughput()?;
        let Some(iops) = self.iops else {
            return Err(Refusal::combination(format!("You must specify iops for storage type {}.", self.kind)));
        };
        if !(1000..=256_000).contains(&iops) || 2 * iops < self.gib || iops > most_per_gib * self.gib {
            return Err(Refusal::combination(format!(
                "The IOPS to GiB ratio needs to be between 0.5 and {most_per_gib}, and the IOPS between 1000 and 256000: {iops}"
            )));
        }
        Ok(())
    }

    fn check_plain(self) -> Result<(), Refusal> {
        self.no_throughput()?;
        match self.iops {
            Some(_) => Err(Refusal::combination(format!("You can't specify iops for storage type {}.", self.kind))),
            None => Ok(()),
        }
    }

    fn no_throughput(self) -> Result<(), Refusal> {
        match self.throughput {
            Some(_) => Err(Refusal::combination(format!(
                "You can't specify storage throughput for storage type {}.",
                self.kind
            ))),
            None => Ok(()),
        }
    }
}

/// Refuses a limit of growth that is none.
pub fn limit(max_gib: i64, gib: i64) -> Result<(), Refusal> {
    match 10 * max_gib < 11 * gib || max_gib > 65_536 {
        true => Err(Refusal::combination(format!(
            "Max storage size must be at least 10% greater than the storage size: {max_gib} for {gib}"
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &str, gib: i64, iops: Option<i64>, throughput: Option<i64>, expected: &str) {
        let found = Storage { kind, gib, iops, throughput }.check().err();
        assert_eq!(found.map_or_else(String::new, |refusal| refusal.message), expected);
    }

    #[test]
    fn small_gp3_takes_no_figures() {
        check("gp3", 399, None, None, "");
        check(
            "gp3",
            399,
            Some(3000),
            None,
            "You can't specify IOPS or storage throughput for engine postgres and a storage size less than 400.",
        );
    }

    #[test]
    fn large_gp3_takes_them_in_bounds() {
        check("gp3", 400, Some(16_000), Some(4000), "");
        check(
            "gp3",
            400,
            Some(11_999),
            None,
            "Invalid iops value for engine name postgres and storage type gp3: 11999",
        );
        check("gp3", 400, Some(12_000), Some(3001), "The storage throughput to IOPS ratio must be at most 0.25.");
    }

    #[test]
    fn io1_must_have_iops() {
        check("io1", 100, None, None, "You must specify iops for storage type io1.");
        check("io1", 100, Some(5000), None, "");
        check(
            "io1",
            100,
            Some(5001),
            None,
            "The IOPS to GiB ratio needs to be between 0.5 and 50, and the IOPS between 1000 and 256000: 5001",
        );
    }

    #[test]
    fn sizes_have_bounds() {
        check("gp3", 19, None, None, "Invalid storage size for engine name postgres and storage type gp3: 19");
        check("standard", 5, None, None, "");
        check("gp9", 20, None, None, "Invalid storage type: gp9");
    }
}
