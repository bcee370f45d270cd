//! Machine sizes of every cloud, and which one stands for which.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;

static SIZES: LazyLock<Vec<Size>> = LazyLock::new(|| {
    let rows: Vec<Row> = super::rows(include_str!("sizes.csv"));
    rows.into_iter().map(Size::from).collect()
});
static MAP: LazyLock<Vec<Mapped>> = LazyLock::new(|| super::rows(include_str!("size_map.csv")));

/// A machine size of one cloud.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// Its name in that cloud (Azure: Terraform's spelling, `GP_Standard_D2ds_v5`).
    pub name: String,
    /// The cloud that has it; never `local`.
    pub cloud: Cloud,
    /// Virtual CPUs; a shared core counts as its guaranteed part.
    pub vcpu: f64,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// What it is made for.
    pub family: Family,
    /// The cloud's default for `max_connections` on it, where known.
    pub max_connections: Option<u32>,
    /// Whether the cloud keeps a standby for it (`multi_az`).
    pub standby: bool,
    /// Whether the cloud makes read replicas of it.
    pub replicas: bool,
    /// Whether the cloud offers its own pooler in front of it.
    pub pooler: bool,
    /// Cloud SQL's edition of it: `ENTERPRISE` or `ENTERPRISE_PLUS`.
    pub edition: Option<String>,
    /// What it moves to and from its storage, whatever that storage can do, where known.
    pub volume: Option<Volume>,
}

/// What a machine moves to and from its storage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Volume {
    /// At most, in a burst, MB/s.
    pub most_mb_s: f64,
    /// Input and output operations a second, for good.
    pub lasting_iops: u32,
    /// The same in a burst: smaller machines have 30 minutes a day of it.
    pub most_iops: u32,
}

/// What a size is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Shared or credit-based CPU.
    Burstable,
    /// About 4 GiB a vCPU.
    General,
    /// 8 GiB a vCPU and more.
    Memory,
}

impl Size {
    /// Whether its CPU is shared or credit-based.
    pub fn burstable(&self) -> bool {
        self.family == Family::Burstable
    }

    /// The most connections it can have by default: the cloud's figure, or for RDS the formula of its default parameter group,
    /// `LEAST(DBInstanceClassMemory/9531392, 5000)`, with the full memory of the machine (RDS keeps a part for itself).
    pub fn connections_at_most(&self) -> Option<u32> {
        match self.cloud {
            Cloud::Aws => u32::try_from((self.memory_mib * 1024 * 1024 / 9_531_392).min(5000)).ok(),
            Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local => self.max_connections,
        }
    }
}

/// The size of that name, in any cloud's spelling.
///
/// Azure sizes are found as `B_Standard_B1ms`, `Standard_B1ms` and under their retired Single Server names (`B_Gen5_1`); Cloud
/// SQL's `db-custom-<vcpu>-<mib>` by its rule. Names are compared without case.
pub fn find(name: &str) -> Option<Size> {
    let name = name.trim();
    let retired = successor(name);
    let name = retired.as_deref().unwrap_or(name);
    SIZES.iter().find(|size| is_named(size, name)).cloned().or_else(|| custom(name))
}

/// The size of `cloud` that stands for `size`: itself on its own cloud and on `local`, else the mapped one, else the nearest that is
/// not smaller (rule A7). `None` when the cloud has nothing as large. `edition` is Cloud SQL's, where one is asked for: `ENTERPRISE_PLUS`
/// has nothing for burstable sizes, which are mapped as without it.
pub fn map_to(size: &Size, cloud: Cloud, edition: Option<&str>) -> Option<Size> {
    if size.cloud == cloud || cloud == Cloud::Local {
        return Some(size.clone());
    }
    let is_plus = cloud == Cloud::Gcp && edition == Some("ENTERPRISE_PLUS") && !size.burstable();
    if size.cloud == Cloud::Aws
        && !is_plus
        && let Some(mapped) = MAP.iter().find(|mapped| mapped.aws == size.name).and_then(|mapped| mapped.on(cloud))
    {
        return find(mapped);
    }
    SIZES
        .iter()
        .filter(|other| other.cloud == cloud && is_not_smaller(other, size))
        .filter(|other| !is_plus || other.name.starts_with("db-perf-optimized-N-"))
        .cloned()
        .chain((cloud == Cloud::Gcp && !is_plus).then(|| custom_for(size)).flatten())
        .min_by(|a, b| {
            (a.family != size.family, a.memory_mib)
                .cmp(&(b.family != size.family, b.memory_mib))
                .then(a.vcpu.total_cmp(&b.vcpu))
                .then_with(|| a.name.cmp(&b.name))
        })
}

