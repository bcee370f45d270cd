//! The machine size: found in the catalogue, and mapped when it is another cloud's (rule A7).

use crate::catalogue::sizes;
use crate::cloud::Cloud;
use crate::diagnostic::Severity;
use crate::spec::{Origin, Size};
use crate::text;

use super::draft::Draft;

const CLASS: &str = "instance_class";

pub(super) fn settle(draft: &mut Draft) -> Size {
    let written = draft.text(CLASS).unwrap_or_default().to_owned();
    let Some(found) = sizes::find(&written) else {
        return match class_of_rds(&written).filter(|_| matches!(draft.target, Cloud::Aws | Cloud::Local)) {
            Some(family) => {
                unlisted(draft, &written);
                let burstable = family.starts_with('t');
                Size { name: written.to_ascii_lowercase(), vcpu: 1.0, memory_mib: 1024, burstable }
            }
            None => {
                unknown(draft, &written);
                Size { name: written, vcpu: 1.0, memory_mib: 1024, burstable: true }
            }
        };
    };
    let edition = draft.text("gcp_edition").map(str::to_owned);
    let Some(mapped) = sizes::map_to(&found, draft.target, edition.as_deref()) else {
        let message = format!("{} has no size as large as {}", draft.target, described(&found));
        draft.say(Severity::Error, "no-such-size", CLASS, message, "write a size of its own");
        return spec_size(&found);
    };
    if mapped.name != found.name {
        warn_mapped(draft, &found, &mapped);
        let origin = draft.settled[CLASS].origin.clone();
        draft.settle(CLASS, mapped.name.clone(), origin);
    } else if let Some(Origin::Written | Origin::Alias(_)) = draft.settled.get(CLASS).map(|settled| &settled.origin) {
        note_retired(draft, &mapped);
    }
    spec_size(&mapped)
}

fn spec_size(size: &sizes::Size) -> Size {
    Size { name: size.name.clone(), vcpu: size.vcpu, memory_mib: size.memory_mib, burstable: size.burstable() }
}

/// The family of what is written as RDS writes its classes, `db.r6gd.xlarge`: it has more of them than the catalogue, and new ones each
/// year.
fn class_of_rds(written: &str) -> Option<String> {
    let written = written.trim().to_ascii_lowercase();
    let (family, size) = written.strip_prefix("db.")?.split_once('.')?;
    let (letters, rest) = family.split_at(family.find(|one: char| one.is_ascii_digit())?);
    let is_word = |word: &str| word.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit());
    let is_family = (1..=2).contains(&letters.len()) && is_word(letters) && is_word(rest);
    let times = size.strip_suffix("xlarge").is_some_and(|times| times.bytes().all(|one| one.is_ascii_digit()));
    let is_size = times || ["micro", "small", "medium", "large"].contains(&size);
    (is_family && is_size).then(|| family.to_owned())
}

/// What only RDS can tell. On this machine it is a small one, so that a block for AWS does not have to be another one here.
fn unlisted(draft: &mut Draft, written: &str) {
    if draft.target == Cloud::Local {
        let message = format!("pgherd does not know the class {written}: here it is one with 1 vCPU and 1 GiB");
        let help = "write a class that the catalogue has, where this machine is to give it more";
        return draft.say(Severity::Warning, "unlisted-size", CLASS, message, help);
    }
    let message = format!("pgherd does not know the class {written}: RDS is asked whether it has it");
    let help = "nothing is judged by its memory, and without alarms = { connections = … } or max_connections no alarm watches connections";
    draft.say(Severity::Warning, "unlisted-size", CLASS, message, help);
}

fn unknown(draft: &mut Draft, written: &str) {
    let (message, help) = match (sizes::custom_problem(written), sizes::nearest_name(written, draft.target)) {
        (Some(problem), _) => (format!("\"{written}\" is no size: {problem}"), "correct the figures".to_owned()),
        (None, Some(near)) => (format!("\"{written}\" is no size of any cloud"), format!("did you mean \"{near}\"?")),
        (None, None) => (format!("\"{written}\" is no size of any cloud"), example(draft.target)),
    };
    draft.say(Severity::Error, "unknown-size", CLASS, message, &help);
}

fn example(target: Cloud) -> String {
    let example = match target {
        Cloud::Aws | Cloud::Local => "db.t3.micro",
        Cloud::Gcp => "db-custom-2-7680",
        Cloud::Azure => "GP_Standard_D2ds_v5",
        Cloud::DigitalOcean => "db-s-1vcpu-2gb",
    };
    format!("write a size as in \"{example}\"")
}

fn warn_mapped(draft: &mut Draft, found: &sizes::Size, mapped: &sizes::Size) {
    let message = format!(
        "{} is a size of {}: {} is taken on {}",
        described(found),
        found.cloud,
        described(mapped),
        draft.target
    );
    let help = format!("write \"{}\" to say so yourself", mapped.name);
    draft.say(Severity::Warning, "size-mapped", CLASS, message, &help);
}

/// The normal form has replaced a size of Azure's retired service already; the user hears of it.
fn note_retired(draft: &mut Draft, size: &sizes::Size) {
    let written = draft.written.get(CLASS).map(|written| text::unquoted(&written.as_written));
    if written.is_some_and(|written| sizes::successor(written.trim()).is_some()) {
        let message = format!("this size is of Azure's retired Single Server: {} is taken", described(size));
        draft.say(Severity::Note, "size-retired", CLASS, message, "");
    }
}

fn described(size: &sizes::Size) -> String {
    let vcpu = if size.vcpu == 1.0 { "1 vCPU".to_owned() } else { format!("{} vCPUs", size.vcpu) };
    format!("{} ({vcpu}, {})", size.name, text::mebibytes(size.memory_mib))
}
