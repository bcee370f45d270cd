//! Who is served, spoken to as Terraform speaks: TLS 1.3 with a P-521 authority as the client's certificate, HTTP/2, gRPC.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P521_SHA512};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::*;
use crate::protocol::pack::{pack, unpack};
use crate::protocol::wire;
use crate::protocol::{
    Answer, Apply, Attribute, Diagnostic, Function, Kept, Plan, Provider, Resource, Schema, Shape, Signature, Type,
    Value,
};

/// Notes, kept by nobody: the smallest resource that has everything.
struct Notes;

impl Notes {
    fn description() -> Schema {
        let text = |name: &str| Attribute::optional(name, Shape::Plain(Type::Text), "");
        let secret = Attribute { write_only: true, sensitive: true, ..text("secret") };
        let id = Attribute::computed("id", Type::Text, "");
        Schema { description: String::new(), attributes: vec![text("text"), secret, id], blocks: Vec::new() }
    }
}

#[async_trait]
impl Provider for Notes {
    fn schema(&self) -> &Schema {
        const NOTHING: &Schema = &Schema { description: String::new(), attributes: Vec::new(), blocks: Vec::new() };
        NOTHING
    }

    fn validate(&self, _config: &Value) -> Vec<Diagnostic> {
        Vec::new()
    }

    async fn configure(&self, terraform: &str, _config: Value) -> Vec<Diagnostic> {
        vec![Diagnostic::warning(format!("asked by {terraform}"), "")]
    }

    fn stop(&self) {}
}

#[async_trait]
impl Resource for Notes {
    fn schema(&self) -> &Schema {
        static NOTES: LazyLock<Schema> = LazyLock::new(Notes::description);
        &NOTES
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        match config.get("text") {
            Value::Null => vec![Diagnostic::error("a note without text", "write some").at("text")],
            _ => Vec::new(),
        }
    }

    async fn read(&self, kept: Kept) -> Answer {
        Answer::of(kept.state, kept.private)
    }

    async fn plan(&self, asked: Plan) -> Answer {
        // The proposed value holds the secret here on purpose.
        let mut planned = asked.config;
        planned.set("id", Value::Unknown);
        Answer::of(planned, b"beside".to_vec())
    }

    async fn apply(&self, asked: Apply) -> Answer {
        let mut came = asked.config;
        came.set("id", Value::text("1"));
        came.set("text", Value::text("made prettier"));
        Answer::of(came, asked.private)
    }

    async fn import(&self, id: &str) -> Answer {
        Answer::of(Value::object([("id", Value::text(id))]), Vec::new())
    }
}

