//! Sessions as they are found: each in a process with an environment of its own, against servers on loopback.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::response::Response;
use jiff::Timestamp;
use pgherd_aws::{Account, Form, Service, Session};
use pgherd_engine::provider::ProviderError;
use pgherd_http::Safety;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::server::{Asked, Server, answer, refusal};

/// What the child does, since this very program is its own child.
const CHILD: &str = "sessions::the_child_that_the_others_start";
const MARK: &str = "the child says: ";

/// A home without anything in it.
struct World {
    home: TempDir,
    environment: Vec<(String, String)>,
}

impl World {
    fn new() -> Self {
        let home = TempDir::new().expect("a folder");
        let mut world = Self { home, environment: Vec::new() };
        let path = |name: &str| world.home.path().join(name).display().to_string();
        for (name, value) in [
            ("HOME", world.home.path().display().to_string()),
            ("AWS_CONFIG_FILE", path("config")),
            ("AWS_SHARED_CREDENTIALS_FILE", path("credentials")),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            // Nothing on loopback takes a proxy; whatever did would fail.
            ("HTTP_PROXY", "http://127.0.0.1:1".to_owned()),
            ("HTTPS_PROXY", "http://127.0.0.1:1".to_owned()),
            ("PATH", "/usr/bin:/bin".to_owned()),
        ] {
            world.environment.push((name.to_owned(), value));
        }
        world
    }

    fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("a file");
        self
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    /// What the child says.
    async fn says(&self) -> Value {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", CHILD, "--nocapture"])
            .env_clear()
            .envs(self.environment.iter().cloned())
            .output()
            .await
            .expect("a child");
        let text = String::from_utf8_lossy(&output.stdout);
        let said = text.lines().find_map(|line| line.split_once(MARK));
        let (_, said) = said.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
        serde_json::from_str(said).expect("JSON")
    }
}

#[tokio::test]
#[ignore = "it is started by the other tests, with an environment of its own"]
async fn the_child_that_the_others_start() {
    let of = |name: &str| std::env::var(name).ok();
    let account =
        Account { profile: of("CHILD_PROFILE"), region: of("CHILD_USUAL_REGION"), endpoint: of("CHILD_ENDPOINT") };
    let session = match Session::load_as(&account, of("CHILD_REGION").as_deref()).await {
        Ok(session) => session,
        Err(error) => return say(&told(&error)),
    };
    let endpoints: serde_json::Map<_, _> = Service::ALL
        .into_iter()
        .map(|service| (service.id().to_owned(), json!(session.endpoint(service, session.region()).url.as_str())))
        .collect();
    if std::env::var("CHILD_ASKS_NOBODY").is_ok_and(|nobody| !nobody.is_empty()) {
        return say(&json!({ "region": session.region(), "endpoints": endpoints }));
    }
    let mut who = Vec::new();
    for _ in 0..std::env::var("CHILD_CALLS").map_or(1, |calls| calls.parse().expect("a number")) {
        let form = Form::new("GetCallerIdentity");
        match session.query(Service::Sts, session.region(), form, Safety::Repeatable).await {
            Ok(identity) => who.push(identity.text("Arn").unwrap_or_default().to_owned()),
            Err(error) => return say(&told(&ProviderError::from(error))),
        }
    }
    say(&json!({ "region": session.region(), "who": who, "calls": session.calls() }));
}

fn told(error: &ProviderError) -> Value {
    json!({ "kind": error.kind, "message": error.message, "help": error.help })
}

#[expect(clippy::print_stdout, reason = "it is how a child tells its parent")]
fn say(what: &Value) {
    println!("{MARK}{what}");
}

/// STS: says who asks by the key and token of the signature, and gives out roles.
fn sts(asked: &Asked) -> Response {
    let until = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let key = asked.header("authorization").split(['=', '/']).nth(1).unwrap_or_default();
    let token = asked.header("x-amz-security-token");
    let action = asked.body.split('&').find_map(|field| field.strip_prefix("Action=")).unwrap_or_default();
    let result = match action {
        "GetCallerIdentity" => format!("<Arn>{key} with {token}</Arn>"),
        _ => format!(
            "<Credentials><AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>role-token</SessionToken><Expiration>{until}</Expiration></Credentials>"
        ),
    };
    answer(200, &[], format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"))
}

/// Credentials as containers and machines get them.
fn given(key: &str, lasting: jiff::SignedDuration) -> Response {
    let body = json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "LastUpdated": Timestamp::now().to_string(),
        "AccessKeyId": key,
        "SecretAccessKey": "s",
        "Token": "given-token",
        "Expiration": (Timestamp::now() + lasting).to_string(),
    });
    answer(200, &[("content-type", "application/json")], body.to_string())
}

