//! RDS's words for what an instance is doing, in ours. Pure.
//!
//! The words are those of the Amazon RDS User Guide, "Viewing Amazon RDS DB instance status". It is an open list: a word nobody knows
//! means that RDS is at something.

use pgherd_core::resource::Status;

/// What an instance with that word is doing.
pub fn of(word: &str) -> Status {
    match word {
        // A change may begin during the second, third and fourth; backing up and configuring wait for nobody.
        "available"
        | "storage-optimization"
        | "storage-initialization"
        | "storage-config-upgrade"
        | "backing-up"
        | "storage-full" => Status::Available,
        _ if word.starts_with("configuring-") => Status::Available,
        "deleting" => Status::Busy(Status::DELETING.to_owned()),
        "creating" => Status::Incomplete("RDS is making it".to_owned()),
        "stopped" => Status::Stopped,
        _ if is_fatal(word) => Status::Failed(word.to_owned()),
        _ => Status::Busy(word.to_owned()),
    }
}

/// Whether an instance with that word does not come round by itself.
pub fn is_fatal(word: &str) -> bool {
    matches!(word, "failed" | "restore-error" | "insufficient-capacity")
        || word.starts_with("incompatible-")
        || word.starts_with("inaccessible-encryption-credentials")
}

/// Whether whatever was begun is done, as far as one look can tell: the word flaps after creation. Full storage stays so until there is
/// more of it; what was restored is used while its blocks are still being read, which takes hours.
pub fn is_settled(word: &str) -> bool {
    matches!(word, "available" | "storage-optimization" | "storage-initialization" | "storage-full")
}

/// Whether RDS's word for how a replica follows says that it does not, and will not by itself (Amazon RDS User Guide, "Monitoring read
/// replication").
pub fn has_stopped(word: &str) -> bool {
    matches!(word, "error" | "terminated" | "stopped") || word.starts_with("replication stop point")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], expected: fn(&str) -> Status) {
        for word in words {
            assert_eq!(of(word), expected(word), "{word}");
        }
    }

    #[test]
    fn usable() {
        check(
            &[
                "available",
                "backing-up",
                "storage-optimization",
                "storage-initialization",
                "storage-config-upgrade",
                "storage-full",
                "configuring-enhanced-monitoring",
                "configuring-iam-database-auth",
                "configuring-log-exports",
            ],
            |_| Status::Available,
        );
    }

    #[test]
    fn at_something() {
        let words = [
            "modifying",
            "rebooting",
            "upgrading",
            "deleting",
            "starting",
            "stopping",
            "renaming",
            "maintenance",
            "resetting-master-credentials",
            "converting-to-vpc",
            "moving-to-vpc",
            "a-word-of-next-year",
        ];
        check(&words, |word| Status::Busy(word.to_owned()));
    }

    #[test]
    fn broken() {
        let words = [
            "failed",
            "incompatible-network",
            "incompatible-parameters",
            "incompatible-restore",
            "inaccessible-encryption-credentials",
            "inaccessible-encryption-credentials-recoverable",
            "insufficient-capacity",
            "restore-error",
        ];
        check(&words, |word| Status::Failed(word.to_owned()));
    }

    #[test]
    fn half_made_and_stopped() {
        assert!(matches!(of("creating"), Status::Incomplete(_)));
        assert_eq!(of("stopped"), Status::Stopped);
    }

    #[test]
    fn nothing_more_is_to_be_waited_for() {
        assert!(
            is_settled("storage-optimization") && is_settled("storage-initialization") && is_settled("storage-full")
        );
        assert!(!is_settled("backing-up") && !is_settled("modifying"));
    }
}
