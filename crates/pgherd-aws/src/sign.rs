//! A request signed with SigV4.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use pgherd_http::{HeaderName, HeaderValue, Method, Request, Url};

/// What a signature holds for, beside its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The region.
    pub region: &'a str,
    /// The service's signing name.
    pub service: &'a str,
}

/// Why nothing could be signed: a key or header that holds what no header may, such as the end of a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be signed: {0}")]
pub struct Unsignable(String);

/// The request with `authorization`, `x-amz-date` and, for temporary credentials, `x-amz-security-token`.
pub fn signed(request: Request, by: &Credentials, scope: Scope<'_>, at: SystemTime) -> Result<Request, Unsignable> {
    signed_as(request, by, scope, at, SigningSettings::default())
}

/// The same in another way than our services want it: a path that is encoded once, a token that is not part of the signature.
pub fn signed_as(
    mut request: Request,
    by: &Credentials,
    scope: Scope<'_>,
    at: SystemTime,
    settings: SigningSettings,
) -> Result<Request, Unsignable> {
    let mut headers = Vec::new();
    for (name, value) in &request.headers {
        let text = std::str::from_utf8(value.as_bytes()).map_err(unsignable)?;
        headers.push((name.as_str(), text));
    }
    let body = SignableBody::Bytes(&request.body);
    let signable = SignableRequest::new(request.method.as_str(), request.url.as_str(), headers.into_iter(), body)
        .map_err(unsignable)?;
    let (headers, _) = instructions(signable, by, scope, at, settings)?.into_parts();
    for header in headers {
        let mut value = HeaderValue::from_str(header.value()).map_err(unsignable)?;
        value.set_sensitive(header.sensitive() || header.name() == "authorization");
        request.headers.insert(HeaderName::from_static(header.name()), value);
    }
    Ok(request)
}

/// A URL that whoever holds it may `GET` for `lasting`: the source region's permission in a copy across regions.
pub fn presigned(
    mut url: Url,
    by: &Credentials,
    scope: Scope<'_>,
    at: SystemTime,
    lasting: Duration,
) -> Result<Url, Unsignable> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(lasting);
    let signable = SignableRequest::new(Method::GET.as_str(), url.as_str(), std::iter::empty(), SignableBody::empty())
        .map_err(unsignable)?;
    let (_, parameters) = instructions(signable, by, scope, at, settings)?.into_parts();
    let mut query = url.query().unwrap_or_default().to_owned();
    for (name, value) in parameters {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        query.push_str(&crate::protocol::form::encoded(&value));
    }
    url.set_query(Some(&query));
    Ok(url)
}

fn instructions(
    request: SignableRequest<'_>,
    by: &Credentials,
    scope: Scope<'_>,
    at: SystemTime,
    settings: SigningSettings,
) -> Result<SigningInstructions, Unsignable> {
    let identity = Identity::from(by.clone());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(at)
        .settings(settings)
        .build()
        .map_err(unsignable)?;
    let (instructions, _) = sign(request, &parameters.into()).map_err(unsignable)?.into_parts();
    Ok(instructions)
}

fn unsignable(error: impl std::error::Error) -> Unsignable {
    Unsignable(error.to_string())
}
