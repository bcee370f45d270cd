//! Every name that follows from the name of a database, once: that is how things are found again without a state file.
//!
//! Of a second region things carry the region before a `/`, which no name of AWS can hold: `eu-west-1/orders-dr`.

use sha2::{Digest, Sha256};

/// Most read replicas RDS makes of an instance (Amazon RDS User Guide, "Working with read replicas for RDS for PostgreSQL").
pub const MAX_REPLICAS: u32 = 15;

/// Longest name of a role (botocore 1.43.11, `iam` `roleNameType`).
const MAX_ROLE_NAME: usize = 64;

/// The subnet group of a database.
pub fn subnet_group(name: &str) -> String {
    name.to_owned()
}

/// The parameter group of a database of a major; without one, that of whatever RDS made when the block names no version.
///
/// The major is part of the name because a group is of one family for good: an upgrade moves to another group.
pub fn parameter_group(name: &str, major: Option<u32>) -> String {
    match major {
        Some(major) => format!("{name}-pg{major}"),
        None => format!("{name}-pg"),
    }
}

/// The security group of a database.
pub fn security_group(name: &str) -> String {
    format!("{name}-db")
}

/// The secret of a database's administrator.
pub fn secret(name: &str) -> String {
    format!("pgherd/{name}/master")
}

/// Whose security group a name is, `orders` of `orders-db`.
pub fn database_of_security_group(name: &str) -> Option<&str> {
    name.strip_suffix("-db")
}

/// The role that RDS delivers samples of the operating system with.
pub fn monitoring_role(name: &str, region: &str) -> String {
    role(name, region, "monitoring")
}

/// The role that the proxy reads the secret with.
pub fn proxy_role(name: &str, region: &str) -> String {
    role(name, region, "proxy")
}

/// IAM is one for all regions, so a role names the region; what is too long is told apart by a digest of the whole.
fn role(name: &str, region: &str, purpose: &str) -> String {
    let whole = format!("pgherd-{name}-{region}-{purpose}");
    if whole.len() <= MAX_ROLE_NAME {
        return whole;
    }
    let digest: String = Sha256::digest(&whole).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    // Names of databases, regions and purposes are ASCII; another character would end the cut earlier, never inside.
    let kept: String = whole.chars().take(MAX_ROLE_NAME - digest.len() - 1).collect();
    format!("{kept}-{digest}")
}

/// The read replica of a number, from 1.
pub fn replica(name: &str, number: u32) -> String {
    format!("{name}-r{number}")
}

/// The instance of a database and every read replica it could have.
pub fn instances(name: &str) -> Vec<String> {
    std::iter::once(name.to_owned()).chain((1..=MAX_REPLICAS).map(|number| replica(name, number))).collect()
}

/// The log group of one kind of log of an instance, as RDS itself names it.
pub fn log_group(instance: &str, log: &str) -> String {
    format!("{}{log}", log_groups(instance))
}

/// What the log groups of an instance begin with.
pub fn log_groups(instance: &str) -> String {
    format!("{LOGS}{instance}/")
}

/// What the names of all log groups of RDS begin with.
const LOGS: &str = "/aws/rds/instance/";

/// The alarm of an instance about one thing.
pub fn alarm(instance: &str, about: &str) -> String {
    format!("{instance}-{about}")
}

/// The topic that tells e-mail addresses of alarms.
pub fn topic(name: &str) -> String {
    format!("{name}-alarms")
}

/// The dashboard of a database. Dashboards are one list for all regions of an account.
pub fn dashboard(name: &str, region: &str) -> String {
    format!("{name}-{region}")
}

/// The proxy in front of a database.
pub fn proxy(name: &str) -> String {
    format!("{name}-proxy")
}

/// The database of a proxy, `orders` of `orders-proxy`.
pub fn database_of_proxy(name: &str) -> Option<&str> {
    name.strip_suffix("-proxy")
}

/// What stands for a database in its second region.
pub fn recovery(name: &str) -> String {
    format!("{name}-dr")
}

/// The name of a thing that is in another region than the database.
pub fn elsewhere(region: &str, name: &str) -> String {
    format!("{region}/{name}")
}

/// The region a thing is in, where that is another than the database's, and what AWS calls it.
pub fn place(kind: &str, name: &str) -> (Option<String>, String) {
    // Secrets have slashes of their own, and are never elsewhere; log groups begin with one.
    if kind == "secret" || name.starts_with('/') {
        return (None, name.to_owned());
    }
    match name.split_once('/') {
        Some((region, name)) => (Some(region.to_owned()), name.to_owned()),
        None => (None, name.to_owned()),
    }
}

