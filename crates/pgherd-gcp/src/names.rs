//! Names of everything a database consists of, made of its own. Pure.

/// How many replicas a database has at most by the checks: names that a replica may have.
const REPLICAS: u32 = 10;

const REPLICA: &str = "-replica-";
const CREDENTIALS: &str = "-credentials";

/// A replica of a database.
pub fn replica(database: &str, number: u32) -> String {
    format!("{database}{REPLICA}{number}")
}

/// Every name that a replica of a database may have.
pub fn replicas(database: &str) -> Vec<String> {
    (1..=REPLICAS).map(|number| replica(database, number)).collect()
}

/// The database that a replica of this name would be of.
pub fn source(replica: &str) -> Option<&str> {
    let is_number = |text: &str| text.parse::<u32>().is_ok_and(|number| (1..=REPLICAS).contains(&number));
    replica.rsplit_once(REPLICA).filter(|(_, number)| is_number(number)).map(|(database, _)| database)
}

/// The secret of a database.
pub fn secret(database: &str) -> String {
    format!("{database}{CREDENTIALS}")
}

/// The database that a secret is of.
pub fn of_secret(secret: &str) -> &str {
    secret.strip_suffix(CREDENTIALS).unwrap_or(secret)
}

/// Something within an instance: `orders/app`.
pub fn within(database: &str, name: &str) -> String {
    format!("{database}/{name}")
}

/// An alarm of a database, about a part of it.
pub fn alarm(database: &str, about: &str) -> String {
    format!("{database}-{about}")
}

/// A moment as part of a label: signs that no label takes are left out.
pub fn compact(moment: &str) -> String {
    moment.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_tells_its_source() {
        assert_eq!(source("orders-replica-2"), Some("orders"));
        assert_eq!(source("orders-replica-x"), None);
        assert_eq!(source("orders"), None);
    }
}
