//! Names of everything a database consists of, made of its own. Pure.

/// How many replicas DigitalOcean lets a cluster have at most, and some more: names that a replica may have.
const REPLICAS: u32 = 5;

/// Longest name of a pool (digitalocean/openapi 7c1300c, models/connection_pool.yml).
const POOL_LONGEST: usize = 60;

const POOL: &str = "-pool";

/// A replica of a database.
pub fn replica(database: &str, number: u32) -> String {
    format!("{database}-r{number}")
}

/// The replica in a second region.
pub fn recovery(database: &str) -> String {
    format!("{database}-dr")
}

/// Every name that a replica of a database may have.
pub fn replicas(database: &str) -> Vec<String> {
    (1..=REPLICAS).map(|number| replica(database, number)).chain([recovery(database)]).collect()
}

/// The database that a replica of this name would be of.
pub fn source(replica: &str) -> Option<&str> {
    let is_number = |text: &str| text.parse::<u32>().is_ok_and(|number| (1..=REPLICAS).contains(&number));
    replica
        .strip_suffix("-dr")
        .or_else(|| replica.rsplit_once("-r").filter(|(_, number)| is_number(number)).map(|(database, _)| database))
}

/// The pool of a database. A long name loses its end: a pool is found within its cluster.
pub fn pool(database: &str) -> String {
    let room = POOL_LONGEST - POOL.len();
    format!("{}{POOL}", database.get(..room).unwrap_or(database))
}

/// Something within a cluster: `orders/app`.
pub fn within(database: &str, name: &str) -> String {
    format!("{database}/{name}")
}

/// An alarm of a database, about a part of it.
pub fn alarm(database: &str, about: &str) -> String {
    format!("{database}-{about}")
}

/// A moment as part of a tag: signs that no tag takes are left out.
pub fn compact(moment: &str) -> String {
    moment.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_tells_its_source() {
        assert_eq!(source("orders-r2"), Some("orders"));
        assert_eq!(source("orders-dr"), Some("orders"));
        assert_eq!(source("orders-rest"), None);
    }

    #[test]
    fn a_pool_of_a_long_name_is_within_what_is_taken() {
        assert_eq!(pool("orders"), "orders-pool");
        assert_eq!(pool(&"a".repeat(63)).len(), POOL_LONGEST);
    }
}
