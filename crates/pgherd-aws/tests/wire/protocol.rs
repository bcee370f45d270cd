//! AWS's own cases of its protocols, as botocore keeps them: what goes out, what comes back.
//!
//! `Walk` turns a case's shapes into calls of ours, as the code of an API does by hand.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pgherd_aws::protocol::error::Refusal;
use pgherd_aws::protocol::json;
use pgherd_aws::protocol::xml::time;
use pgherd_aws::service::Protocol;
use pgherd_aws::{Element, Field, Fixed, Form, Service, Session};
use pgherd_core::secret::Secret;
use pgherd_http::{HeaderMap, HeaderName, HeaderValue, Policy, Response, StatusCode, Url};
use serde_json::{Map, Value, json};

use crate::recorded;

/// What a client of nine services has no need of, by the words in the names of the cases.
const NO_NEED: &[(&str, &str)] = &[
    ("EndpointTrait", "operations with a host of their own: none of ours has one"),
    ("ContentEncoding", "compressed requests: PutMetricData only, which is not sent"),
    ("HttpProvidedEncoding", "the same"),
    ("TokenAutoFill", "tokens that fill in themselves: whoever sends one makes it, since it must outlive an attempt"),
];

#[test]
fn forms_of_the_query_protocol() {
    check_input("input-query.json", Protocol::Query("2020-01-08"), 38, 5);
}

#[test]
fn forms_of_ec2() {
    check_input("input-ec2.json", Protocol::Ec2("2020-01-08"), 29, 5);
}

#[test]
fn json_that_goes_out() {
    check_input("input-json.json", Protocol::Json("JsonProtocol"), 54, 4);
}

#[test]
fn answers_of_the_query_protocol() {
    check_output("output-query.json", Protocol::Query("2020-01-08"), 38);
}

#[test]
fn answers_of_ec2() {
    check_output("output-ec2.json", Protocol::Ec2("2020-01-08"), 29);
}

#[test]
fn json_that_comes_back() {
    check_output("output-json.json", Protocol::Json("JsonProtocol"), 58);
}

