//! The outputs of a block, from what it means and what its target knows of it.
//!
//! Invariant: every output of the table is present, `null` where there is no such thing, and none holds the password.

use crate::spec::Spec;
use crate::text;
use crate::value::{Props, Value};
use crate::variables::OUTPUTS;

/// What a target knows of a database that exists. `Facts::default()` is one that does not exist yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Identifier of the instance.
    pub id: Option<String>,
    /// Full resource name of the instance.
    pub arn: Option<String>,
    /// Identifier that survives renaming.
    pub resource_id: Option<String>,
    /// Host applications connect to, without a port.
    pub host: Option<String>,
    /// Port applications connect to: the pooler's where that stands in the server's place.
    pub port: Option<u16>,
    /// Name of the database, where the target's differs from the block's.
    pub database_name: Option<String>,
    /// Name of the administrator role, where the target's differs from the block's.
    pub username: Option<String>,
    /// Host of the pooler in front of the instance, without a port.
    pub pooler: Option<String>,
    /// The read replicas, in order.
    pub replicas: Vec<Replica>,
    /// One way to all replicas, `host:port`, where the target has one.
    pub reader: Option<String>,
    /// The firewall object.
    pub security_group: Named,
    /// The subnet group.
    pub subnet_group: Named,
    /// The set of PostgreSQL settings in force.
    pub parameter_group: Named,
    /// Role or endpoint of OS-level monitoring.
    pub monitoring_arn: Option<String>,
    /// Name of the secret that holds the credentials.
    pub secret: Option<String>,
    /// File libpq finds the password in (`~/.pgpass` format).
    pub passfile: Option<String>,
    /// Certificate of the authority that signed the server's; with it a connection verifies the server fully.
    pub root_certificate: Option<String>,
    /// PostgreSQL version that runs.
    pub engine_version: Option<String>,
}

/// One read replica.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replica {
    /// Identifier.
    pub id: String,
    /// Full resource name.
    pub arn: String,
    /// Host, or `host:port` where replicas share one host.
    pub endpoint: String,
}

/// An object beside the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Identifier.
    pub id: Option<String>,
    /// Full resource name.
    pub arn: Option<String>,
}

/// Every output of the table.
pub fn outputs(spec: &Spec, facts: &Facts) -> Props {
    OUTPUTS.iter().map(|output| (output.name.to_owned(), value(output.name, spec, facts))).collect()
}

fn value(name: &str, spec: &Spec, facts: &Facts) -> Value {
    let text = |text: &Option<String>| Value::from(text.clone());
    let each =
        |part: fn(&Replica) -> &String| Value::List(facts.replicas.iter().map(|r| Value::text(part(r))).collect());
    match name {
        "db_instance_id" => text(&facts.id),
        "db_instance_arn" => text(&facts.arn),
        "db_instance_endpoint" => text(&facts.host),
        "db_instance_port" => facts.port.map(i64::from).into(),
        "db_instance_host_port" => address(facts).into(),
        "proxy_endpoint" => text(&facts.pooler),
        "db_instance_name" => database(spec, facts).into(),
        "db_instance_username" => username(spec, facts).into(),
        "db_instance_resource_id" => text(&facts.resource_id),
        "read_replica_endpoints" => each(|replica| &replica.endpoint),
        "read_replica_endpoint" => {
            facts.reader.clone().or_else(|| Some(facts.replicas.first()?.endpoint.clone())).into()
        }
        "read_replica_ids" => each(|replica| &replica.id),
        "read_replica_arns" => each(|replica| &replica.arn),
        "db_security_group_id" => text(&facts.security_group.id),
        "db_security_group_arn" => text(&facts.security_group.arn),
        "db_subnet_group_id" => text(&facts.subnet_group.id),
        "db_subnet_group_arn" => text(&facts.subnet_group.arn),
        "db_parameter_group_id" => text(&facts.parameter_group.id),
        "db_parameter_group_arn" => text(&facts.parameter_group.arn),
        "performance_insights_enabled" => spec.monitoring.insights.into(),
        "performance_insights_kms_key_id" => {
            // What is off has no key, though one may be written and wait.
            spec.monitoring.insights_kms_key_id.known().filter(|_| spec.monitoring.insights).cloned().into()
        }
        "enhanced_monitoring_arn" => text(&facts.monitoring_arn),
        "db_credentials_secret_arn" => text(&facts.secret),
        "flask_db_config" => environment(spec, facts).map(Value::Map).unwrap_or(Value::Null),
        "connection_string" => connection_string(spec, facts).into(),
        "effective" => Value::Map(effective(spec, facts)),
        other => unreachable!("the output {other} stands in the table and nowhere here"),
    }
}

