//! What a configuration means: the same reading, resolving and checking as of a block, and what is said at its attributes.

use std::collections::BTreeMap;

use jiff::civil::Date;
use pgherd_core::checks;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{At, Diagnostic as Told, Severity};
use pgherd_core::inputs::Inputs;
use pgherd_core::spec::{self, Spec};
use pgherd_core::variables::{self, Section, Type, Variable};

use crate::fields;
use crate::protocol::{Diagnostic, Value};
use crate::settings::{Judged, Settings};

/// What a configuration means.
#[derive(Debug)]
pub struct Meaning {
    /// The database; `None` while it cannot be told where it is.
    pub spec: Option<Spec>,
    /// What is to be said of it.
    pub diagnostics: Vec<Diagnostic>,
    /// What of that was left for the plan, because it is accepted in the provider's block: warnings.
    pub accepted: Vec<Diagnostic>,
    /// Which variables are not known yet, or not wholly.
    pub unknown: Vec<&'static Variable>,
}

impl Meaning {
    /// Of a configuration or a state, as it is.
    pub fn of(config: &Value, settings: &Settings) -> (Option<Spec>, Vec<Told>, Inputs) {
        let inputs = inputs(config);
        let (spec, told) = spec::resolve(&inputs, settings.target);
        (spec, told, inputs)
    }

    /// Of a configuration before anything is configured: what may be accepted then is left for later.
    pub fn validated(config: &Value, judged: Judged, today: Date) -> Vec<Diagnostic> {
        let target = match judged {
            Judged::By(target) => target,
            // What holds wherever it will run.
            Judged::Unknown => {
                let mut each = Cloud::ALL.iter().map(|cloud| Self::validated(config, Judged::By(Some(*cloud)), today));
                let first = each.next().unwrap_or_default();
                return each.fold(first, |said, other| said.into_iter().filter(|one| other.contains(one)).collect());
            }
        };
        let (spec, mut told, inputs) = Self::of(config, &Settings { target, ..Settings::default() });
        if let Some(spec) = &spec {
            let said = check(&inputs, spec, today);
            told.extend(said.into_iter().filter(|one| !checks::is_acceptable(one.code, spec.target)));
        }
        told.retain(|one| !UNKNOWN.contains(&one.code));
        told.iter().filter_map(diagnostic).map(|one| where_written(one, config)).collect()
    }

    /// Of a configuration that is to be said something about.
    pub fn checked(config: &Value, settings: &Settings, today: Date) -> Self {
        let (spec, mut told, inputs) = Self::of(config, settings);
        let unknown: Vec<_> = fields::canonical()
            .filter(|variable| inputs.get(variable.name).is_some_and(|value| !value.is_known()))
            .collect();
        if let Some(spec) = &spec {
            let acknowledged = |one: Told| match checks::is_acceptable(one.code, spec.target) {
                true => one.acknowledged(&settings.options.accepted),
                false => one,
            };
            told.extend(check(&inputs, spec, today).into_iter().map(acknowledged));
        }
        // What is not known yet will be, and is looked at again then.
        told.retain(|one| !UNKNOWN.contains(&one.code));
        let is_accepted = |one: &&Told| {
            let may_be = spec.as_ref().is_some_and(|spec| checks::is_acceptable(one.code, spec.target));
            may_be && one.severity == Severity::Warning
        };
        let accepted = told.iter().filter(is_accepted).filter_map(diagnostic).collect();
        let diagnostics = told.iter().filter_map(diagnostic).map(|one| where_written(one, config)).collect();
        Self { spec, diagnostics, accepted, unknown }
    }

    /// Of a configuration of which everything has been said, with what of it is not known yet.
    pub fn told(config: &Value, settings: &Settings, unknown: Vec<&'static Variable>) -> Self {
        Self { spec: Self::of(config, settings).0, diagnostics: Vec::new(), accepted: Vec::new(), unknown }
    }

