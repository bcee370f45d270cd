//! What a machine of Google's is told by its metadata server: which project it is in, and a token. Whoever looks for credentials where
//! Google's own libraries do (`GCE_METADATA_HOST`, `GCE_METADATA_IP`) finds some that the emulator takes.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use serde_json::json;

use super::PROJECT;
use crate::listen::{self, Silence};

const ACCOUNT: &str = "emulated@learning.iam.gserviceaccount.com";

/// The token that is given. Any is taken.
const TOKEN: &str = "emulated";

/// What is told at a path; `None`: it is none of the metadata server's.
pub(super) fn told(path: &str) -> Option<(u16, String)> {
    // Whoever looks whether there is one asks for nothing.
    if path == "/" {
        return Some((200, "computeMetadata/\n".to_owned()));
    }
    let path = path.strip_prefix("/computeMetadata/v1/")?.trim_end_matches('/');
    let account = path.strip_prefix("instance/service-accounts/");
    let (account, what) = account.map_or(("", path), |rest| rest.split_once('/').unwrap_or((rest, "")));
    let said = match (account, what) {
        ("", "project/project-id") => PROJECT.to_owned(),
        ("", _) => return Some((404, String::new())),
        (_, "") => json!({ "email": ACCOUNT, "aliases": ["default"], "scopes": ["https://www.googleapis.com/auth/cloud-platform"] }).to_string(),
        (_, "email") => ACCOUNT.to_owned(),
        (_, "token") => json!({ "access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer" }).to_string(),
        _ => return Some((404, String::new())),
    };
    Some((200, said))
}

/// The answer, which only somebody who means it gets, as at Google: a page in a browser cannot ask with that header.
pub(super) fn answer(status: u16, said: String, is_meant: bool) -> Result<Response<Full<Bytes>>, Silence> {
    let (status, said) = if is_meant { (status, said) } else { (403, String::new()) };
    let kind = if said.starts_with('{') { "application/json" } else { "application/text" };
    let mut response = listen::response(status, kind, said)?;
    response.headers_mut().insert("metadata-flavor", "Google".parse().map_err(|_| Silence)?);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<u16>) {
        assert_eq!(told(path).map(|(status, _)| status), expected, "{path}");
    }

    #[test]
    fn what_is_no_question_to_the_metadata_server_is_left_alone() {
        check("/computeMetadata/v1/project/project-id", Some(200));
        check("/computeMetadata/v1/instance/service-accounts/default/", Some(200));
        check("/computeMetadata/v1/instance/service-accounts/default/token", Some(200));
        check("/computeMetadata/v1/universe/universe-domain", Some(404));
        check("/v1/projects/learning/instances", None);
    }
}