/// The environment variables an application is started with (S1's Flask example), once there is a server to connect to.
fn environment(spec: &Spec, facts: &Facts) -> Option<Props> {
    let (host, port) = (facts.host.clone()?, facts.port?);
    Some(Props::from([
        ("DB_SECRET_ARN".to_owned(), facts.secret.clone().into()),
        ("DB_HOST".to_owned(), host.into()),
        ("DB_PORT".to_owned(), port.to_string().into()),
        ("DB_NAME".to_owned(), database(spec, facts).into()),
        ("DB_USER".to_owned(), username(spec, facts).into()),
        ("DB_SSLMODE".to_owned(), ssl_mode(facts).into()),
    ]))
}

/// A URL libpq connects with as it is. The password is not in it (Q4): no file that keeps outputs shall hold one.
fn connection_string(spec: &Spec, facts: &Facts) -> Option<String> {
    let mut url = format!(
        "postgresql://{}@{}/{}?sslmode={}",
        encoded(&username(spec, facts)),
        address(facts)?,
        encoded(&database(spec, facts)),
        ssl_mode(facts),
    );
    for (key, path) in [("passfile", &facts.passfile), ("sslrootcert", &facts.root_certificate)] {
        if let Some(path) = path {
            // A slash is plain in a query (RFC 3986, section 3.4), and a path reads better with it.
            url += &format!("&{key}={}", encoded(path).replace("%2F", "/"));
        }
    }
    Some(url)
}

/// `host:port`, an IPv6 address in brackets.
fn address(facts: &Facts) -> Option<String> {
    let (host, port) = (facts.host.as_deref()?, facts.port?);
    Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

fn database(spec: &Spec, facts: &Facts) -> String {
    facts.database_name.clone().unwrap_or_else(|| spec.database_name.clone())
}

fn username(spec: &Spec, facts: &Facts) -> String {
    facts.username.clone().unwrap_or_else(|| spec.master_username.clone())
}

/// TLS is always required; the server's name is checked wherever there is a certificate to check it with.
fn ssl_mode(facts: &Facts) -> &'static str {
    if facts.root_certificate.is_some() { "verify-full" } else { "require" }
}

/// Every resolved setting as text: strings bare, everything else in HCL spelling.
fn effective(spec: &Spec, facts: &Facts) -> Props {
    let settings = spec.effective.iter().map(|(name, effective)| {
        let value = match effective.value.as_str() {
            "null" => Value::Null,
            value => Value::text(text::unquoted(value)),
        };
        (name.clone(), value)
    });
    let actual = facts.engine_version.clone().map(|version| ("engine_version_actual".to_owned(), version.into()));
    settings.chain(actual).collect()
}

