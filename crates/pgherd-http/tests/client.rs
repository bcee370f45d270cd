//! The client against servers that are slow, endless, or strangers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pgherd_http::client::LONGEST_ANSWER_BYTES;
use pgherd_http::{Client, HeaderMap, Method, Options, Refused, Request, Response, Url};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server that does with every connection what it is told; what it returns of a connection is kept open. It ends with the process.
fn serve<T: Send + 'static>(each: impl Fn(TcpStream) -> T + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        let _kept: Vec<T> = listener.incoming().map_while(Result::ok).map(each).collect();
    });
    address
}

async fn get(client: &Client, url: &str) -> Result<Response, Refused> {
    let url = Url::parse(url).expect("a URL");
    client.send(Request { method: Method::GET, url, headers: HeaderMap::new(), body: Default::default() }).await
}

/// The head of a request.
fn read(stream: &mut impl Read) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        head.extend(byte);
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let address = serve(|mut stream| {
        read(&mut stream);
        // It is refused on the way, and then nobody reads any more.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'a'; 65_536]).is_ok() {}
    });
    let refused = get(&Client::new(Options::default()), &format!("http://{address}/")).await.err().expect("too long");
    let words = format!("{address} answered with more than {} MiB", LONGEST_ANSWER_BYTES >> 20);
    assert_eq!(refused, Refused::NoAnswer(words));
}

#[tokio::test]
async fn who_never_answers_is_not_waited_for() {
    let address = serve(|mut stream| {
        read(&mut stream);
        stream
    });
    let client = Client::new(Options { answer_within: Duration::from_millis(100), ..Options::default() });
    let refused = get(&client, &format!("http://{address}/secret?token=hunter2")).await.err().expect("nothing");
    assert_eq!(refused, Refused::NoAnswer(format!("no answer from {address} within 0 s")));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let address = serve(|mut stream| {
        read(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").expect("writes");
    });
    let refused = get(&Client::new(Options::default()), &format!("http://{address}/")).await.err().expect("half");
    assert!(matches!(refused, Refused::NoAnswer(_)), "{refused}");
}

/// A server of HTTPS, and the certificate it shows.
fn secure() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
    let config = Arc::new(config.expect("a pair"));
    let address = serve(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
        let mut stream = StreamOwned::new(connection, stream);
        // Whoever does not trust us hangs up before asking.
        if stream.conn.complete_io(&mut stream.sock).is_ok() {
            read(&mut stream);
            stream.write_all(b"HTTP/1.1 204 Good\r\ncontent-length: 0\r\n\r\n").expect("writes");
        }
        stream
    });
    (format!("https://localhost:{}/", address.rsplit(':').next().expect("a port")), cert.pem())
}

#[tokio::test]
async fn only_who_is_vouched_for_is_spoken_to() {
    let (url, certificate) = secure();
    let stranger = Client::new(Options::default());
    let refused = get(&stranger, &url).await.err().expect("a stranger");
    assert!(matches!(&refused, Refused::NotSent(words) if words.contains("certificate")), "{refused}");
    let known = Client::new(Options::default());
    known.trust(certificate.into_bytes());
    assert_eq!(get(&known, &url).await.expect("an answer").status, 204);
}

#[tokio::test]
async fn authorities_that_are_none_are_told() {
    let (url, _) = secure();
    let client = Client::new(Options::default());
    client.trust(b"nothing of the kind".to_vec());
    let refused = get(&client, &url).await.err().expect("no authorities");
    let words = "there is no certificate among the certificate authorities".to_owned();
    assert_eq!(refused, Refused::NotSent(words));
}