/// Answers of RDS as they were, with what botocore reads in them.
#[test]
fn recorded_answers_of_rds() {
    let Some(folder) = recorded("the recorded answers of RDS", "rds-xml") else {
        return;
    };
    let read = |file: &str, action: &str| {
        Element::answer(&fs::read(folder.join(file)).expect("a recording"), action).expect("an answer")
    };
    let root = read("responses_rds-describe-db-instances.xml", "DescribeDBInstances");
    let instance = root.list("DBInstances", "DBInstance").next();
    let instance = instance.expect("an instance");
    insta::assert_debug_snapshot!(
        (
            instance.text("DBInstanceIdentifier"),
            instance.text("Endpoint/Address"),
            instance.int("Endpoint/Port"),
            instance.bool("MultiAZ"),
            instance.time("InstanceCreateTime"),
            instance.list("DBSecurityGroups", "DBSecurityGroup").map(|group| group.text("Status")).collect::<Vec<_>>(),
        ),
        @r#"
    (
        Some(
            "simcoprod01",
        ),
        Some(
            "simcoprod01.cu7u2t4uz396.us-east-1.rds.amazonaws.com",
        ),
        Some(
            3306,
        ),
        Some(
            false,
        ),
        Some(
            2011-05-23T06:06:43.11Z,
        ),
        [
            Some(
                "active",
            ),
        ],
    )
    "#
    );
    for (file, path, member, count) in [
        ("responses_rds-describe-db-engine-versions.xml", "DBEngineVersions", "DBEngineVersion", 20),
        ("responses_rds-describe-db-parameter-groups.xml", "DBParameterGroups", "DBParameterGroup", 1),
        ("responses_rds-describe-db-snapshots.xml", "DBSnapshots", "DBSnapshot", 3),
        ("responses_rds-describe-db-subnet-groups.xml", "DBSubnetGroups", "DBSubnetGroup", 2),
        ("responses_rds-describe-events.xml", "Events", "Event", 5),
    ] {
        let root = read(file, &format!("Describe{path}"));
        assert_eq!(root.list(path, member).count(), count, "{file}");
    }
    let error = fs::read(folder.join("errors_rds-describe-db-instances.xml")).expect("a recording");
    let refusal = Refusal::read(Protocol::Query(""), &response(400, HeaderMap::new(), &error)).expect("a refusal");
    insta::assert_debug_snapshot!(refusal, @r#"
    Refusal {
        code: "DBInstanceNotFound",
        message: "DBInstance foobar not found.",
        request_id: "b41f03f1-b7f8-11e2-9b07-955bffd33505",
    }
    "#);
}

fn cases(file: &str) -> Option<Vec<(Walk, Value)>> {
    let path = recorded(&format!("the protocol cases {file}"), &format!("protocol/{file}"))?;
    let suites: Vec<Value> = serde_json::from_slice(&fs::read(path).expect("cases")).expect("JSON");
    let mut cases = Vec::new();
    for suite in suites {
        for case in suite["cases"].as_array().expect("cases") {
            let walk = Walk { shapes: suite["shapes"].clone(), flat: suite["metadata"]["protocol"] == "ec2" };
            let mut case = case.clone();
            case["endpoint"] = suite["clientEndpoint"].clone();
            cases.push((walk, case));
        }
    }
    Some(cases)
}

#[track_caller]
fn check_input(file: &str, protocol: Protocol, count: usize, no_need: usize) {
    let Some(cases) = cases(file) else {
        return;
    };
    let mut left_out = 0;
    for (walk, case) in &cases {
        let id = case["id"].as_str().expect("an id");
        if NO_NEED.iter().any(|(words, _)| id.contains(words) && !id.contains("AutoFillIsSet")) {
            left_out += 1;
            continue;
        }
        let action = case["given"]["name"].as_str().expect("a name");
        let shape = &case["given"]["input"];
        let given = &case["params"];
        let expected = &case["serialized"];
        match protocol {
            Protocol::Query(version) | Protocol::Ec2(version) => {
                let form = match walk.field(shape, given) {
                    Field::Part(part) => Form::new(action).and(part),
                    other => panic!("{id}: {}", matches!(other, Field::Absent)),
                };
                assert_eq!(fields(&form.encode(version)), fields(expected["body"].as_str().expect("a body")), "{id}");
            }
            Protocol::Json(target) => {
                let (headers, body) = json::request(target, action, &walk.sent(shape, given));
                if let Some(expected) = expected["body"].as_str().filter(|body| !body.is_empty()) {
                    let of = |text: &[u8]| serde_json::from_slice::<Value>(text).expect("JSON");
                    assert_eq!(of(&body), of(expected.as_bytes()), "{id}");
                }
                for (name, value) in expected["headers"].as_object().expect("headers") {
                    assert_eq!(headers[name.to_lowercase().as_str()], value.as_str().expect("a text"), "{id}");
                }
            }
        }
        if let Some(host) = expected["host"].as_str() {
            let url = endpoint(&format!("https://{host}"));
            assert_eq!(url.path(), expected["uri"].as_str().expect("a path"), "{id}");
        }
    }
    assert_eq!((cases.len(), left_out), (count, no_need));
}

#[track_caller]
fn check_output(file: &str, protocol: Protocol, count: usize) {
    let Some(cases) = cases(file) else {
        return;
    };
    for (walk, case) in &cases {
        let id = case["id"].as_str().expect("an id");
        let action = case["given"]["name"].as_str().expect("a name");
        let answer = &case["response"];
        let status = u16::try_from(answer["status_code"].as_u64().expect("a status")).expect("a status");
        let body = answer["body"].as_str().unwrap_or_default().as_bytes();
        if let Some(code) = case["errorCode"].as_str() {
            let refusal = Refusal::read(protocol, &response(status, headers(&answer["headers"]), body)).expect(id);
            assert_eq!(refusal.code, code, "{id}");
            if let Some(message) = case["errorMessage"].as_str() {
                assert_eq!(refusal.message, message, "{id}");
            }
            continue;
        }
        let shape = &case["given"]["output"];
        let read = match protocol {
            Protocol::Query(_) | Protocol::Ec2(_) => {
                walk.read_xml(shape, &Element::answer(body, action).expect(id)).unwrap_or_else(|| json!({}))
            }
            Protocol::Json(_) => walk.read_json(shape, &json::answer(body).expect(id)).unwrap_or_else(|| json!({})),
        };
        assert_eq!(read, case["result"], "{id}");
    }
    assert_eq!(cases.len(), count);
}

/// The shapes of a suite.
struct Walk {
    shapes: Value,
    /// EC2: all lists of requests are flat, names begin with a capital.
    flat: bool,
}

impl Walk {
    fn shape<'a>(&'a self, reference: &Value) -> &'a Value {
        &self.shapes[reference["shape"].as_str().unwrap_or_default()]
    }

    /// A setting of the place where a shape is used, or of the shape.
    fn of<'a>(&'a self, reference: &'a Value, name: &str) -> &'a Value {
        if reference[name].is_null() { &self.shape(reference)[name] } else { &reference[name] }
    }

    fn field(&self, reference: &Value, value: &Value) -> Field {
        let shape = self.shape(reference);
        match (shape["type"].as_str().unwrap_or_default(), value) {
            ("structure" | "", Value::Object(members)) => {
                let mut part = Form::part();
                for (name, value) in members {
                    let member = &shape["members"][name];
                    part = self.member(part, &self.name(member, name), member, value);
                }
                Field::Part(part)
            }
            ("blob", Value::String(text)) => Field::from(BASE64.encode(text)),
            ("timestamp", Value::Number(seconds)) => {
                let at = Timestamp::from_second(seconds.as_i64().expect("seconds")).expect("a time");
                match self.of(reference, "timestampFormat").as_str() {
                    Some("unixTimestamp") => Field::from(at.as_second()),
                    _ => Field::from(at),
                }
            }
            ("float" | "double", Value::String(text)) => Field::from(text.parse::<f64>().expect("a number")),
            (_, Value::String(text)) => Field::from(text),
            (_, Value::Bool(truth)) => Field::from(*truth),
            (_, Value::Number(number)) => match number.as_i64() {
                Some(whole) => Field::from(whole),
                None => Field::from(number.as_f64().expect("a number")),
            },
            (kind, value) => panic!("{kind}: {value}"),
        }
    }

    fn member(&self, part: Form, name: &str, reference: &Value, value: &Value) -> Form {
        let shape = self.shape(reference);
        let flat = self.flat || self.of(reference, "flattened") == &json!(true);
        match (shape["type"].as_str().unwrap_or_default(), value) {
            ("list", Value::Array(items)) if items.is_empty() && !self.flat => part.emptied(name),
            ("list", Value::Array(items)) => {
                let inner = &shape["member"];
                let items = items.iter().map(|item| self.field(inner, item));
                match flat {
                    true => part.flat(name, items),
                    false => part.list(name, inner["locationName"].as_str().unwrap_or("member"), items),
                }
            }
            ("map", Value::Object(entries)) => {
                let of = |side: &str| shape[side]["locationName"].as_str().unwrap_or(side).to_owned();
                let entries = entries.iter().map(|(key, value)| {
                    let entry = Form::part().set(&of("key"), key);
                    self.member(entry, &of("value"), &shape["value"], value)
                });
                if flat { part.flat(name, entries) } else { part.list(name, "entry", entries) }
            }
            _ => part.set(name, self.field(reference, value)),
        }
    }

    /// What a member is called in a form.
    fn name(&self, member: &Value, name: &str) -> String {
        if let Some(name) = member["queryName"].as_str().filter(|_| self.flat) {
            return name.to_owned();
        }
        let name = member["locationName"].as_str().unwrap_or(name);
        match self.flat {
            true => name[..1].to_uppercase() + &name[1..],
            false => name.to_owned(),
        }
    }

    /// What a value is in JSON that goes out.
    fn sent(&self, reference: &Value, value: &Value) -> Value {
        let shape = self.shape(reference);
        if self.of(reference, "jsonvalue") == &json!(true) {
            return value.clone();
        }
        match (shape["type"].as_str().unwrap_or_default(), value) {
            (_, Value::Null) => json!({}),
            ("structure", Value::Object(members)) => {
                let sent = members.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
                    let member = &shape["members"][name];
                    (member["locationName"].as_str().unwrap_or(name).to_owned(), self.sent(member, value))
                });
                Value::Object(if shape["document"] == true { members.clone() } else { sent.collect() })
            }
            ("map", Value::Object(entries)) => Value::Object(
                entries.iter().map(|(key, value)| (key.clone(), self.sent(&shape["value"], value))).collect(),
            ),
            ("list", Value::Array(items)) => items.iter().map(|item| self.sent(&shape["member"], item)).collect(),
            ("blob", Value::String(text)) => Value::String(BASE64.encode(text)),
            ("timestamp", Value::Number(seconds)) => {
                let at = Timestamp::from_second(seconds.as_i64().expect("seconds")).expect("a time");
                match self.of(reference, "timestampFormat").as_str() {
                    Some("iso8601") => Value::String(at.to_string()),
                    Some("rfc822") => {
                        let zoned = at.to_zoned(TimeZone::UTC);
                        Value::String(
                            jiff::fmt::rfc2822::DateTimePrinter::new()
                                .timestamp_to_rfc9110_string(&zoned.timestamp())
                                .expect("a date"),
                        )
                    }
                    _ => value.clone(),
                }
            }
            _ => value.clone(),
        }
    }

    fn read_xml(&self, reference: &Value, element: &Element) -> Option<Value> {
        let shape = self.shape(reference);
        let text = element.text.as_str();
        Some(match shape["type"].as_str()? {
            "structure" => {
                let mut read = Map::new();
                for (name, member) in shape["members"].as_object()? {
                    if let Some(value) = self.read_member(name, member, element) {
                        read.insert(name.clone(), value);
                    }
                }
                Value::Object(read)
            }
            "list" => self.items(shape, element.flat(shape["member"]["locationName"].as_str().unwrap_or("member"))),
            "map" => self.entries(shape, element.flat("entry")),
            kind => scalar(kind, text)?,
        })
    }

    fn read_member(&self, name: &str, member: &Value, element: &Element) -> Option<Value> {
        let shape = self.shape(member);
        let tag = member["locationName"].as_str().unwrap_or(name);
        if member["xmlAttribute"] == true {
            return Some(json!(element.attribute(tag)?));
        }
        if self.of(member, "flattened") == &json!(true) {
            let mut found = element.flat(tag).peekable();
            found.peek()?;
            return Some(match shape["type"].as_str()? {
                "list" => self.items(shape, found),
                _ => self.entries(shape, found),
            });
        }
        self.read_xml(member, element.at(tag)?)
    }

    fn items<'a>(&self, shape: &Value, found: impl Iterator<Item = &'a Element>) -> Value {
        found.filter_map(|item| self.read_xml(&shape["member"], item)).collect()
    }

    fn entries<'a>(&self, shape: &Value, found: impl Iterator<Item = &'a Element>) -> Value {
        let of = |side: &str| shape[side]["locationName"].as_str().unwrap_or(side).to_owned();
        let entry = |entry: &Element| {
            let value = self.read_xml(&shape["value"], entry.at(&of("value"))?)?;
            Some((entry.text(&of("key"))?.to_owned(), value))
        };
        Value::Object(found.filter_map(entry).collect())
    }

    fn read_json(&self, reference: &Value, value: &Value) -> Option<Value> {
        let shape = self.shape(reference);
        if self.of(reference, "jsonvalue") == &json!(true) {
            return serde_json::from_str(value.as_str()?).ok();
        }
        Some(match (shape["type"].as_str()?, value) {
            (_, Value::Null) => return None,
            ("structure", Value::Object(_)) if shape["document"] == true => value.clone(),
            ("structure", Value::Object(members)) => {
                let mut read = Map::new();
                for (name, member) in shape["members"].as_object()? {
                    let found = members.get(member["locationName"].as_str().unwrap_or(name));
                    if let Some(value) = found.and_then(|value| self.read_json(member, value)) {
                        read.insert(name.clone(), value);
                    }
                }
                Value::Object(read)
            }
            ("map", Value::Object(entries)) => {
                let read =
                    |(key, value): (&String, &Value)| Some((key.clone(), self.read_json(&shape["value"], value)?));
                Value::Object(entries.iter().filter_map(read).collect())
            }
            ("list", Value::Array(items)) => {
                items.iter().filter_map(|item| self.read_json(&shape["member"], item)).collect()
            }
            ("blob", Value::String(text)) => scalar("blob", text)?,
            ("timestamp", Value::String(text)) => scalar("timestamp", text)?,
            ("timestamp", Value::Number(number)) => scalar("timestamp", &number.to_string())?,
            _ => value.clone(),
        })
    }
}

