//! Entra ID as far as a program needs it to get a token: where tokens of a tenant are made, and a token for a client that has a secret.
//! Each API takes its own, as at Azure.

use percent_encoding::percent_decode;
use serde_json::{Value as Json, json};

use super::VAULT_TOKEN;

/// The tenant that is told of.
pub const TENANT: &str = "learning";
/// A client, and its secret; no other secret is taken.
pub const CLIENT: &str = "emulated";
/// The token for everything but secrets. Any other is taken, too.
pub const TOKEN: &str = "emulated";

/// What is told to a request; `None`: it is none of Entra ID's.
pub(super) fn told(method: &str, path: &str, base: &str, body: &[u8]) -> Option<(u16, Json)> {
    let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
    match (method, rest) {
        ("GET", "v2.0/.well-known/openid-configuration") => Some((200, document(tenant, base))),
        ("POST", "oauth2/v2.0/token") => Some(token(body)),
        _ => None,
    }
}

fn document(tenant: &str, base: &str) -> Json {
    json!({
        "issuer": format!("{base}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    })
}

fn token(body: &[u8]) -> (u16, Json) {
    let read = |text: &[u8]| {
        let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&spaced).decode_utf8_lossy().into_owned()
    };
    let asked = |name: &str| {
        let mut pairs = body.split(|byte| *byte == b'&');
        let pair = pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        pair.map(read).unwrap_or_default()
    };
    let refused = |status: u16, code: &str, words: &str| (status, json!({ "error": code, "error_description": words }));
    if asked("grant_type") != "client_credentials" {
        return refused(400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.");
    }
    if asked("client_secret") != CLIENT {
        return refused(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
    }
    // Several words are asked for, of which one is the API.
    let scope = asked("scope");
    let Some(api) = scope.split(' ').find_map(|scope| scope.strip_suffix("/.default")) else {
        return refused(400, "invalid_scope", "AADSTS70011: The provided value for scope is not valid.");
    };
    let token = if api.trim_end_matches('/') == "https://vault.azure.net" { VAULT_TOKEN } else { TOKEN };
    (200, json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let (_, said) = told("POST", "/learning/oauth2/v2.0/token", "https://a", body.as_bytes()).expect("it is asked");
        assert_eq!(said["access_token"].as_str().or(said["error"].as_str()), Some(expected), "{body}");
    }

    #[test]
    fn each_api_has_a_token_of_its_own() {
        let asked = "grant_type=client_credentials&client_id=a&client_secret=emulated&scope=https%3A%2F%2F";
        check(&format!("{asked}management.azure.com%2F.default"), TOKEN);
        check(&format!("{asked}vault.azure.net%2F.default+openid"), VAULT_TOKEN);
        check("grant_type=client_credentials&client_secret=other&scope=a%2F.default", "invalid_client");
        check("grant_type=password", "unsupported_grant_type");
        assert_eq!(told("GET", "/subscriptions/s/resourceGroups/g", "https://a", b""), None);
    }
}
