//! The requests of `aws-config` (STS, SSO, containers, metadata) through our own client, so that there is one TLS, one set of
//! certificate authorities and one proxy for all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use bytes::Bytes;
use pgherd_http::{Client, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Url, redact};

use crate::protocol::error::Refusal;
use crate::service::Protocol;

/// The client as `aws-config` wants it.
#[derive(Debug, Clone)]
pub struct Through {
    /// The client.
    pub client: Arc<Client>,
    /// Where refusals are told.
    pub heard: Heard,
}

/// What the last one who refused said: the errors of `aws-config` hold it only as Rust's own notation of a structure.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<Option<String>>>);

impl Heard {
    /// The words, without secrets; once.
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn tell(&self, words: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }
}

impl HttpClient for Through {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let within = settings.connect_timeout().zip(settings.read_timeout()).map(|(connect, read)| connect + read);
        SharedHttpConnector::new(Connector { client: Arc::clone(&self.client), heard: self.heard.clone(), within })
    }
}

#[derive(Debug)]
struct Connector {
    client: Arc<Client>,
    heard: Heard,
    /// Less than our own deadline where the service is expected to be near: on a machine that is not of AWS nobody answers at the address of the
    /// metadata.
    within: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, heard, within) = (Arc::clone(&self.client), self.heard.clone(), self.within);
        HttpConnectorFuture::new(async move {
            let sending = async {
                let request = ours(&request).map_err(|reason| ConnectorError::user(reason.into()))?;
                let answer = client.send(request.clone()).await;
                heard.tell(answer.as_ref().ok().and_then(|response| refusal(&request, response)));
                answer.map_err(|refused| ConnectorError::io(refused.into()))
            };
            let response = match within {
                Some(within) => tokio::time::timeout(within, sending)
                    .await
                    .unwrap_or_else(|late| Err(ConnectorError::timeout(late.into()))),
                None => sending.await,
            };
            theirs(response?).map_err(|reason| ConnectorError::other(reason.into(), None))
        })
    }
}

/// What an answer says in refusing, without what the request held of secrets.
fn refusal(request: &Request, response: &Response) -> Option<String> {
    if response.status.is_success() {
        return None;
    }
    let refusal = [Protocol::Query(""), Protocol::Json("")].iter().find_map(|&kind| Refusal::read(kind, response))?;
    let secrets = redact::secrets(request);
    let said = format!("{}: {}: {}", request.url.host_str().unwrap_or_default(), refusal.code, refusal.message);
    Some(redact::without(&said, secrets.iter().map(String::as_str)))
}

fn ours(request: &HttpRequest) -> Result<Request, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        headers.append(name, HeaderValue::try_from(value).map_err(|error| error.to_string())?);
    }
    let body = request.body().bytes().ok_or("a request of the credentials has a body that streams")?;
    Ok(Request {
        method: Method::try_from(request.method()).map_err(|error| error.to_string())?,
        url: Url::parse(request.uri()).map_err(|error| error.to_string())?,
        headers,
        body: Bytes::copy_from_slice(body),
    })
}

fn theirs(response: Response) -> Result<HttpResponse, String> {
    let status = StatusCode::try_from(response.status.as_u16()).map_err(|error| error.to_string())?;
    let mut theirs = HttpResponse::new(status, response.body.into());
    for (name, value) in &response.headers {
        if let Ok(value) = value.to_str() {
            theirs.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(theirs)
}
