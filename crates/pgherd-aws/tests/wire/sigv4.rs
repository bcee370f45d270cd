//! AWS's own test suite of SigV4.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PercentEncodingMode, SessionTokenMode, SigningSettings};
use bytes::Bytes;
use pgherd_aws::sign::{Scope, presigned, signed_as};
use pgherd_http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Url};

use crate::recorded;

/// 20150830T123600Z.
const AT_S: u64 = 1_440_938_160;

/// How a case is signed, and why that is not as usual, where it is not: of such requests we send none.
fn settings(case: &str) -> SigningSettings {
    let mut settings = SigningSettings::default();
    match case {
        // A path is encoded before it is signed, and once more for the signature, as all services but S3 want. All that we send is `/`.
        "get-space" | "get-utf8" => settings.percent_encoding_mode = PercentEncodingMode::Single,
        // The token is added when all is signed; ours is always signed along.
        "post-sts-header-after" => settings.session_token_mode = SessionTokenMode::Exclude,
        _ => {}
    }
    settings
}

#[test]
fn the_vectors_of_aws_are_signed_alike() {
    let Some(folder) = recorded("the SigV4 vectors", "sigv4-testsuite") else {
        return;
    };
    let mut cases = Vec::new();
    collect(&folder, &mut cases);
    assert_eq!(cases.len(), 34);
    for case in &cases {
        let name = case.file_stem().expect("a name").to_string_lossy();
        let read = |extension: &str| fs::read_to_string(case.with_extension(extension)).expect("a file of a case");
        let ours = authorization(&read("req"), token(&read("sreq")), settings(&name));
        assert_eq!(ours, read("authz").trim(), "{name}");
    }
}

/// Made by botocore 1.43.11 (`SigV4QueryAuth`) for the same request, keys and time.
#[test]
fn a_url_signed_beforehand_is_botocores() {
    let url = "https://rds.eu-west-1.amazonaws.com/?Action=CreateDBInstanceReadReplica&DestinationRegion=us-east-1&SourceDBInstanceIdentifier=arn%3Aaws%3Ards%3Aeu-west-1%3A123456789012%3Adb%3Aorders&Version=2014-10-31";
    let scope = Scope { region: "eu-west-1", service: "rds" };
    let url =
        presigned(Url::parse(url).expect("a URL"), &keys(Some("to/ken+=")), scope, at(), Duration::from_secs(3600));
    let parameters: BTreeMap<_, _> = url.expect("signs").query_pairs().into_owned().collect();
    insta::assert_snapshot!(format!("{parameters:#?}"), @r#"
    {
        "Action": "CreateDBInstanceReadReplica",
        "DestinationRegion": "us-east-1",
        "SourceDBInstanceIdentifier": "arn:aws:rds:eu-west-1:123456789012:db:orders",
        "Version": "2014-10-31",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "AKIDEXAMPLE/20150830/eu-west-1/rds/aws4_request",
        "X-Amz-Date": "20150830T123600Z",
        "X-Amz-Expires": "3600",
        "X-Amz-Security-Token": "to/ken+=",
        "X-Amz-Signature": "d61c02d5fde5b51592bcec17cecb06941f7074615bc5bc93f6eb1feec553afc6",
        "X-Amz-SignedHeaders": "host",
    }
    "#);
}

fn authorization(case: &str, token: Option<&str>, settings: SigningSettings) -> String {
    let scope = Scope { region: "us-east-1", service: "service" };
    let request = signed_as(request(case), &keys(token), scope, at(), settings).expect("signs");
    request.headers["authorization"].to_str().expect("ASCII").to_owned()
}

/// The token with which a case was signed, as the signed request shows.
fn token(signed: &str) -> Option<&str> {
    signed.lines().find_map(|line| line.strip_prefix("X-Amz-Security-Token:"))
}

fn keys(token: Option<&str>) -> Credentials {
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), None, "given")
}

fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(AT_S)
}

/// A request as it would stand on the wire: a line, headers of which some go on in the next line, a body.
fn request(text: &str) -> Request {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let line = lines.next().expect("a first line").strip_suffix(" HTTP/1.1").expect("HTTP/1.1");
    let (method, target) = line.split_once(' ').expect("method and target");
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if !line.starts_with(' ') => headers.push((name.to_owned(), value.to_owned())),
            Some(_) | None => {
                let (_, value) = headers.last_mut().expect("a line to go on from");
                value.push(' ');
                value.push_str(line);
            }
        }
    }
    let mut host = String::new();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("host") {
            host = value;
            continue;
        }
        let name = HeaderName::try_from(name).expect("a name");
        map.append(name, HeaderValue::try_from(value.trim()).expect("a value"));
    }
    Request {
        method: Method::try_from(method).expect("a method"),
        url: Url::parse(&format!("https://{host}{target}")).expect("a URL"),
        headers: map,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn collect(folder: &Path, cases: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, cases);
        } else if path.extension().is_some_and(|extension| extension == "req") {
            cases.push(path);
        }
    }
}