/// The database of which something is in a second region, `orders` of `orders-dr-db`, `orders-dr-pg16` and the rest.
pub fn database_elsewhere(name: &str) -> Option<&str> {
    let server = match name.strip_prefix(LOGS) {
        Some(rest) => rest.split('/').next()?,
        None => database_of_security_group(name).or(owner_of_parameter_group(name)).unwrap_or(name),
    };
    source_of_recovery(server)
}

/// The name of a replica without its number, `orders` of `orders-r2`.
pub fn source_of_replica(name: &str) -> Option<&str> {
    let (source, number) = name.rsplit_once("-r")?;
    is_number(number).then_some(source)
}

/// Whose parameter group a name is, `orders` of `orders-pg16` and of `orders-pg`; `None`: no name of ours.
pub fn owner_of_parameter_group(name: &str) -> Option<&str> {
    let (owner, major) = name.rsplit_once("-pg")?;
    (major.is_empty() || is_number(major)).then_some(owner)
}

/// The database that something in a second region stands for, `orders` of `orders-dr`.
pub fn source_of_recovery(name: &str) -> Option<&str> {
    name.strip_suffix("-dr")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_database() {
        let all = [
            subnet_group("orders"),
            parameter_group("orders", Some(16)),
            parameter_group("orders", None),
            security_group("orders"),
            secret("orders"),
            monitoring_role("orders", "eu-central-1"),
            proxy_role("orders", "eu-central-1"),
            replica("orders", 2),
            log_group("orders-r2", "postgresql"),
            alarm("orders-r2", "cpu"),
            topic("orders"),
            dashboard("orders", "eu-central-1"),
            proxy("orders"),
            elsewhere("eu-west-1", &recovery("orders")),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
        orders
        orders-pg16
        orders-pg
        orders-db
        pgherd/orders/master
        pgherd-orders-eu-central-1-monitoring
        pgherd-orders-eu-central-1-proxy
        orders-r2
        /aws/rds/instance/orders-r2/postgresql
        orders-r2-cpu
        orders-alarms
        orders-eu-central-1
        orders-proxy
        eu-west-1/orders-dr
        ");
    }

    #[test]
    fn an_instance_is_looked_for_with_all_replicas_it_could_have() {
        let all = instances("orders");
        assert_eq!((all.len(), all[0].as_str(), all[15].as_str()), (16, "orders", "orders-r15"));
    }

    #[test]
    fn a_name_tells_whose_it_is() {
        assert_eq!(source_of_replica(&replica("orders-r", 2)), Some("orders-r"));
        assert_eq!(source_of_replica("orders-retired"), None);
        assert_eq!(owner_of_parameter_group(&parameter_group("orders", Some(16))), Some("orders"));
        assert_eq!(owner_of_parameter_group(&parameter_group("orders", None)), Some("orders"));
        assert_eq!(owner_of_parameter_group("orders-pgbouncer"), None);
        assert_eq!(database_of_proxy(&proxy("orders")), Some("orders"));
        assert_eq!(source_of_recovery(&recovery("orders")), Some("orders"));
    }

    #[test]
    fn whatever_is_in_a_second_region_tells_whose_it_is() {
        let there = recovery("orders");
        let all = [security_group(&there), parameter_group(&there, Some(16)), log_group(&there, "upgrade"), there];
        assert!(all.iter().all(|name| database_elsewhere(name) == Some("orders")), "{all:?}");
        assert_eq!(database_elsewhere("orders"), None);
    }

    #[test]
    fn a_long_role_is_cut_and_told_apart() {
        let name = "a-database-with-quite-a-long-name-that-somebody-chose-so";
        let (one, other) = (monitoring_role(name, "eu-central-1"), monitoring_role(name, "eu-central-2"));
        assert_eq!(one.len(), MAX_ROLE_NAME);
        assert_ne!(one, other);
        assert!(one.starts_with("pgherd-a-database-with-quite-a-long-name"), "{one}");
    }

    #[test]
    fn a_thing_elsewhere_says_where() {
        let of = |kind, name| place(kind, name);
        assert_eq!(of("replica", "eu-west-1/orders-dr"), (Some("eu-west-1".to_owned()), "orders-dr".to_owned()));
        assert_eq!(of("instance", "orders"), (None, "orders".to_owned()));
        assert_eq!(of("secret", "pgherd/orders/master"), (None, "pgherd/orders/master".to_owned()));
        assert_eq!(of("log_group", "/aws/rds/instance/orders/upgrade").0, None);
        let elsewhere = of("log_group", "eu-west-1//aws/rds/instance/orders-dr/upgrade");
        assert_eq!(elsewhere, (Some("eu-west-1".to_owned()), "/aws/rds/instance/orders-dr/upgrade".to_owned()));
    }
}
