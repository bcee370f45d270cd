//! What alarms a spec wants of an instance, and at which figures. Pure.
//!
//! The four of the requirements, the lag of a replica, and the credits of a class that has them (without any left its CPU is slow or,
//! on RDS, billed by the hour).

use pgherd_core::catalogue::sizes;
use pgherd_core::spec::Spec;

/// Free storage an alarm is about at least, however small the storage; the figure is ours.
const LEAST_FREE_BYTES: f64 = 2.0 * GIB;
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
/// Seconds a replica may be behind before somebody is told. RDS measures since the last commit that was replayed, and sees to one every
/// five minutes: of a source that nobody writes to, the lag grows up to 300 s and falls back (Amazon RDS User Guide, "Read replica
/// limitations with PostgreSQL"). So the least of five minutes counts, of which one a minute is told: 60 s at most where all is well.
const LAG_S: f64 = 90.0;
/// CPU credits below which somebody is told; the figure is ours.
const CREDITS: f64 = 20.0;
/// Of `max_connections`, where no figure is written.
const SHARE_OF_CONNECTIONS: f64 = 0.8;

/// Everything an alarm may be about.
pub const ABOUT: &[&str] = &["cpu", "connections", "storage", "read-latency", "replica-lag", "burst-credits"];

/// One figure that is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// What it is about: the end of its name.
    pub about: &'static str,
    /// The metric of `AWS/RDS`.
    pub metric: &'static str,
    /// Where it rings, in the metric's unit.
    pub threshold: f64,
    /// Whether it rings below that, rather than above.
    pub below: bool,
    /// What counts of the figures of five minutes, as CloudWatch calls it.
    pub statistic: &'static str,
    /// What no figure at all means: nothing, or that it rings, as CloudWatch calls it.
    pub missing: &'static str,
}

/// Who is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The instance that is written to.
    Primary,
    /// A read replica.
    Replica,
}

/// The alarms of one server.
pub fn of(spec: &Spec, server: Server) -> Vec<Alarm> {
    let monitoring = &spec.monitoring;
    let (statistic, missing) = ("Average", "missing");
    let above = |about, metric, threshold| Alarm { about, metric, threshold, below: false, statistic, missing };
    let below = |about, metric, threshold| Alarm { about, metric, threshold, below: true, statistic, missing };
    // One that tells no lag does not follow, or is not there. One that does not follow tells more and more: RDS tells of PostgreSQL the time since
    // the last commit that was replayed ("Monitoring and tuning the replication process"). A lag of -1, as of its other engines, would ring nowhere;
    // whether there is one was not seen.
    let lag = || Alarm { statistic: "Minimum", missing: "breaching", ..above("replica-lag", "ReplicaLag", LAG_S) };
    let is_replica = server == Server::Replica;
    [
        monitoring.alarm_cpu_percent.map(|percent| above("cpu", "CPUUtilization", percent)),
        connections(spec).map(|most| above("connections", "DatabaseConnections", most)),
        monitoring
            .alarm_free_storage_percent
            .map(|percent| below("storage", "FreeStorageSpace", free_bytes(spec.storage.allocated_gib, percent))),
        monitoring.alarm_read_latency_s.map(|seconds| above("read-latency", "ReadLatency", seconds)),
        is_replica.then(lag),
        spec.size.burstable.then(|| below("burst-credits", "CPUCreditBalance", CREDITS)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The connections somebody is told about: those written, or 80 % of what there can be. None where nobody knows how many that is.
pub fn connections(spec: &Spec) -> Option<f64> {
    let share = || expected_connections(spec).map(|most| (SHARE_OF_CONNECTIONS * f64::from(most)).floor());
    spec.monitoring.alarm_connections.or_else(share)
}

/// Where the alarm on connections rings, and why, where nobody wrote that.
pub fn derived(spec: &Spec) -> Option<String> {
    let figure = connections(spec).filter(|_| spec.monitoring.alarm_connections.is_none())?;
    let most = expected_connections(spec)?;
    let of = if written_connections(spec).is_some() { "max_connections" } else { "about" };
    Some(format!("Threshold = {figure}, 80 % of {of} {most}"))
}

/// As many as there will be room for: the parameter, or what RDS derives from the memory that it leaves the instance. How much that is
/// nobody tells; 300 MiB and a twentieth less than all of it fits the one class that was measured (db.t4g.small: 181, where all of its
/// memory would give 225). Too low a figure rings early, and too high a one never.
pub(crate) fn expected_connections(spec: &Spec) -> Option<u32> {
    let by_class = || {
        let size = sizes::find(&spec.size.name)?;
        let left_mib = (size.memory_mib - size.memory_mib / 20).saturating_sub(300);
        u32::try_from((left_mib * 1024 * 1024 / 9_531_392).min(5000)).ok()
    };
    written_connections(spec).or_else(by_class)
}

/// As many connections as there can be: the parameter, or at most what RDS derives from the memory of the class.
pub fn max_connections(spec: &Spec) -> Option<u32> {
    written_connections(spec).or_else(|| sizes::find(&spec.size.name)?.connections_at_most())
}

fn written_connections(spec: &Spec) -> Option<u32> {
    spec.parameters.get("max_connections").and_then(|text| text.parse().ok())
}

/// The percentage of free storage that is meant by bytes: the one that is written, where it may be that.
pub(crate) fn free_percent(spec: &Spec, bytes: f64) -> Option<f64> {
    let allocated = spec.storage.allocated_gib;
    let written = spec.monitoring.alarm_free_storage_percent;
    let whole = free_bytes(allocated, 100.0);
    let percent = (bytes / whole * 10_000.0).round() / 100.0;
    written.filter(|percent| free_bytes(allocated, *percent).total_cmp(&bytes).is_eq()).or(Some(percent))
}

fn free_bytes(allocated_gib: u64, percent: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "storage ends at 65536 GiB")]
    let allocated = allocated_gib as f64 * GIB;
    (allocated * percent / 100.0).max(LEAST_FREE_BYTES).floor()
}