/// Every size of a cloud.
pub fn of(cloud: Cloud) -> impl Iterator<Item = &'static Size> {
    SIZES.iter().filter(move |size| size.cloud == cloud)
}

/// The name nearest to a mistyped one, among the sizes of `cloud` (of every cloud on `local`).
pub fn nearest_name(name: &str, cloud: Cloud) -> Option<&'static str> {
    let of_cloud = SIZES.iter().filter(|size| cloud == Cloud::Local || size.cloud == cloud);
    super::nearest(name, of_cloud.map(|size| size.name.as_str()))
}

/// The sizes of `cloud` that are most like the one of that name, itself left out; none for a name nobody knows.
pub fn near(name: &str, cloud: Cloud, count: usize) -> Vec<&'static Size> {
    let Some(size) = find(name) else { return Vec::new() };
    let mut others: Vec<_> = SIZES.iter().filter(|other| other.cloud == cloud && other.name != size.name).collect();
    others.sort_by(|one, other| {
        let far = |size_of: &Size| size_of.memory_mib.abs_diff(size.memory_mib);
        (one.family != size.family, far(one))
            .cmp(&(other.family != size.family, far(other)))
            .then_with(|| one.name.cmp(&other.name))
    });
    others.truncate(count);
    others
}

/// What the Flexible Server name is for a size of Azure's retired Single Server, such as `B_Gen5_1`.
///
/// That service was retired on 2025-03-28 (Microsoft Learn, "What's happening to Azure Database for PostgreSQL - Single Server").
pub fn successor(name: &str) -> Option<String> {
    let (tier, rest) = name.split_once('_')?;
    let cores = rest.strip_prefix("Gen5_").or_else(|| rest.strip_prefix("Gen4_"))?;
    match (tier, cores) {
        ("B", "1") => Some("B_Standard_B1ms".to_owned()),
        ("B", "2") => Some("B_Standard_B2s".to_owned()),
        ("GP", "2" | "4" | "8" | "16" | "32" | "64") => Some(format!("GP_Standard_D{cores}ds_v5")),
        ("MO", "2" | "4" | "8" | "16" | "32") => Some(format!("MO_Standard_E{cores}ds_v5")),
        _ => None,
    }
}

/// Why a name that looks like Cloud SQL's custom tier is none: vCPU 1 or even up to 96; memory a multiple of 256 MiB, at least
/// 3840 MiB and 0.9 to 6.5 GiB a vCPU (Cloud SQL documentation, "Instance settings").
pub fn custom_problem(name: &str) -> Option<String> {
    let (vcpu, memory_mib) = custom_parts(name)?;
    if vcpu != 1 && (vcpu % 2 != 0 || vcpu == 0) || vcpu > 96 {
        return Some(format!("{vcpu} vCPUs is neither 1 nor an even number up to 96"));
    }
    if memory_mib % 256 != 0 {
        return Some(format!("{memory_mib} MiB is no multiple of 256"));
    }
    let (least, most) = ((vcpu * 922).div_ceil(256) * 256, vcpu * 6656);
    let least = least.max(3840);
    (!(least..=most).contains(&memory_mib))
        .then(|| format!("{vcpu} vCPUs take {least} to {most} MiB of memory, not {memory_mib}"))
}

fn custom(name: &str) -> Option<Size> {
    if custom_problem(name).is_some() {
        return None;
    }
    let (vcpu, memory_mib) = custom_parts(name)?;
    let vcpu = u32::try_from(vcpu).ok()?;
    Some(Size {
        name: format!("db-custom-{vcpu}-{memory_mib}"),
        cloud: Cloud::Gcp,
        vcpu: f64::from(vcpu),
        memory_mib,
        family: if memory_mib > u64::from(vcpu) * 5 * 1024 { Family::Memory } else { Family::General },
        max_connections: None,
        standby: true,
        replicas: true,
        pooler: false,
        edition: Some("ENTERPRISE".to_owned()),
        volume: None,
    })
}

fn custom_parts(name: &str) -> Option<(u64, u64)> {
    let (vcpu, memory_mib) = name.strip_prefix("db-custom-")?.split_once('-')?;
    Some((vcpu.parse().ok()?, memory_mib.parse().ok()?))
}