fn scalar(kind: &str, text: &str) -> Option<Value> {
    let only = |text: &str| Element { text: text.to_owned(), ..Element::default() };
    let root = Element { children: vec![Element { name: "A".to_owned(), ..only(text) }], ..Element::default() };
    Some(match kind {
        "boolean" => json!(root.bool("A")?),
        "integer" | "long" => json!(root.int("A")?),
        "float" | "double" => match root.float("A")? {
            number if number.is_finite() => json!(number),
            number if number.is_nan() => json!("NaN"),
            number => json!(if number < 0.0 { "-Infinity" } else { "Infinity" }),
        },
        "blob" => json!(String::from_utf8(BASE64.decode(text).ok()?).ok()?),
        "timestamp" => seconds(time(text)?),
        _ => json!(text),
    })
}

fn seconds(at: Timestamp) -> Value {
    match at.subsec_millisecond() {
        0 => json!(at.as_second()),
        milliseconds => format!("{}.{milliseconds:03}", at.as_second())
            .parse::<f64>()
            .map(|number| json!(number))
            .expect("a number"),
    }
}

/// Fields without their order.
fn fields(body: &str) -> BTreeMap<String, String> {
    let field = |field: &str| field.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    body.split('&').map(|text| field(text).expect("name=value")).collect()
}

fn headers(given: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        let name = HeaderName::try_from(name.to_lowercase()).expect("a name");
        headers.insert(name, HeaderValue::try_from(value.as_str().expect("a text")).expect("a value"));
    }
    headers
}

fn response(status: u16, headers: HeaderMap, body: &[u8]) -> Response {
    Response { status: StatusCode::from_u16(status).expect("a status"), headers, body: Bytes::copy_from_slice(body) }
}

fn endpoint(url: &str) -> Url {
    let session = Session::of(Fixed {
        region: "us-east-1".to_owned(),
        access_key_id: "AKID".to_owned(),
        secret_access_key: Secret::new("secret"),
        session_token: None,
        endpoint: Some(Url::parse(url).expect("a URL")),
        policy: Policy::default(),
        answer_within: std::time::Duration::from_secs(1),
    });
    session.endpoint(Service::Rds, "us-east-1").url
}
