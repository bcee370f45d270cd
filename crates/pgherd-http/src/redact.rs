//! What of a request may be seen: headers and form fields that never reach a log or error are hidden.

use std::cmp::Reverse;
use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::client::Request;

/// What stands for what is not shown.
pub const HIDDEN: &str = "(secret)";

/// What stands for it until all are found: no secret is a part of it.
const MARK: &str = "\u{1}";

/// Parts of names, in small letters, whose values are not shown: passwords, tokens, signatures and whatever they are called by.
const SECRET: &[&str] =
    &["password", "secret", "token", "credential", "signature", "authorization", "cookie", "presigned", "private"];
/// Names that one of the parts would hide without need.
const KNOWN: &[&str] = &["secretid", "clientrequesttoken", "clienttoken", "nexttoken"];
/// A secret shorter than this is left in words: taking it out would take every word apart.
const SHORTEST: usize = 4;

/// Whether a header, form field, query parameter or JSON member of this name holds a secret. Any part of a dotted name counts.
pub fn is_secret(name: &str) -> bool {
    name.split('.').any(|part| {
        let plain: String =
            part.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
        !KNOWN.contains(&plain.as_str()) && SECRET.iter().any(|part| plain.contains(part))
    })
}

/// The request as a line or more of text, for a log: nothing secret, no body but that of a form.
pub fn shown(request: &Request) -> String {
    let mut text = format!("{} ", request.method);
    let mut url = request.url.clone();
    // Refused only by URLs that can hold neither, such as `data:`.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    text.push_str(url.as_str());
    if let Some(query) = request.url.query() {
        let _ = write!(text, "?{}", form(query));
    }
    for (name, value) in &request.headers {
        let hidden = value.is_sensitive() || is_secret(name.as_str());
        let value = if hidden { HIDDEN } else { value.to_str().unwrap_or("(no text)") };
        let _ = write!(text, "\n{name}: {value}");
    }
    let kind = request.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match std::str::from_utf8(&request.body) {
        Ok("") => {}
        Ok(body) if kind.starts_with("application/x-www-form-urlencoded") => {
            let _ = write!(text, "\n{}", form(body));
        }
        Ok(_) | Err(_) => {
            let _ = write!(text, "\n({} bytes)", request.body.len());
        }
    }
    text
}

/// Values of headers, form fields and parameters of a request that are called like secrets.
pub fn secrets(request: &Request) -> Vec<String> {
    let headers = request.headers.iter().filter(|(name, value)| value.is_sensitive() || is_secret(name.as_str()));
    let mut found: Vec<_> = headers.filter_map(|(_, value)| value.to_str().ok().map(str::to_owned)).collect();
    let forms = [request.url.query(), std::str::from_utf8(&request.body).ok()];
    for (name, value) in
        forms.into_iter().flatten().flat_map(|form| form.split('&')).filter_map(|field| field.split_once('='))
    {
        if is_secret(name) {
            found.push(percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned());
        }
    }
    found
}

/// What somebody said, without `secrets`, however they are spelt: some servers quote what they refuse.
pub fn without<'a>(words: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut clean = words.to_owned();
    let mut secrets: Vec<&str> = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
    // The longest first, so that nothing of one is left when another is its beginning.
    secrets.sort_by_key(|secret| Reverse(secret.len()));
    for secret in secrets {
        let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let quoted = serde_json::Value::from(secret).to_string();
        for spelling in [secret, quoted.trim_matches('"'), &encoded] {
            clean = clean.replace(spelling, MARK);
        }
        // Other letters are encoded by others, or in small letters, or twice; then nothing of the words is kept.
        let read = |words: &str| percent_decode_str(words).decode_utf8_lossy().into_owned();
        let once = [read(&clean), read(&clean.replace('+', " "))];
        if once.iter().any(|once| once.contains(secret) || read(once).contains(secret)) {
            return HIDDEN.to_owned();
        }
    }
    clean.replace(MARK, HIDDEN)
}

