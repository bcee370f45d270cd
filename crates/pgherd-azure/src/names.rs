//! Names of everything a database consists of, made of its own, and the paths they stand in. Pure.

/// How many replicas a server has at most.
const REPLICAS: u32 = 5;

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

/// Something within a server: `orders/app`.
pub fn within(server: &str, name: &str) -> String {
    format!("{server}/{name}")
}

/// An alarm of a server, about a part of it.
pub fn alarm(server: &str, about: &str) -> String {
    format!("{server}-{about}")
}

/// The action group of a database.
pub fn group(database: &str) -> String {
    format!("{database}-alarms")
}

/// The private zone in which a database has its name. It ends as Azure wants it, and is not the server's own name.
pub fn zone(database: &str) -> String {
    format!("pgherd-{database}.private.postgres.database.azure.com")
}

/// The firewall rule of a range, `198.51.100.7` to itself: `pgherd-198-51-100-7`.
pub fn rule(first: &str, last: &str) -> String {
    let part = |address: &str| address.replace('.', "-");
    if first == last { format!("{RULE}{}", part(first)) } else { format!("{RULE}{}-to-{}", part(first), part(last)) }
}

/// What the names of our firewall rules begin with: rules wear no tags.
pub const RULE: &str = "pgherd-";

/// The last part of the path of a thing.
pub fn last(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or(id)
}

/// A region in one spelling: `Canada Central` is `canadacentral`.
pub fn location(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}

/// A moment as part of a tag.
pub fn compact(moment: &str) -> String {
    moment.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_tells_its_source() {
        assert_eq!(source("orders-replica-2"), Some("orders"));
        assert_eq!(source("orders-replica-6"), None);
        assert_eq!(source("orders"), None);
    }

    #[test]
    fn one_spelling() {
        assert_eq!(location("Canada Central"), "canadacentral");
        assert_eq!(rule("10.0.0.0", "10.255.255.255"), "pgherd-10-0-0-0-to-10-255-255-255");
        assert_eq!(last("/subscriptions/s/resourceGroups/g/providers/x/y/name"), "name");
    }
}