    /// Every setting that is known, while nothing that decides about others is not; else null.
    pub fn effective(&self) -> Value {
        let Some(spec) = self.spec.as_ref().filter(|_| self.unknown.iter().all(|one| decides_nothing(one))) else {
            return Value::Null;
        };
        let outputs = pgherd_core::outputs::outputs(spec, &pgherd_core::outputs::Facts::default());
        let told = fields::told(&outputs).into_iter().find(|(name, _)| name == "effective");
        // A setting under each of its names, and what it gets into: the environment is one of the tags.
        let is_late = |name: &str| {
            let variable = variables::variable(name).map(|one| one.canonical_name());
            self.unknown.iter().any(|late| variable == Some(late.name))
        };
        let gets_there = |value: &Value| value.as_text().is_some_and(|text| text.contains(fields::NOT_YET));
        let open = |name: &str, value: Value| if is_late(name) || gets_there(&value) { Value::Unknown } else { value };
        match told {
            Some((_, Value::Map(settings))) => Value::Map(
                settings
                    .into_iter()
                    .map(|(name, value)| {
                        let value = open(&name, value);
                        (name, value)
                    })
                    .collect(),
            ),
            _ => Value::Null,
        }
    }
}

/// Everything wrong or noteworthy about a database; nothing while something that decides is not known, in whose place a default would
/// be judged. It is looked at again when it is known, before anything is done.
pub fn check(inputs: &Inputs, spec: &Spec, today: Date) -> Vec<Told> {
    let decides = |name: &str| variables::variable(name).is_some_and(|variable| !decides_nothing(variable));
    let waits = inputs.values.iter().any(|(name, value)| !value.is_known() && decides(name));
    if waits { Vec::new() } else { checks::check(inputs, spec, today) }
}

/// What is said of a reference that nobody can follow: here, somebody will.
const UNKNOWN: [&str; 4] = ["unknown-value", "unknown-password", "left-closed", "unknown-label"];

/// Whether a setting may be known late while others are told: then it is told that it is not known yet.
pub fn may_be_late(name: &str) -> bool {
    let variable = variables::variable(name).and_then(|one| variables::variable(one.canonical_name()));
    variable.is_some_and(decides_nothing)
}

/// Whether a variable names something beside the database, so that no other setting follows from it.
fn decides_nothing(variable: &Variable) -> bool {
    let is_text = |ty: &Type| matches!(ty, Type::String | Type::List(_) | Type::Map(_));
    variable.sensitive
        || matches!(variable.section, Section::Network | Section::Place) && is_text(&variable.ty)
        || ["tags", "environment", "kms_key_id", "alarm_targets", "monitoring_role_arn"].contains(&variable.name)
}

/// What is written, by the names of the table.
pub fn inputs(config: &Value) -> Inputs {
    let mut values = BTreeMap::new();
    for variable in fields::canonical() {
        let value = match variable.sensitive {
            true => match config.get(&fields::write_only(variable)) {
                Value::Null => fields::secret(config.get(variable.name)),
                unkept => fields::secret(unkept),
            },
            false => fields::ours(config.get(variable.name)),
        };
        if !value.is_null() {
            values.insert(variable.name.to_owned(), value);
        }
    }
    let block = config.get("name").as_text().unwrap_or("database").to_owned();
    Inputs { block, values }
}

/// One thing to tell, at its attribute. Notes are not told: they stand in `effective`.
pub fn diagnostic(told: &Told) -> Option<Diagnostic> {
    let Told { severity, at, message, help, .. } = told;
    let summary = sentence(message);
    let path = match at {
        At::Variable { path, .. } => path.as_str(),
        At::Nowhere | At::Source { .. } => "",
    };
    let outermost = path.split(['.', '[']).next().unwrap_or_default();
    // Terraform finds no line for what is inside of an attribute, so the words say where.
    let inside = if path == outermost { String::new() } else { format!("At {path}. ") };
    let detail = format!("{inside}{}", sentence(help));
    let one = match severity {
        Severity::Note => return None,
        Severity::Warning => Diagnostic::warning(summary, detail),
        Severity::Error => Diagnostic::error(summary, detail),
    };
    Some(match variables::variable(outermost) {
        Some(variable) if variable.canonical.is_none() => one.at(variable.name),
        _ => one,
    })
}