async fn server() -> Server {
    Server::start(|_, asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", "/latest/api/token") => {
            answer(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "metadata-token")
        }
        ("GET", path)
            if path.starts_with("/latest/") && asked.header("x-aws-ec2-metadata-token") != "metadata-token" =>
        {
            answer(401, &[], "")
        }
        ("GET", "/latest/meta-data/placement/region") => answer(200, &[], "ap-southeast-2"),
        (
            "GET",
            "/latest/meta-data/iam/security-credentials/" | "/latest/meta-data/iam/security-credentials-extended/",
        ) => answer(200, &[], "machine-role"),
        ("GET", path) if path.ends_with("/machine-role") => given("AKIDMACHINE", jiff::SignedDuration::from_hours(1)),
        ("GET", "/container") if asked.header("authorization") == "container-token" => {
            given("AKIDCONTAINER", jiff::SignedDuration::from_hours(1))
        }
        ("GET", path) if path.starts_with("/federation/credentials") => {
            let until = (Timestamp::now() + jiff::SignedDuration::from_hours(1)).as_millisecond();
            let token = asked.header("x-amz-sso_bearer_token");
            let body = json!({ "roleCredentials": {
                "accessKeyId": "AKIDSSO", "secretAccessKey": "s", "sessionToken": token, "expiration": until,
            } });
            answer(200, &[], body.to_string())
        }
        ("POST", _) => sts(asked),
        _ => answer(404, &[], ""),
    })
    .await
}

/// Who the child is, in which region.
async fn check(world: World, region: &str, who: &str) {
    let said = world.says().await;
    assert_eq!((&said["region"], &said["who"][0]), (&json!(region), &json!(who)), "{said}");
}

#[tokio::test]
async fn from_the_environment() {
    let server = server().await;
    let world = World::new()
        .set("AWS_ENDPOINT_URL", server.url.as_str())
        .set("AWS_REGION", "eu-west-3")
        .set("AWS_ACCESS_KEY_ID", "AKIDENV")
        .set("AWS_SECRET_ACCESS_KEY", "s")
        .set("AWS_SESSION_TOKEN", "env-token");
    check(world, "eu-west-3", "AKIDENV with env-token").await;
}

#[tokio::test]
async fn from_a_profile() {
    let server = server().await;
    let config = format!("[profile staging]\nregion = eu-north-1\nendpoint_url = {}\n", server.url);
    let world = World::new()
        .file("config", &config)
        .file("credentials", "[staging]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n")
        .set("AWS_PROFILE", "staging");
    check(world, "eu-north-1", "AKIDPROFILE with ").await;
}

#[tokio::test]
async fn the_region_that_is_given_wins() {
    let server = server().await;
    let world = World::new()
        .set("AWS_ENDPOINT_URL", server.url.as_str())
        .set("AWS_REGION", "eu-west-3")
        .set("CHILD_REGION", "sa-east-1")
        .set("AWS_ACCESS_KEY_ID", "AKIDENV")
        .set("AWS_SECRET_ACCESS_KEY", "s");
    check(world, "sa-east-1", "AKIDENV with ").await;
}

/// As with `--profile` of AWS's command line: keys of the environment are somebody else's.
#[tokio::test]
async fn from_a_profile_that_is_named_whatever_the_environment_holds() {
    let server = server().await;
    let config = format!(
        "[profile staging]\nregion = eu-north-1\nendpoint_url = {}\n[profile dba]\nrole_arn = arn:aws:iam::123456789012:role/dba\n\
         region = us-east-2\nsource_profile = staging\n",
        server.url
    );
    let world = || {
        World::new()
            .file("config", &config)
            .file("credentials", "[staging]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n")
            .set("AWS_ACCESS_KEY_ID", "AKIDENV")
            .set("AWS_SECRET_ACCESS_KEY", "s")
            .set("AWS_PROFILE", "absent")
    };
    check(world().set("CHILD_PROFILE", "staging"), "eu-north-1", "AKIDPROFILE with ").await;
    let role = world().set("CHILD_PROFILE", "dba").set("AWS_ENDPOINT_URL_STS", server.url.as_str());
    check(role, "us-east-2", "AKIDROLE with role-token").await;
    let said = world().set("CHILD_PROFILE", "nobody").set("AWS_REGION", "eu-north-1").says().await;
    assert!(said["message"].as_str().is_some_and(|words| words.contains("the profile is \"nobody\"")), "{said}");
}

