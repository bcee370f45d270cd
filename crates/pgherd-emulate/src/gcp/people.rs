//! Tokens of people, as gcloud has them: made of what it wrote down once, and of use only with a project whose quota counts.

use serde_json::{Value as Json, json};

use super::{Asked, Google, Refusal};
use crate::faults::{self, Fault};

/// What the tokens of people begin with. Every other is taken as it is.
pub(super) const TOKEN: &str = "ya29.person-";

/// What is answered to a person who names no project (Google's documentation, "Troubleshoot your ADC setup").
pub(super) fn without_project() -> Refusal {
    let message = "Your application is authenticating by using local Application Default Credentials. The API requires a quota project, \
                   which is not set by default.";
    Refusal::new(403, "forbidden", message)
}

impl Google {
    /// A token for whoever asks with credentials, another one each time.
    pub(super) fn token(&mut self, real: std::time::Instant) -> (u16, Json) {
        const ACTION: &str = "oauth2.token";
        let (fault, left) = faults::next(std::mem::take(&mut self.faults), "", ACTION);
        self.faults = left;
        let (status, said) = match fault {
            Some(Fault::Error { status }) => (status, json!({ "error": "internal_failure" })),
            Some(Fault::Denied) => (400, json!({ "error": "invalid_grant" })),
            _ => {
                let token = format!("{TOKEN}{}", self.number());
                (200, json!({ "access_token": token, "expires_in": 3600, "token_type": "Bearer" }))
            }
        };
        self.asked.push(Asked {
            number: self.calls,
            at: self.clock.now(real).to_string(),
            action: ACTION.to_owned(),
            method: "POST".to_owned(),
            path: "/token".to_owned(),
            body: Json::Null,
            done: status == 200,
            status,
            answer: Json::Null,
            outcome: if status == 200 { "ok" } else { "error" }.to_owned(),
        });
        (status, said)
    }
}