/// A form, as it is sent, without its secrets.
fn form(encoded: &str) -> String {
    let field = |field: &str| match field.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => field.to_owned(),
    };
    encoded.split('&').map(field).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use reqwest::header::{HeaderMap, HeaderValue};
    use reqwest::{Method, Url};

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "MasterUserPassword",
            "SecretString",
            "SecretBinary",
            "X-Amz-Security-Token",
            "X-Amz-Signature",
            "X-Amz-Credential",
            "authorization",
            "PreSignedUrl",
            "Entries.entry.1.Password",
            "Passwords.member.1",
            "connection_password",
            "private_key",
            "WebIdentityToken",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["SecretId", "ClientRequestToken", "NextToken", "DBInstanceIdentifier", "KmsKeyId", "Marker"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[track_caller]
    fn check_without(words: &str, clean: &str) {
        assert_eq!(without(words, ["hunter2", "a b+c\"d", "hunter2-and-more", "abc"]), clean);
    }

    #[test]
    fn words_lose_the_secrets_in_them_however_they_are_spelt() {
        check_without("hunter2 is no password", "(secret) is no password");
        check_without("hunter2-and-more, hunter2", "(secret), (secret)");
        check_without(r#"{"a":"a b+c\"d"}"#, r#"{"a":"(secret)"}"#);
        check_without("Password=a%20b%2Bc%22d&b=1", "Password=(secret)&b=1");
        check_without("Password=a+b%2bc%22d", "(secret)");
        check_without("Password=%2568unter2", "(secret)");
    }

    #[test]
    fn a_secret_that_is_called_so_takes_no_other_words_along() {
        assert_eq!(without("the secret is weak", ["secret"]), "the (secret) is weak");
    }

    proptest! {
        #[test]
        fn no_spelling_of_a_secret_is_left(secret in "[ -~]{4,12}", before in "[ -~]{0,9}", after in "[ -~]{0,9}") {
            prop_assume!(!HIDDEN.contains(&secret));
            let encoded = utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string();
            let spellings = [secret.clone(), encoded.to_lowercase(), encoded.replace("%20", "+"), encoded];
            for spelling in spellings {
                let clean = without(&format!("{before}{spelling}{after}"), [secret.as_str()]);
                prop_assert!(!clean.contains(&secret), "{clean}");
            }
        }
    }

    #[test]
    fn words_keep_what_is_no_secret_or_too_short_to_be_one() {
        check_without("100 % of abc%", "100 % of abc%");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
        headers.insert("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=hunter2"));
        headers.insert("x-amz-security-token", HeaderValue::from_static("hunter2"));
        headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
        let mut marked = HeaderValue::from_static("hunter2");
        marked.set_sensitive(true);
        headers.insert("x-anything", marked);
        let request = Request {
            method: Method::POST,
            url: Url::parse("https://me:hunter2@rds.test/?X-Amz-Signature=hunter2&a=b").expect("a URL"),
            headers,
            body: Bytes::from_static(b"Action=CreateDBInstance&MasterUserPassword=hunter2&Tags.Tag.1.Key=team"),
        };
        insta::assert_snapshot!(shown(&request), @r"
        POST https://rds.test/?X-Amz-Signature=(secret)&a=b
        content-type: application/x-www-form-urlencoded; charset=utf-8
        authorization: (secret)
        x-amz-security-token: (secret)
        x-amz-date: 20150830T123600Z
        x-anything: (secret)
        Action=CreateDBInstance&MasterUserPassword=(secret)&Tags.Tag.1.Key=team
        ");
        assert_eq!(
            secrets(&request),
            ["AWS4-HMAC-SHA256 Credential=hunter2", "hunter2", "hunter2", "hunter2", "hunter2"]
        );
        let json = Request {
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"{\"SecretString\":\"hunter2\"}"),
            ..request
        };
        insta::assert_snapshot!(shown(&json), @r"
        POST https://rds.test/?X-Amz-Signature=(secret)&a=b
        (26 bytes)
        ");
    }
}