#[tokio::test]
async fn what_is_said_of_an_account_wins_over_the_environment() {
    let server = server().await;
    let world = World::new()
        .set("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
        .set("CHILD_ENDPOINT", server.url.as_str())
        .set("AWS_REGION", "eu-west-3")
        .set("CHILD_USUAL_REGION", "sa-east-1")
        .set("AWS_ACCESS_KEY_ID", "AKIDENV")
        .set("AWS_SECRET_ACCESS_KEY", "s");
    check(world, "sa-east-1", "AKIDENV with ").await;
    let said = World::new().set("CHILD_ENDPOINT", "ftp://shop").set("AWS_REGION", "eu-west-3").says().await;
    assert_eq!(said["message"], json!("the endpoint that is given is no http or https URL"));
}

#[tokio::test]
async fn from_a_role_that_a_profile_assumes() {
    let server = server().await;
    let config = "[default]\nregion = us-east-2\nrole_arn = arn:aws:iam::123456789012:role/dba\nsource_profile = base\n\
         [profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n";
    let world = World::new().file("config", config).set("AWS_ENDPOINT_URL_STS", server.url.as_str());
    check(world, "us-east-2", "AKIDROLE with role-token").await;
    assert!(server.asked()[0].body.contains("Action=AssumeRole&"), "{}", server.asked()[0].body);
    assert!(server.asked()[0].header("authorization").contains("AKIDBASE"));
}

#[tokio::test]
async fn from_a_process() {
    let server = server().await;
    let world = World::new();
    let program = world.path("give");
    let config =
        format!("[default]\nregion = us-east-2\nendpoint_url = {}\ncredential_process = {program}\n", server.url);
    let world = world.file("config", &config).file(
        "give",
        "#!/bin/sh\necho '{\"Version\": 1, \"AccessKeyId\": \"AKIDPROCESS\", \"SecretAccessKey\": \"s\", \"SessionToken\": \"process-token\"}'\n",
    );
    executable(Path::new(&program));
    check(world, "us-east-2", "AKIDPROCESS with process-token").await;
}

#[tokio::test]
async fn from_a_web_identity() {
    let server = server().await;
    let world = World::new().file("token", "web-token");
    let token = world.path("token");
    let world = world
        .set("AWS_ENDPOINT_URL", server.url.as_str())
        .set("AWS_REGION", "eu-central-1")
        .set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", token);
    check(world, "eu-central-1", "AKIDROLE with role-token").await;
    let asked = &server.asked()[0].body;
    assert!(
        asked.contains("Action=AssumeRoleWithWebIdentity&") && asked.contains("WebIdentityToken=web-token"),
        "{asked}"
    );
}

#[tokio::test]
async fn from_a_container() {
    let server = server().await;
    let world = World::new()
        .set("AWS_ENDPOINT_URL", server.url.as_str())
        .set("AWS_REGION", "eu-central-1")
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}container", server.url))
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token");
    check(world, "eu-central-1", "AKIDCONTAINER with given-token").await;
}

#[tokio::test]
async fn from_the_machine_with_its_region() {
    let server = server().await;
    let world = World::new()
        .set("AWS_ENDPOINT_URL", server.url.as_str())
        .set("AWS_EC2_METADATA_DISABLED", "false")
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url.as_str());
    check(world, "ap-southeast-2", "AKIDMACHINE with given-token").await;
}

#[tokio::test]
async fn from_single_sign_on() {
    let server = server().await;
    let config = "[default]\nregion = eu-west-1\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = dba\n\
                  [sso-session work]\nsso_region = eu-west-1\nsso_start_url = https://work.awsapps.test/start\n";
    let until = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let token = json!({ "accessToken": "sso-token", "expiresAt": until.to_string(), "region": "eu-west-1" });
    // The cache's file is called by the SHA-1 of the session's name.
    let world = World::new()
        .file("config", config)
        .file(".aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json", &token.to_string())
        .set("AWS_ENDPOINT_URL", server.url.as_str());
    check(world, "eu-west-1", "AKIDSSO with sso-token").await;
}