/// The smallest custom tier that is not smaller than `size`.
fn custom_for(size: &Size) -> Option<Size> {
    let memory_mib = size.memory_mib.next_multiple_of(256).max(3840);
    (1..=96u64)
        .filter(|vcpu| size.burstable() || *vcpu as f64 >= size.vcpu)
        .find_map(|vcpu| custom(&format!("db-custom-{vcpu}-{memory_mib}")))
}

/// Not less memory; not fewer vCPUs either, except for burstable sizes, whose vCPUs are shares.
fn is_not_smaller(other: &Size, size: &Size) -> bool {
    other.memory_mib >= size.memory_mib && (size.burstable() || (other.vcpu >= size.vcpu && !other.burstable()))
}

fn is_named(size: &Size, name: &str) -> bool {
    let arm_name = || size.name.split_once('_').map_or("", |(_, arm_name)| arm_name);
    size.name.eq_ignore_ascii_case(name) || (size.cloud == Cloud::Azure && arm_name().eq_ignore_ascii_case(name))
}

#[derive(Deserialize)]
struct Row {
    cloud: Cloud,
    name: String,
    vcpu: f64,
    memory_mib: u64,
    family: Family,
    max_connections: Option<u32>,
    offers: String,
    edition: Option<String>,
    volume_mb_s: Option<f64>,
    volume_iops: Option<u32>,
    volume_burst_iops: Option<u32>,
}

impl From<Row> for Size {
    fn from(row: Row) -> Self {
        let offers = |what: &str| row.offers.split(' ').any(|offered| offered == what);
        Self {
            cloud: row.cloud,
            vcpu: row.vcpu,
            memory_mib: row.memory_mib,
            family: row.family,
            max_connections: row.max_connections,
            standby: offers("standby"),
            replicas: offers("replicas"),
            pooler: offers("pooler"),
            name: row.name,
            edition: row.edition,
            volume: row
                .volume_mb_s
                .zip(row.volume_iops)
                .zip(row.volume_burst_iops)
                .map(|((most_mb_s, lasting_iops), most_iops)| Volume { most_mb_s, lasting_iops, most_iops }),
        }
    }
}

#[derive(Deserialize)]
struct Mapped {
    aws: String,
    gcp: Option<String>,
    azure: Option<String>,
    digitalocean: Option<String>,
}