/// Percent-encoded: all but the unreserved characters of RFC 3986, section 2.3.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cloud::Cloud;
    use crate::secret::Secret;
    use crate::spec::resolve;
    use crate::testing::block;

    fn spec(json: serde_json::Value) -> Spec {
        let (spec, _) = resolve(&block(json), Some(Cloud::Local));
        spec.expect("the target is given")
    }

    /// Every output, one a line, without the long `effective`.
    fn shown(outputs: &Props) -> String {
        let lines = OUTPUTS
            .iter()
            .filter(|output| output.name != "effective")
            .map(|output| format!("{} = {}\n", output.name, text::hcl(&outputs[output.name])));
        lines.collect()
    }

    fn facts() -> Facts {
        Facts {
            id: Some("orders".to_owned()),
            arn: Some("pgherd:local:orders".to_owned()),
            resource_id: Some("7574093850293321312".to_owned()),
            host: Some("127.0.0.1".to_owned()),
            port: Some(5510),
            replicas: vec![Replica {
                id: "n2".to_owned(),
                arn: "pgherd:local:orders/n2".to_owned(),
                endpoint: "127.0.0.1:5512".to_owned(),
            }],
            reader: Some("127.0.0.1:5511".to_owned()),
            parameter_group: Named { id: Some("generation 3".to_owned()), arn: None },
            secret: Some("/home/a b/secret.json".to_owned()),
            passfile: Some("/home/a b/pgpass".to_owned()),
            root_certificate: Some("/home/a b/ca.crt".to_owned()),
            engine_version: Some("15.18".to_owned()),
            ..Facts::default()
        }
    }

    #[test]
    fn of_a_database_that_runs() {
        let spec = spec(json!({"name": "orders", "master_password": "correct horse"}));
        let outputs = outputs(&spec, &facts());
        assert_eq!(spec.master_password.known().and_then(Secret::reveal), Some("correct horse"));
        assert!(!format!("{outputs:?}").contains("horse"));
        insta::assert_snapshot!(shown(&outputs));
    }

    #[test]
    fn of_a_database_that_does_not_exist_yet() {
        insta::assert_snapshot!(shown(&outputs(&spec(json!({})), &Facts::default())));
    }

    /// Every fact by a text of its own, so that none can stand where another belongs.
    #[test]
    fn each_fact_has_its_output() {
        let own = |text: &str| Some(text.to_owned());
        let both = |name: &str| Named { id: own(&format!("{name} id")), arn: own(&format!("{name} arn")) };
        let replica =
            |id: &str| Replica { id: id.to_owned(), arn: format!("{id} arn"), endpoint: format!("{id} endpoint") };
        let facts = Facts {
            database_name: own("defaultdb"),
            username: own("doadmin"),
            pooler: own("pooler"),
            replicas: vec![replica("first"), replica("second")],
            reader: None,
            security_group: both("security group"),
            subnet_group: both("subnet group"),
            parameter_group: both("parameter group"),
            monitoring_arn: own("monitoring arn"),
            passfile: None,
            ..facts()
        };
        let spec = spec(json!({"database_name": "orders", "enable_performance_insights": true}));
        insta::assert_snapshot!(shown(&outputs(&spec, &facts)));
    }

    /// A port without a host, or the other way round, is nothing to connect to.
    #[test]
    fn half_an_address_is_none() {
        for half in [Facts { host: None, ..facts() }, Facts { port: None, ..facts() }] {
            let outputs = outputs(&spec(json!({})), &half);
            for name in ["db_instance_host_port", "flask_db_config", "connection_string"] {
                assert_eq!(outputs[name], Value::Null, "{name}");
            }
        }
    }

    #[test]
    fn effective_has_every_setting_and_the_version_that_runs() {
        let outputs = outputs(&spec(json!({"name": "orders", "multi_az": true})), &facts());
        let effective = outputs["effective"].as_map().expect("a map");
        assert_eq!(effective["name"], "orders".into());
        assert_eq!(effective["multi_az"], "true".into());
        assert_eq!(effective["vpc_id"], Value::Null);
        assert_eq!(effective["engine_version_actual"], "15.18".into());
        assert_eq!(effective.len(), crate::variables::all().count() + 1);
    }

    #[test]
    fn a_key_is_there_with_what_it_encrypts() {
        let key = |on: bool| {
            let json = json!({"enable_performance_insights": on, "performance_insights_kms_key_id": "arn:aws:kms:k"});
            let (spec, _) = resolve(&block(json), Some(Cloud::Aws));
            outputs(&spec.expect("the target is given"), &Facts::default())["performance_insights_kms_key_id"].clone()
        };
        assert_eq!([key(true), key(false)], ["arn:aws:kms:k".into(), Value::Null]);
    }

    #[track_caller]
    fn check_url(user: &str, database: &str, host: &str, expected: &str) {
        let spec = spec(json!({"master_username": user, "database_name": database}));
        let facts = Facts { host: Some(host.to_owned()), port: Some(5432), ..Facts::default() };
        assert_eq!(outputs(&spec, &facts)["connection_string"], expected.into());
    }

    #[test]
    fn what_a_url_cannot_hold_is_encoded() {
        check_url("postgres", "orders", "db.example", "postgresql://postgres@db.example:5432/orders?sslmode=require");
        check_url("a@b:c/d", "x?y#z/ %", "db", "postgresql://a%40b%3Ac%2Fd@db:5432/x%3Fy%23z%2F%20%25?sslmode=require");
        check_url("café", "d&e", "db", "postgresql://caf%C3%A9@db:5432/d%26e?sslmode=require");
        check_url("u", "d", "::1", "postgresql://u@[::1]:5432/d?sslmode=require");
    }
}