/// Flags and verbs of the command line, and what does the same under Terraform.
const FLAGS: &[(&str, &str)] = &[
    ("`apply --now`", "`apply_immediately = true`"),
    ("apply --now when", "write apply_immediately = true when"),
    ("apply --now", "apply_immediately = true"),
    ("--state-dir or PGHERD_STATE_DIR", "state_dir in the provider's block or PGHERD_STATE_DIR"),
    ("--state-dir", "state_dir in the provider's block"),
    ("--postgres-dir", "postgres_dirs in the provider's block"),
    ("--postgres-user", "PGHERD_POSTGRES_USER"),
    (
        "`pgherd apply` waits until it is not, and then does what is left",
        "wait until it is not, then apply: that does what is left",
    ),
    ("aws_region in the block, or set", "aws_region in the block or in the provider's block, or set"),
    ("`pgherd destroy` deletes", "`terraform destroy` deletes"),
    (
        "`pgherd destroy` goes on with it, and `pgherd apply` makes a new one then",
        "`terraform destroy` goes on with it, and an apply makes a new one then",
    ),
];

/// The same without what only the command line has.
fn without_flags(text: &str) -> String {
    let mut text = FLAGS.iter().fold(text.to_owned(), |text, (flag, ours)| text.replace(flag, ours));
    for verb in ["accept", "take"] {
        let Some((before, rest)) = text.split_once(&format!("{verb} that with --accept ")) else { continue };
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').unwrap_or(rest.len());
        let (code, after) = rest.split_at(end);
        text = format!("{before}accept that: accept = [\"{code}\"] in the provider's block{after}");
    }
    text
}

/// What is kept nowhere stands in an attribute of its own.
fn where_written(mut said: Diagnostic, config: &Value) -> Diagnostic {
    let variable = said.attribute.as_deref().and_then(variables::variable).filter(|variable| variable.sensitive);
    if let Some(unkept) = variable.map(fields::write_only).filter(|unkept| !config.get(unkept).is_null()) {
        said.attribute = Some(unkept);
    }
    said
}