impl Mapped {
    fn on(&self, cloud: Cloud) -> Option<&str> {
        match cloud {
            Cloud::Aws | Cloud::Local => None,
            Cloud::Gcp => self.gcp.as_deref(),
            Cloud::Azure => self.azure.as_deref(),
            Cloud::DigitalOcean => self.digitalocean.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_found(written: &str, expected: &str) {
        let found = find(written).map_or_else(
            || "nothing".to_owned(),
            |size| format!("{} {} {} vCPU {} MiB", size.cloud, size.name, size.vcpu, size.memory_mib),
        );
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn check_mapped(written: &str, cloud: Cloud, expected: &str) {
        let size = find(written).expect("a known size");
        assert_eq!(map_to(&size, cloud, None).map_or_else(|| "nothing".to_owned(), |size| size.name), expected);
    }

    #[test]
    fn sizes_are_found_in_every_spelling() {
        check_found("db.t3.micro", "aws db.t3.micro 2 vCPU 1024 MiB");
        check_found("db-f1-micro", "gcp db-f1-micro 0.2 vCPU 614 MiB");
        check_found("db-custom-6-32768", "gcp db-custom-6-32768 6 vCPU 32768 MiB");
        check_found("Standard_B1ms", "azure B_Standard_B1ms 1 vCPU 2048 MiB");
        check_found("B_Standard_B1ms", "azure B_Standard_B1ms 1 vCPU 2048 MiB");
        check_found("GP_Standard_D2ds_v5", "azure GP_Standard_D2ds_v5 2 vCPU 8192 MiB");
        check_found("db-s-1vcpu-2gb", "digitalocean db-s-1vcpu-2gb 1 vCPU 2048 MiB");
        check_found("db.t3.mirco", "nothing");
    }

    #[test]
    fn retired_azure_names_mean_their_successors() {
        check_found("B_Gen5_1", "azure B_Standard_B1ms 1 vCPU 2048 MiB");
        check_found("GP_Gen5_2", "azure GP_Standard_D2ds_v5 2 vCPU 8192 MiB");
        check_found("MO_Gen5_32", "azure MO_Standard_E32ds_v5 32 vCPU 262144 MiB");
        check_found("GP_Gen5_3", "nothing");
    }

    #[test]
    fn every_retired_name_has_a_successor_in_the_catalogue() {
        for (tier, cores) in [("B", vec![1, 2]), ("GP", vec![2, 4, 8, 16, 32, 64]), ("MO", vec![2, 4, 8, 16, 32])] {
            for cores in cores {
                assert!(find(&format!("{tier}_Gen5_{cores}")).is_some(), "{tier}_Gen5_{cores}");
            }
        }
    }

    #[test]
    fn custom_tiers_follow_their_rule() {
        let problem = |name| custom_problem(name).unwrap_or_default();
        assert_eq!(problem("db-custom-2-7680"), "");
        assert_eq!(problem("db-custom-3-7680"), "3 vCPUs is neither 1 nor an even number up to 96");
        assert_eq!(problem("db-custom-2-7681"), "7681 MiB is no multiple of 256");
        assert_eq!(problem("db-custom-2-16384"), "2 vCPUs take 3840 to 13312 MiB of memory, not 16384");
        assert_eq!(problem("db.t3.micro"), "");
        check_found("db-custom-2-16384", "nothing");
    }

    #[test]
    fn classes_map_by_the_table() {
        check_mapped("db.t3.micro", Cloud::Gcp, "db-g1-small");
        check_mapped("db.t3.micro", Cloud::Azure, "B_Standard_B1ms");
        check_mapped("db.t3.micro", Cloud::DigitalOcean, "db-s-1vcpu-1gb");
        check_mapped("db.r5.large", Cloud::Gcp, "db-custom-4-16384");
    }

    #[test]
    fn the_other_edition_has_other_tiers() {
        let plus = |name: &str| {
            let mapped = map_to(&find(name).expect("a known size"), Cloud::Gcp, Some("ENTERPRISE_PLUS"));
            mapped.map_or_else(|| "nothing".to_owned(), |size| size.name)
        };
        assert_eq!(plus("db.m5.large"), "db-perf-optimized-N-2");
        assert_eq!(plus("db.r5.large"), "db-perf-optimized-N-2");
        assert_eq!(plus("db.r5.xlarge"), "db-perf-optimized-N-4");
        assert_eq!(plus("db.r5.2xlarge"), "db-perf-optimized-N-8");
        assert_eq!(plus("GP_Standard_D4ds_v5"), "db-perf-optimized-N-4");
        assert_eq!(plus("db.t3.micro"), "db-g1-small");
        assert_eq!(plus("db-c4a-highmem-2"), "db-c4a-highmem-2");
    }

    #[test]
    fn others_map_to_the_nearest_that_is_not_smaller() {
        check_mapped("db-f1-micro", Cloud::Aws, "db.t3.micro");
        check_mapped("GP_Standard_D4ds_v5", Cloud::Gcp, "db-custom-4-16384");
        check_mapped("db-custom-2-7680", Cloud::Azure, "GP_Standard_D2ads_v5");
        check_mapped("db-s-6vcpu-16gb", Cloud::Aws, "db.t3.xlarge");
        check_mapped("db.r8g.48xlarge", Cloud::DigitalOcean, "nothing");
        check_mapped("db.m5.large", Cloud::Local, "db.m5.large");
    }

    #[test]
    fn every_mapped_name_is_a_size_of_its_cloud() {
        for mapped in MAP.iter() {
            let class = find(&mapped.aws).expect("an RDS class");
            for cloud in [Cloud::Gcp, Cloud::Azure, Cloud::DigitalOcean] {
                let Some(name) = mapped.on(cloud) else { continue };
                let size = find(name).unwrap_or_else(|| panic!("{name} is no size"));
                assert_eq!(size.cloud, cloud, "{name}");
                assert!(size.memory_mib >= class.memory_mib, "{name} is smaller than {}", class.name);
            }
        }
    }

    #[test]
    fn a_typo_finds_its_size() {
        assert_eq!(nearest_name("db.t3.mirco", Cloud::Aws), Some("db.t3.micro"));
        assert_eq!(nearest_name("zzz", Cloud::Aws), None);
    }

    #[test]
    fn rds_connections_follow_the_memory() {
        let most = |name| find(name).and_then(|size| size.connections_at_most());
        assert_eq!(most("db.t3.micro"), Some(112));
        assert_eq!(most("B_Standard_B1ms"), Some(50));
        assert_eq!(most("db-g1-small"), None);
    }
}