/// They are over in 2 minutes, and new ones are asked for 5 minutes before that.
#[tokio::test]
async fn credentials_are_renewed_before_they_are_over() {
    let server = Server::start(|nth, asked| match asked.path.as_str() {
        "/container" => given(&format!("AKID{nth}"), jiff::SignedDuration::from_mins(2)),
        _ => sts(asked),
    })
    .await;
    let said = of_container(&server).set("CHILD_CALLS", "2").says().await;
    assert_eq!(said["who"], json!(["AKID2 with given-token", "AKID4 with given-token"]), "{said}");
}

#[tokio::test]
async fn credentials_that_last_are_asked_for_once() {
    let server = Server::start(|nth, asked| match asked.path.as_str() {
        "/container" => given(&format!("AKID{nth}"), jiff::SignedDuration::from_hours(1)),
        _ => sts(asked),
    })
    .await;
    let said = of_container(&server).set("CHILD_CALLS", "3").says().await;
    assert_eq!((&said["who"], &said["calls"]), (&json!(vec!["AKID1 with given-token"; 3]), &json!(3)), "{said}");
}

#[tokio::test]
async fn expired_credentials_are_exchanged_once() {
    let server =
        Server::start(|nth, asked| match (asked.path.as_str(), asked.header("authorization").contains("AKID1/")) {
            ("/container", _) => given(&format!("AKID{nth}"), jiff::SignedDuration::from_hours(1)),
            (_, true) => refusal(403, "ExpiredToken", "over"),
            (_, false) => sts(asked),
        })
        .await;
    let said = of_container(&server).says().await;
    assert_eq!((&said["who"], &said["calls"]), (&json!(["AKID3 with given-token"]), &json!(2)), "{said}");
}

fn of_container(server: &Server) -> World {
    World::new()
        .set("AWS_ENDPOINT_URL", server.url.as_str())
        .set("AWS_REGION", "eu-central-1")
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}container", server.url))
}

/// Makes a program of it, in a file that this process never had open for writing: what it starts meanwhile would inherit that, and
/// a program that somebody may write to is "busy".
fn executable(path: &Path) {
    let copy = r#"cp "$0" "$0.new" && chmod 700 "$0.new" && mv "$0.new" "$0""#;
    let made = std::process::Command::new("sh").arg("-c").arg(copy).arg(path).status();
    assert!(made.expect("a shell").success());
}

/// It takes nobody anywhere: that it was asked is enough.
#[tokio::test]
async fn aws_is_reached_through_the_proxy_of_the_environment() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = format!("http://{}", listener.local_addr().expect("an address"));
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&asked);
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            stream.read_line(&mut line).await.expect("a line");
            log.lock().expect("nobody panics with it").push(line);
            stream.write_all(b"HTTP/1.1 403 no\r\ncontent-length: 0\r\n\r\n").await.expect("an answer");
        }
    });
    let world = of_keys().set("HTTPS_PROXY", &proxy).set("CHILD_ASKS_NOBODY", "");
    let said = refused(world).await;
    serving.abort();
    insta::assert_snapshot!(said, @r"
    unavailable: sts:GetCallerIdentity: no connection to sts.eu-west-3.amazonaws.com: tunnel error: unsuccessful
    look at the network, at HTTPS_PROXY and at the region
    ");
    let asked = asked.lock().expect("nobody panics with it");
    assert!(asked.iter().all(|line| line == "CONNECT sts.eu-west-3.amazonaws.com:443 HTTP/1.1\r\n"), "{asked:?}");
    assert_eq!(asked.len(), 4);
}

fn of_keys() -> World {
    World::new()
        .set("AWS_REGION", "eu-west-3")
        .set("AWS_ACCESS_KEY_ID", "AKIDENV")
        .set("AWS_SECRET_ACCESS_KEY", "s")
        .set("CHILD_ASKS_NOBODY", "1")
}

/// Where RDS, Secrets Manager and KMS are.
async fn check_endpoints(world: World, expected: [&str; 3]) {
    let said = world.says().await;
    let found =
        ["RDS", "Secrets Manager", "KMS"].map(|service| said["endpoints"][service].as_str().unwrap_or_default());
    assert_eq!(found, expected, "{said}");
}