impl Function for Notes {
    fn signature(&self) -> Signature {
        Signature {
            summary: String::new(),
            description: String::new(),
            parameters: vec![("what".to_owned(), Type::Dynamic, String::new())],
            returns: Type::Dynamic,
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, String> {
        match arguments {
            [Value::Null] => panic!("nobody thought of null"),
            [value] => Ok(value.clone()),
            _ => Err("one argument".to_owned()),
        }
    }
}

fn plugin() -> Plugin {
    Plugin {
        provider: Box::new(Notes),
        resources: BTreeMap::from([("notes_note", Box::new(Notes) as Box<dyn Resource>)]),
        data_sources: BTreeMap::new(),
        ephemerals: BTreeMap::new(),
        functions: BTreeMap::from([("echo", Box::new(Notes) as Box<dyn Function>)]),
    }
}

/// A certificate as go-plugin makes one, with its key.
fn of_client() -> (String, CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

/// A caller: speaks as Go would, and knows the server by the certificate of the handshake's line.
struct Caller {
    sender: hyper::client::conn::http2::SendRequest<Full<Bytes>>,
    served: Arc<Served>,
}

impl Caller {
    /// `shown`: the certificate that is shown, where the first one is the one that is expected.
    async fn new(
        expected: &str,
        shown: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    ) -> Result<Self, String> {
        let Tls { config, certificate } = tls::accepting(expected)?;
        let served =
            Arc::new(Served { plugin: plugin(), present: Present::default(), shutdown: watch::Sender::new(false) });
        let (here, there) = UnixStream::pair().expect("a pair of sockets");
        tokio::spawn(Arc::clone(&served).connection(TlsAcceptor::from(config), there));
        let mut roots = RootCertStore::empty();
        let of_server = STANDARD_NO_PAD.decode(&certificate).expect("base64").into();
        roots.add(of_server).expect("a certificate");
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .expect("the usual versions")
            .with_root_certificates(roots);
        let mut client = match shown {
            Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).expect("a key that fits"),
            None => builder.with_no_client_auth(),
        };
        client.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        let stream =
            TlsConnector::from(Arc::new(client)).connect(name, here).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        sender.ready().await.map_err(|error| error.to_string())?;
        let mut caller = Self { sender, served };
        // With TLS 1.3 a client hears of a refusal only with the first answer.
        caller.call("/grpc.health.v1.Health/Check", &[]).await?;
        Ok(caller)
    }

    async fn call(&mut self, path: &str, message: &[u8]) -> Result<Vec<u8>, String> {
        let body = grpc::framed(message);
        let request = Request::post(format!("http://localhost{path}")).body(Full::new(body)).expect("a request");
        let response = self.sender.send_request(request).await.map_err(|error| format!("no answer: {error}"))?;
        let whole = response.into_body().collect().await.map_err(|error| format!("no answer: {error}"))?;
        let trailers = whole.trailers().cloned().expect("a status");
        let text =
            |name: &str| trailers.get(name).map_or(String::new(), |text| text.to_str().expect("text").to_owned());
        let body = whole.to_bytes();
        match text("grpc-status").as_str() {
            "0" => Ok(body[5..].to_vec()),
            code => Err(format!("{code} {}", text("grpc-message"))),
        }
    }

    async fn ask<M: prost::Message + Default>(&mut self, call: &str, request: &impl prost::Message) -> M {
        let answer = self.call(&format!("/tfplugin6.Provider/{call}"), &request.encode_to_vec()).await;
        M::decode(answer.expect("an answer").as_slice()).expect("a message")
    }
}

async fn right_caller() -> Caller {
    let (pem, certificate, key) = of_client();
    Caller::new(&pem, Some((certificate, key))).await.expect("is let in")
}

fn packed(value: &Value) -> Option<wire::Dynamic> {
    Some(wire::Dynamic { msgpack: pack(value, &Notes::description().ty()), json: Vec::new() })
}

#[track_caller]
fn unpacked(sent: Option<&wire::Dynamic>) -> Value {
    unpack(&sent.expect("a value").msgpack, &Notes::description().ty()).expect("it is of the type")
}

#[track_caller]
fn check(started: &Started, expected: Result<&str, &str>) {
    let said = started.client().map_err(|message| message.split([',', ';']).next().unwrap_or_default().to_owned());
    assert_eq!(said.as_ref().map(|text| *text).map_err(String::as_str), expected);
}

#[test]
fn only_who_gives_cookie_protocol_and_certificate_is_served() {
    let given = |text: &str| Some(text.to_owned());
    let right = Started { cookie: given(COOKIE.1), versions: given("5,6"), certificate: given("certificate") };
    check(&right, Ok("certificate"));
    let by_hand = Err("this is a plugin of Terraform and OpenTofu");
    check(&Started::default(), by_hand);
    check(&Started { cookie: given("another"), ..right.clone() }, by_hand);
    check(&Started { versions: given("5"), ..right.clone() }, Err("this plugin speaks protocol 6"));
    let nobody = Err("this plugin answers nobody whose certificate it does not know");
    check(&Started { certificate: None, ..right }, nobody);
}

#[tokio::test]
async fn whoever_has_another_certificate_or_none_is_refused() {
    let (expected, ..) = of_client();
    let (_, another, key) = of_client();
    assert!(Caller::new(&expected, Some((another, key))).await.is_err());
    assert!(Caller::new(&expected, None).await.is_err());
}

#[tokio::test]
async fn a_call_that_there_is_not_is_unimplemented_and_a_torn_one_is_refused() {
    let mut caller = right_caller().await;
    let newer = caller.call("/tfplugin6.Provider/GetResourceIdentitySchemas", &[]).await;
    assert_eq!(newer, Err("12 there is no call GetResourceIdentitySchemas".to_owned()));
    assert_eq!(
        caller.call("/plugin.GRPCStdio/StreamStdio", &[]).await.map_err(|text| text[..2].to_owned()),
        Err("12".to_owned())
    );
    let torn = caller.call("/tfplugin6.Provider/PlanResourceChange", &[0xff]).await;
    assert!(torn.is_err_and(|said| said.starts_with("3 the request cannot be read")));
}

#[tokio::test]
async fn the_schema_is_told() {
    let mut caller = right_caller().await;
    let told: wire::GetProviderSchemaResponse = caller.ask("GetProviderSchema", &wire::Empty {}).await;
    assert_eq!(told.resources["notes_note"].block.as_ref().map(|block| block.attributes.len()), Some(3));
    assert!(told.capabilities.is_some_and(|can| can.plan_destroy));
    assert_eq!(told.functions.keys().collect::<Vec<_>>(), ["echo"]);
}

#[tokio::test]
async fn what_is_wrong_points_at_its_attribute() {
    let mut caller = right_caller().await;
    let config = packed(&Value::object([("id", Value::Null)]));
    let request = wire::ConfigRequest { type_name: "notes_note".to_owned(), config };
    let said: wire::Said = caller.ask("ValidateResourceConfig", &request).await;
    let one = &said.diagnostics[0];
    let steps = one.attribute.as_ref().map(|path| path.steps[0].selector.clone());
    assert_eq!(
        (one.severity(), steps),
        (wire::Severity::Error, Some(Some(wire::Selector::Attribute("text".to_owned()))))
    );
}

#[tokio::test]
async fn what_was_promised_comes_back_and_what_is_write_only_does_not() {
    let mut caller = right_caller().await;
    let config = packed(&Value::object([("text", Value::text("a")), ("secret", Value::text("hunter2"))]));
    let planned: wire::PlanResponse = caller
        .ask(
            "PlanResourceChange",
            &wire::PlanRequest {
                type_name: "notes_note".to_owned(),
                prior: packed(&Value::Null),
                proposed: config.clone(),
                config: config.clone(),
                ..wire::PlanRequest::default()
            },
        )
        .await;
    let promised = Value::object([("text", Value::text("a")), ("secret", Value::Null), ("id", Value::Unknown)]);
    assert!(unpacked(planned.planned.as_ref()) == promised);
    let applied: wire::ApplyResponse = caller
        .ask(
            "ApplyResourceChange",
            &wire::ApplyRequest {
                type_name: "notes_note".to_owned(),
                prior: packed(&Value::Null),
                planned: planned.planned,
                config,
                private: planned.private,
            },
        )
        .await;
    let kept = Value::object([("text", Value::text("a")), ("secret", Value::Null), ("id", Value::text("1"))]);
    assert!(unpacked(applied.state.as_ref()) == kept);
    assert_eq!(applied.private, b"beside");
}

/// Who has never heard of such values would keep them in the state.
#[tokio::test]
async fn what_is_write_only_is_refused_from_who_would_keep_it() {
    let mut caller = right_caller().await;
    let mut validate = async |secret: Value, capabilities: Option<wire::ClientCapabilities>| {
        let config = packed(&Value::object([("text", Value::text("a")), ("secret", secret)]));
        let request = wire::ValidateResourceRequest { type_name: "notes_note".to_owned(), config, capabilities };
        let said: wire::Said = caller.ask("ValidateResourceConfig", &request).await;
        said.diagnostics.into_iter().map(|one| one.summary).collect::<Vec<_>>()
    };
    let knows = Some(wire::ClientCapabilities { write_only_attributes_allowed: true });
    let none: [String; 0] = [];
    assert_eq!(validate(Value::text("hunter2"), knows).await, none);
    assert_eq!(validate(Value::Null, None).await, none);
    assert_eq!(validate(Value::text("hunter2"), None).await, ["secret is only for versions that do not keep it."]);
}

#[tokio::test]
async fn a_bug_is_an_error_of_that_call_alone() {
    let mut caller = right_caller().await;
    let null = wire::Dynamic { msgpack: pack(&Value::Null, &Type::Dynamic), json: Vec::new() };
    let request = wire::CallRequest { name: "echo".to_owned(), arguments: vec![null] };
    let said = caller.call("/tfplugin6.Provider/CallFunction", &request.encode_to_vec()).await;
    assert_eq!(said, Err("13 the provider has a bug: nobody thought of null".to_owned()));
    assert_eq!(caller.call("/grpc.health.v1.Health/Check", &[]).await, Ok(vec![8, 1]));
}

/// Terraform says so before it kills.
#[tokio::test]
async fn a_shutdown_is_heard() {
    let mut caller = right_caller().await;
    let mut asked = caller.served.shutdown.subscribe();
    caller.call("/plugin.GRPCController/Shutdown", &[]).await.expect("an answer");
    asked.wait_for(|asked| *asked).await.expect("the server is there");
}

#[tokio::test(start_paused = true)]
async fn nobody_needs_us_when_the_last_connection_is_gone_for_long_enough() {
    let present = Present::default();
    let begun = tokio::time::Instant::now();
    present.gone().await;
    assert_eq!(begun.elapsed(), FIRST, "nobody came");
    let begun = tokio::time::Instant::now();
    let connected = present.connected();
    let gone = tokio::spawn(present.gone());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!gone.is_finished(), "somebody is there");
    drop(connected);
    gone.await.expect("no panic");
    assert_eq!(begun.elapsed(), Duration::from_secs(3600) + LINGER);
}

#[tokio::test]
async fn what_is_being_answered_is_waited_for() {
    let present = Present::default();
    present.idle().await;
    let called = present.called();
    let idle = present.idle();
    tokio::pin!(idle);
    assert!(std::future::poll_fn(|context| std::task::Poll::Ready(idle.as_mut().poll(context).is_pending())).await);
    drop(called);
    idle.await;
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_sent_away() {
    let (expected, ..) = of_client();
    let Tls { config, .. } = tls::accepting(&expected).expect("a certificate");
    let served =
        Arc::new(Served { plugin: plugin(), present: Present::default(), shutdown: watch::Sender::new(false) });
    let (_silent, there) = UnixStream::pair().expect("a pair of sockets");
    let begun = tokio::time::Instant::now();
    Arc::clone(&served).connection(TlsAcceptor::from(config), there).await;
    assert_eq!(begun.elapsed(), HANDSHAKE);
    served.present.left().await;
}
