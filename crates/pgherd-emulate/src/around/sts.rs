//! STS: who is asking.

use crate::rds::state::ACCOUNT;
use crate::wire::{Element, Form, Refusal};

/// The answer to a request.
pub fn answer(form: &Form) -> Result<Element, Refusal> {
    match form.required("Action")? {
        "GetCallerIdentity" => Ok(Element::new("")
            .put("Arn", format!("arn:aws:iam::{ACCOUNT}:user/emulated"))
            .put("UserId", "AIDAEMULATEDEMULATED0")
            .put("Account", ACCOUNT)),
        other => Err(Refusal::of("InvalidAction", format!("Could not find operation {other} for version 2011-06-15"))),
    }
}
