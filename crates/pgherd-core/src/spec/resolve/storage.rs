//! The kind of storage: another cloud's word is taken as the target's that comes nearest (rule A7, as for sizes).

use crate::cloud::Cloud;
use crate::diagnostic::Severity;
use crate::spec::Size;

use super::draft::Draft;

const KIND: &str = "storage_type";
/// What the machines of Cloud SQL's series C4A have, and nothing else.
const HYPERDISK: &str = "HYPERDISK_BALANCED";

pub(super) fn settle(draft: &mut Draft, size: &Size) {
    let Some(written) = draft.text(KIND).map(str::to_owned) else { return };
    let Some(mapped) = stands_for(&written, draft.target, &size.name).filter(|mapped| *mapped != written) else {
        return;
    };
    if draft.written(KIND).is_some() {
        let message = match home(&written) {
            Some(home) if home != draft.target => {
                format!("\"{written}\" is a kind of storage of {home}: {mapped} is taken on {}", draft.target)
            }
            _ => format!("{} has no {written}: {mapped} is taken", size.name),
        };
        let help = format!("write \"{mapped}\" to say so yourself");
        draft.say(Severity::Warning, "storage-mapped", KIND, message, &help);
    }
    let origin = draft.settled[KIND].origin.clone();
    draft.settle(KIND, mapped, origin);
}

/// Whose word it is.
fn home(kind: &str) -> Option<Cloud> {
    match kind {
        "gp2" | "gp3" | "io1" | "io2" | "standard" => Some(Cloud::Aws),
        "PD_SSD" | "PD_HDD" | HYPERDISK => Some(Cloud::Gcp),
        "Premium_LRS" | "PremiumV2_LRS" => Some(Cloud::Azure),
        _ => None,
    }
}

/// What a kind is on a target; `None` where there is nothing like it, which the checks say.
fn stands_for(kind: &str, target: Cloud, size: &str) -> Option<&'static str> {
    let is_c4a = size.starts_with("db-c4a-");
    match (target, kind) {
        (Cloud::Aws, "PD_SSD" | "Premium_LRS") => Some("gp3"),
        (Cloud::Gcp, "gp2" | "gp3" | "Premium_LRS" | "PD_SSD") => Some(if is_c4a { HYPERDISK } else { "PD_SSD" }),
        (Cloud::Gcp, "standard") if !is_c4a => Some("PD_HDD"),
        (Cloud::Gcp, "io1" | "io2" | "PremiumV2_LRS") if is_c4a => Some(HYPERDISK),
        (Cloud::Azure, "gp2" | "gp3" | "PD_SSD") => Some("Premium_LRS"),
        (Cloud::Azure, "io1" | "io2" | HYPERDISK) => Some("PremiumV2_LRS"),
        (Cloud::Aws | Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local, _) => None,
    }
}