const OF_AWS: [&str; 3] = [
    "https://rds.eu-west-3.amazonaws.com/",
    "https://secretsmanager.eu-west-3.amazonaws.com/",
    "https://kms.eu-west-3.amazonaws.com/",
];
const CONFIG: &str = "[default]\nservices = here\nendpoint_url = http://profile.test\n\
                      [services here]\nsecrets_manager =\n  endpoint_url = http://section.test/below\n";

#[tokio::test]
async fn endpoints_are_those_of_aws_unless_somebody_says_otherwise() {
    check_endpoints(of_keys(), OF_AWS).await;
}

#[tokio::test]
async fn endpoints_of_the_environment_the_service_first() {
    let world = of_keys()
        .set("AWS_ENDPOINT_URL", "http://all.test")
        .set("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://secrets.test:8080")
        .file("config", CONFIG);
    check_endpoints(world, ["http://all.test/", "http://secrets.test:8080/", "http://all.test/"]).await;
}

#[tokio::test]
async fn endpoints_of_the_profile_the_service_first() {
    let expected = ["http://profile.test/", "http://section.test/below/", "http://profile.test/"];
    check_endpoints(of_keys().file("config", CONFIG), expected).await;
}

#[tokio::test]
async fn endpoints_that_are_to_be_ignored_are() {
    let world = of_keys()
        .set("AWS_ENDPOINT_URL", "http://all.test")
        .set("AWS_ENDPOINT_URL_KMS", "http://kms.test")
        .set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        .file("config", CONFIG);
    check_endpoints(world, OF_AWS).await;
}

#[tokio::test]
async fn fips_is_kept() {
    let expected = [
        "https://rds-fips.eu-west-3.amazonaws.com/",
        "https://secretsmanager-fips.eu-west-3.amazonaws.com/",
        "https://kms-fips.eu-west-3.amazonaws.com/",
    ];
    check_endpoints(of_keys().set("AWS_USE_FIPS_ENDPOINT", "true"), expected).await;
}

/// Kind, message and help of a session that cannot be had.
async fn refused(world: World) -> String {
    let said = world.says().await;
    let home = world.home.path().display().to_string();
    let of = |name: &str| said[name].as_str().unwrap_or_else(|| panic!("{said}")).replace(&home, "HOME");
    format!("{}: {}\n{}", of("kind"), of("message"), of("help"))
}