/// As Terraform writes: with a capital letter and a full stop, and what the command line would have somebody do in Terraform's words.
pub fn sentence(text: &str) -> String {
    let text = &without_flags(text);
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    // What begins with a name keeps it.
    let is_name = |word: &str| word.contains(|letter: char| "_`=./-".contains(letter) || letter.is_ascii_digit());
    let first =
        if text.split(' ').next().is_some_and(is_name) { first.to_string() } else { first.to_uppercase().to_string() };
    let end = if text.ends_with(['.', ')', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// The same, where a name that stands at the beginning is spelled as it is.
pub fn named(mut said: Vec<Diagnostic>, name: &str) -> Vec<Diagnostic> {
    let mut letters = name.chars();
    let Some(first) = letters.next() else { return said };
    let capital = format!("{}{}", first.to_uppercase(), letters.as_str());
    let is_end = |rest: &str| rest.starts_with([' ', '\'', ':', ',']);
    for one in &mut said {
        for text in [&mut one.summary, &mut one.detail] {
            if let Some(rest) = text.strip_prefix(&capital).filter(|rest| is_end(rest)) {
                *text = format!("{name}{rest}");
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> Date {
        Date::constant(2026, 11, 22)
    }

    #[track_caller]
    fn check(config: &[(&str, Value)], expected: &[(&str, Option<&str>)]) {
        let config = Value::object(config.iter().map(|(name, value)| (*name, value.clone())));
        let meaning = Meaning::checked(&config, &Settings::default(), today());
        let said: Vec<_> = meaning
            .diagnostics
            .iter()
            .filter(|one| one.is_error)
            .map(|one| (one.summary.as_str(), one.attribute.as_deref()))
            .collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_attribute() {
        let local = ("cloud_provider", Value::text("local"));
        check(std::slice::from_ref(&local), &[]);
        check(
            &[local, ("backup_retention_period", Value::int(36))],
            &[("Backups can be kept for at most 35 days, not 36.", Some("backup_retention_period"))],
        );
    }

    /// Terraform shows a path that leads into an attribute at the block's first line.
    #[test]
    fn of_what_is_inside_of_an_attribute_the_words_say_where() {
        let parameter = Value::object([("name", Value::text("work_mem")), ("value", Value::text("fast"))]);
        let config =
            Value::object([("cloud_provider", Value::text("local")), ("parameters", Value::List(vec![parameter]))]);
        let meaning = Meaning::checked(&config, &Settings::default(), today());
        let one = meaning.diagnostics.iter().find(|one| one.is_error).expect("something is wrong");
        assert_eq!(one.attribute.as_deref(), Some("parameters"));
        assert!(one.detail.starts_with("At parameters[0].value. "), "{}", one.detail);
    }

    #[test]
    fn a_password_is_judged_where_it_is_written() {
        let local = ("cloud_provider", Value::text("local"));
        let said = "The password has 5 characters; 8 to 128 are allowed.";
        for attribute in ["master_password", "master_password_wo"] {
            check(&[local.clone(), (attribute, Value::text("short"))], &[(said, Some(attribute))]);
        }
    }

    #[test]
    fn what_is_not_known_yet_is_not_complained_about() {
        check(&[("cloud_provider", Value::text("aws")), ("vpc_id", Value::Unknown)], &[]);
        check(&[("cloud_provider", Value::Unknown)], &[]);
        // A default of 20 GiB in its place would be too small for that.
        let quick = [("storage_type", Value::text("gp3")), ("storage_iops", Value::int(12_000))];
        check(&[&quick[..], &[("allocated_storage", Value::Unknown)]].concat(), &[]);
        let small = "gp3 below 400 GiB has 3000 IOPS and 125 MiB/s, and RDS refuses storage_iops for it.";
        check(&quick, &[(small, Some("storage_iops"))]);
    }

    /// Under all of its names, and in what is made of it: Terraform has nothing that was promised become another value.
    #[test]
    fn what_is_not_known_yet_is_open_wherever_it_gets() {
        let open = |written: &[(&str, Value)]| {
            let place = [("cloud_provider", Value::text("aws"))];
            let config = Value::object(place.into_iter().chain(written.iter().cloned()));
            let effective = Meaning::checked(&config, &Settings::default(), today()).effective();
            let settings = effective.as_map().cloned().unwrap_or_default();
            settings.into_iter().filter(|(_, value)| !value.is_known()).map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(open(&[("environment", Value::Unknown)]), ["environment", "tags"]);
        assert_eq!(open(&[("subnet_ids", Value::List(vec![Value::Unknown]))]), ["subnet_ids"]);
        assert_eq!(open(&[("vpc_id", Value::Unknown)]), ["vpc_id"]);
        // What may decide about others leaves nothing to be told.
        assert_eq!(open(&[("instance_class", Value::Unknown)]), [] as [String; 0]);
    }

    #[test]
    fn where_a_database_is_judged_to_run_decides_what_is_wrong_with_it() {
        let config = Value::object([("cloud_provider", Value::text("aws")), ("allocated_storage", Value::int(10))]);
        let said = |judged| Meaning::validated(&config, judged, today()).len();
        let by = |target| Judged::By(Some(target));
        assert_eq!([said(Judged::By(None)), said(by(Cloud::Aws)), said(by(Cloud::Local))], [1, 1, 0]);
        assert_eq!(said(Judged::Unknown), 0);
        let config = Value::object([("backup_retention_period", Value::int(-1))]);
        assert_eq!(Meaning::validated(&config, Judged::Unknown, today()).len(), 1, "nowhere");
    }

    /// Terraform has no flags of ours.
    #[test]
    fn what_is_said_names_no_flag() {
        let ways = [
            (
                "keep one; or accept that with --accept no-copy",
                "Keep one; or accept that: accept = [\"no-copy\"] in the provider's block.",
            ),
            (
                "write engine_version = \"16\"; or take that with --accept version-unavailable",
                "Write engine_version = \"16\"; or accept that: accept = [\"version-unavailable\"] in the provider's block.",
            ),
            (
                "apply --now when that is all right, or leave the port at 5432",
                "Write apply_immediately = true when that is all right, or leave the port at 5432.",
            ),
            (
                "apply --now begins with them at once; or wait for the window",
                "apply_immediately = true begins with them at once; or wait for the window.",
            ),
            (
                "write aws_region in the block, or set AWS_REGION",
                "Write aws_region in the block or in the provider's block, or set AWS_REGION.",
            ),
            (
                "`pgherd apply` waits until it is not, and then does what is left",
                "Wait until it is not, then apply: that does what is left.",
            ),
            ("`apply --now` does both", "`apply_immediately = true` does both."),
            (
                "name a server you have with --postgres-dir",
                "Name a server you have with postgres_dirs in the provider's block.",
            ),
        ];
        for (help, expected) in ways {
            assert_eq!(sentence(help), expected);
        }
    }

    /// Nor do the words of any check.
    #[test]
    fn no_check_names_a_flag() {
        let all = checks::CHECKS.iter().flat_map(|check| check.wrong).flat_map(|wrong| wrong.says);
        // Those of other programs stand in whole lines of theirs.
        let is_ours = |says: &String| says.contains(" --") && !says.contains("gcloud ") && !says.contains("az ");
        let with: Vec<String> = all.map(|says| sentence(says)).filter(is_ours).collect();
        assert_eq!(with, [] as [String; 0]);
    }

    /// Nor does what a target or the engine says before anything is done; nor do they have somebody run what Terraform runs.
    #[test]
    fn nobody_names_a_flag() {
        let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = ["plan/decide.rs", "lint.rs"].map(|file| crates.join("pgherd-core/src").join(file)).to_vec();
        let mut folders = ["pgherd-aws/src/preflight", "pgherd-aws/src/live", "pgherd-local/src"]
            .map(|folder| crates.join(folder))
            .to_vec();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        let flags = [
            "--accept ",
            "--now",
            "--state-dir",
            "--postgres-dir",
            "--postgres-user",
            "`pgherd apply`",
            "`pgherd destroy`",
        ];
        let mut helps = 0;
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
            let text = std::fs::read_to_string(file).expect("a file");
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//") && line.contains('"')) {
                // Of its own arguments an agent's are no words.
                let is_said =
                    line.contains(' ') && flags.iter().any(|flag| line.contains(flag)) && !line.contains(".into()");
                if is_said {
                    helps += 1;
                    let said = without_flags(&line.replace(['{', '}'], ""));
                    assert!(!flags.iter().any(|flag| said.contains(flag)), "{}: {said}", file.display());
                }
            }
        }
        assert!(helps > 10, "{helps}");
    }

    #[test]
    fn a_name_keeps_its_letter() {
        let said = |text: &str| vec![Diagnostic::warning(sentence(text), "")];
        let summary = |text: &str| named(said(text), "orders").remove(0).summary;
        assert_eq!(summary("orders goes from PostgreSQL 16 to 17"), "orders goes from PostgreSQL 16 to 17.");
        assert_eq!(summary("orders' storage is full"), "orders' storage is full.");
        assert_eq!(summary("ordersof is another"), "Ordersof is another.");
        assert_eq!(summary("too many days"), "Too many days.");
    }

    #[test]
    fn words_are_sentences() {
        assert_eq!(sentence("too many days"), "Too many days.");
        assert_eq!(sentence("write a_name"), "Write a_name.");
        assert_eq!(sentence("db.t3.small is taken"), "db.t3.small is taken.");
        assert_eq!(sentence("multi_az = true needs two subnets"), "multi_az = true needs two subnets.");
        assert_eq!(sentence(""), "");
    }
}
