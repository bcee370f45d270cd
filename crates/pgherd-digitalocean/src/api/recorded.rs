//! The examples of answers in DigitalOcean's own description are read, whatever else is in them.

use std::path::Path;

use pgherd_engine::provider::ErrorKind;
use serde_json::Value as Json;

use super::{Cluster, Pool, Replica, User};
use crate::error::DoError;

/// Examples of digitalocean/openapi (Apache-2.0).
const EXAMPLES: &str = "../../../shared/apis/recorded/digitalocean/openapi-examples.json";

/// Which operation answers what. `None`: there are none here.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn examples() -> Option<Vec<(String, u16, Json)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLES);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED the recorded answers: there is no {}", path.display());
        return None;
    };
    let told: Json = serde_json::from_str(&text).expect("JSON");
    let mut all = Vec::new();
    for operation in told["operations"].as_array().expect("some") {
        let name = operation["operationId"].as_str().expect("a name");
        for answer in operation["response_examples"].as_array().into_iter().flatten() {
            // What is said of no status in particular is the same once more.
            if let Ok(status) = answer["status"].as_str().expect("a status").parse() {
                all.push((name.to_owned(), status, answer["body"].clone()));
            }
        }
    }
    Some(all)
}

#[test]
fn recorded_refusals_are_read() {
    let Some(examples) = examples() else { return };
    let read = |(operation, status, body): (String, u16, Json)| {
        let error = DoError::read("GET x", status, body.to_string().as_bytes(), None);
        (operation, error.map(|error| (error.id.clone(), error.kind())))
    };
    let all: Vec<_> = examples.into_iter().filter(|one| one.1 >= 400).map(read).collect();
    let of = |id: &str| {
        let mut found = all.iter().filter_map(|(_, error)| error.as_ref());
        found.find(|(told, _)| told == id).map(|(_, kind)| *kind)
    };
    assert_eq!(of("unauthorized"), Some(ErrorKind::Denied));
    assert_eq!(of("too_many_requests"), Some(ErrorKind::Throttled));
    assert_eq!(of("server_error"), Some(ErrorKind::Unavailable));
    assert_eq!(of("not_found"), Some(ErrorKind::NotFound));
    assert_eq!(of("bad_request"), Some(ErrorKind::Invalid));
    // In a form of its own, which is nobody's.
    let unread: Vec<&str> = all.iter().filter(|(_, error)| error.is_none()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(unread, ["tags_create"]);
}

#[test]
fn recorded_answers_are_read() {
    let Some(examples) = examples() else { return };
    let (mut clusters, mut replicas, mut pools, mut users) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (operation, _, body) in examples.into_iter().filter(|one| one.1 < 300) {
        let Some((name, told)) = body.as_object().and_then(|body| body.iter().next()) else { continue };
        let items = told.as_array().cloned().unwrap_or_else(|| vec![told.clone()]);
        for item in items {
            let is_read = match name.as_str() {
                "database" | "databases" => Cluster::read(&item).map(|one| clusters.push(one)),
                "replica" | "replicas" => Replica::read(&item).map(|one| replicas.push(one)),
                "pool" | "pools" => Pool::read(&item).map(|one| pools.push(one)),
                "user" | "users" => User::read(&item).map(|one| users.push(one)),
                _ => continue,
            };
            assert!(is_read.is_some(), "{operation}");
        }
    }
    assert_eq!((clusters.len(), replicas.len(), pools.len(), users.len()), (3, 3, 4, 19));
    let cluster = &clusters[0];
    assert_eq!((cluster.name.as_str(), cluster.engine.as_str(), cluster.version.as_str()), ("backend", "pg", "10"));
    assert_eq!((cluster.size.as_str(), cluster.num_nodes, cluster.storage_mib), ("db-s-2vcpu-4gb", 1, Some(61_440)));
    assert_eq!(cluster.maintenance.as_deref(), Some("saturday 08:45"));
    assert_eq!(cluster.maintenance_pending.as_ref().map(Vec::len), Some(2));
    assert_eq!(cluster.connection.port, Some(25060));
    let private = "private-backend-do-user-19081923-0.db.ondigitalocean.com";
    assert_eq!(cluster.private_connection.host.as_deref(), Some(private));
    assert_eq!((replicas[0].name.as_str(), replicas[0].status.as_str()), ("read-nyc3-01", "online"));
    assert!(!replicas[0].is_of("backend"), "it tells no tags");
    let pool = &pools[1];
    assert_eq!((pool.name.as_str(), pool.size, pool.connection.port), ("backend-pool", 10, Some(25061)));
}