#[tokio::test]
async fn without_credentials_the_places_are_named() {
    insta::assert_snapshot!(refused(World::new().set("AWS_REGION", "eu-west-3")).await, @r"
    denied: there are no credentials for AWS
    set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; looked in the environment, ~/.aws/config, ~/.aws/credentials, AWS_WEB_IDENTITY_TOKEN_FILE, the container's and the machine's role
    ");
}

#[tokio::test]
async fn without_a_region_it_ends() {
    let world = World::new().set("AWS_ACCESS_KEY_ID", "AKIDENV").set("AWS_SECRET_ACCESS_KEY", "s");
    insta::assert_snapshot!(refused(world).await, @r"
    invalid: there is no region for AWS
    write aws_region in the block, or set AWS_REGION
    ");
    let world = of_keys().set("CHILD_REGION", "eu-west-3.evil.test");
    insta::assert_snapshot!(refused(world).await, @r#"
    invalid: "eu-west-3.evil.test" is no region of AWS
    write aws_region in the block, or set AWS_REGION
    "#);
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_ends_it() {
    insta::assert_snapshot!(refused(of_keys().set("AWS_ENDPOINT_URL_RDS", "localhost:5000")).await, @r"
    invalid: the endpoint URL of RDS is no http or https URL
    AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE> or endpoint_url of the profile says it; AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true leaves all of them out
    ");
}

#[tokio::test]
async fn authorities_that_cannot_be_read_end_it() {
    insta::assert_snapshot!(refused(of_keys().set("AWS_CA_BUNDLE", "/nowhere/ca.pem")).await, @r"
    invalid: the certificate authorities in /nowhere/ca.pem cannot be read: No such file or directory (os error 2)
    AWS_CA_BUNDLE or ca_bundle of the profile names that file
    ");
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_named() {
    let world = World::new().set("AWS_REGION", "eu-west-3").set("AWS_PROFILE", "nobody").file("config", "[default]\n");
    insta::assert_snapshot!(refused(world).await, @r#"
    denied: there are no credentials for AWS, AWS_PROFILE is "nobody"
    set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; looked in the environment, ~/.aws/config, ~/.aws/credentials, AWS_WEB_IDENTITY_TOKEN_FILE, the container's and the machine's role
    "#);
}

/// Credentials that cannot be had, for reasons that have secrets next to them. None of them is told.
#[tokio::test]
async fn whoever_gives_no_credentials_gives_no_secrets_away() {
    let server = Server::start(|_, asked| {
        let web = asked.body.split('&').find(|field| field.starts_with("WebIdentityToken")).unwrap_or_default();
        let signed = asked.header("authorization").starts_with("AWS4");
        let all = format!(
            "{} {} {web}",
            asked.header("x-amz-security-token"),
            if signed { "" } else { asked.header("authorization") }
        );
        match asked.path.as_str() {
            "/container" => answer(400, &[], json!({ "code": "Refused", "message": all }).to_string()),
            _ => refusal(403, "AccessDenied", &all),
        }
    })
    .await;
    let of = |text: &str| World::new().set("AWS_REGION", "eu-west-3").file("config", text);
    let program = |world: World, script: &str| {
        let path = world.path("give");
        let world = world
            .file("give", script)
            .file("config", &format!("[default]\ncredential_process = {path} --password hunter2-argument\n"));
        executable(Path::new(&path));
        world
    };
    let web = World::new().file("token", "hunter2-web");
    let token = web.path("token");
    let worlds = [
        program(of(""), "#!/bin/sh\necho '{\"Version\": 1, \"AccessKeyId\": \"AKID\", \"SecretAccessKey\": \"hunter2-process'\n"),
        program(of(""), "#!/bin/sh\necho hunter2-process; echo log in first >&2; exit 1\n"),
        of("[default]\naws_access_key_id = AKID\naws_secret_access_key : hunter2-colon\n"),
        of("[default]\nhunter2-line\n"),
        of("[default]\naws_access_key_id = AKID\n"),
        web.set("AWS_REGION", "eu-west-3")
            .set("AWS_ENDPOINT_URL_STS", server.url.as_str())
            .set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")
            .set("AWS_WEB_IDENTITY_TOKEN_FILE", token),
        of_container(&server).set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2-container"),
        of("[default]\nrole_arn = arn:aws:iam::123456789012:role/dba\nsource_profile = base\n\
            [profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = hunter2-base\naws_session_token = hunter2-token\n")
        .set("AWS_ENDPOINT_URL_STS", server.url.as_str()),
    ];
    let mut all = String::new();
    for world in worlds {
        all.push_str(&refused(world).await.replace(server.url.as_str(), "SERVER/"));
        all.push_str("\n\n");
    }
    assert!(!all.contains("hunter2"), "{all}");
    insta::assert_snapshot!(all, @r"
    denied: the credentials for AWS cannot be had: an error occurred while loading credentials: Error retrieving credentials from external process, could not parse response: invalid JSON in response: Error at offset 73: encountered unescaped control character in string: 0xA
    `aws sts get-caller-identity` with the same environment asks for the same

    denied: the credentials for AWS cannot be had: an error occurred while loading credentials: Error retrieving credentials: external process exited with code exit status: 1. Stderr: log in first
    `aws sts get-caller-identity` with the same environment asks for the same

    denied: the credentials for AWS cannot be had: ProfileFile provider could not be built: invalid profile: could not parse profile file
    `aws sts get-caller-identity` with the same environment asks for the same

    denied: the credentials for AWS cannot be had: ProfileFile provider could not be built: invalid profile: could not parse profile file
    `aws sts get-caller-identity` with the same environment asks for the same

    denied: the credentials for AWS cannot be had: ProfileFile provider could not be built: invalid credential source in `default`: profile missing aws_secret_access_key
    `aws sts get-caller-identity` with the same environment asks for the same

    denied: the credentials for AWS cannot be had: 127.0.0.1: AccessDenied: WebIdentityToken=(secret)
    `aws sts get-caller-identity` with the same environment asks for the same

    denied: the credentials for AWS cannot be had: 127.0.0.1: Refused:  (secret)
    `aws sts get-caller-identity` with the same environment asks for the same

    denied: the credentials for AWS cannot be had: 127.0.0.1: AccessDenied: (secret)
    `aws sts get-caller-identity` with the same environment asks for the same
    ");
}
