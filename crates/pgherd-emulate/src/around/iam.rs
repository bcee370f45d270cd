//! IAM: roles with their trust and policies. They belong to the account, not to a region.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Tags, most, page, tags_in, tags_shown};
use crate::rds::state::ACCOUNT;
use crate::wire::{Element, Form, Refusal};

/// The roles of the account.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    /// Roles by name.
    held: BTreeMap<String, Role>,
    /// How many were ever made.
    made: u64,
}

/// A role.
#[derive(Debug, Clone)]
pub struct Role {
    id: String,
    path: String,
    trust: String,
    description: Option<String>,
    longest_s: i64,
    created: Timestamp,
    tags: Tags,
    attached: BTreeSet<String>,
    inline: BTreeMap<String, String>,
}

/// The policies of AWS's own that a database's roles are given. Another one is not found.
const MANAGED: [&str; 4] = [
    "arn:aws:iam::aws:policy/AmazonRDSReadOnlyAccess",
    "arn:aws:iam::aws:policy/SecretsManagerReadWrite",
    "arn:aws:iam::aws:policy/service-role/AmazonRDSDirectoryServiceAccess",
    "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
];

/// What stays as it is in a document within an answer (RFC 3986, as IAM's pages say).
const DOCUMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Roles {
    /// The role of an ARN, where a service may act as it.
    fn trusting(&self, arn: &str, service: &str) -> Option<&Role> {
        let is_it = |(name, role): &(&String, &Role)| self::arn(name, role) == arn;
        let (_, role) = self.held.iter().find(is_it)?;
        let trusts = |statement: &Value| {
            let principals = texts(&statement["Principal"]["Service"]);
            statement["Effect"] == "Allow"
                && texts(&statement["Action"]).iter().any(|action| fits(action, "sts:AssumeRole"))
                && principals.contains(&service)
        };
        statements(&role.trust).iter().any(trusts).then_some(role)
    }

    /// Whether a service may act as the role of an ARN.
    pub fn trusts(&self, arn: &str, service: &str) -> bool {
        self.trusting(arn, service).is_some()
    }

    /// Whether a service that acts as the role of an ARN may do something to something. The conditions of what allows are taken for
    /// met, and those of what denies for not met, such as "where it is not TLS".
    pub fn allows(&self, arn: &str, service: &str, action: &str, resource: &str) -> bool {
        let Some(role) = self.trusting(arn, service) else { return false };
        let is_of_aws = |name: &str| role.attached.iter().any(|policy| policy.ends_with(name));
        let all: Vec<Value> = role.inline.values().flat_map(|policy| statements(policy)).collect();
        let is_said = |effect: &str| {
            all.iter().any(|statement| {
                statement["Effect"] == effect
                    && (effect == "Allow" || statement["Condition"].is_null())
                    && texts(&statement["Action"])
                        .iter()
                        .any(|pattern| fits(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase()))
                    && texts(&statement["Resource"]).iter().any(|pattern| fits(pattern, resource))
            })
        };
        let is_granted = is_said("Allow")
            || action.starts_with("logs:") && is_of_aws("/AmazonRDSEnhancedMonitoringRole")
            || action.starts_with("secretsmanager:") && is_of_aws("/SecretsManagerReadWrite");
        is_granted && !is_said("Deny")
    }
}

/// A role of somebody else's, which a service may act as, and which may do what AWS's own services need of it.
pub fn of_others(roles: &mut Roles, name: &str, service: &str) {
    let trust = serde_json::json!({
        "Statement": { "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" },
    });
    roles.made += 1;
    let role = Role {
        id: format!("AROA{:017X}", roles.made),
        path: "/".to_owned(),
        trust: trust.to_string(),
        description: None,
        longest_s: 3600,
        created: crate::emulation::BEGINNING,
        tags: Tags::new(),
        attached: MANAGED.into_iter().map(str::to_owned).collect(),
        inline: BTreeMap::new(),
    };
    roles.held.insert(name.to_owned(), role);
}

/// The statements of a policy, one or many.
fn statements(policy: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    match &policy["Statement"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    }
}

/// A text, or a list of texts.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// Whether a pattern of a policy fits: `*` is anything, `?` one character.
fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) if fits(&pattern[1..], text) => true,
        (Some('*'), Some(c)) => fits(pattern, &text[c.len_utf8()..]),
        (Some(p), Some(c)) if p == '?' || p == c => fits(&pattern[p.len_utf8()..], &text[c.len_utf8()..]),
        _ => false,
    }
}

fn arn(name: &str, role: &Role) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role{}{name}", role.path)
}

/// The answer to a request.
pub fn answer(roles: &mut Roles, form: &Form, now: Timestamp) -> Result<Element, Refusal> {
    match form.required("Action")? {
        "AttachRolePolicy" => attach(roles, form),
        "CreateRole" => create(roles, form, now),
        "DeleteRole" => delete(roles, form),
        "DeleteRolePolicy" => delete_inline(roles, form),
        "DetachRolePolicy" => detach(roles, form),
        "GetRole" => {
            let (name, role) = asked(roles, form)?;
            Ok(Element::new("").with(shown(&name, role, true).named("Role")))
        }
        "GetRolePolicy" => get_inline(roles, form),
        "ListAttachedRolePolicies" => list_attached(roles, form),
        "ListRolePolicies" => list_inline(roles, form),
        "ListRoleTags" => {
            let (_, role) = asked(roles, form)?;
            Ok(Element::new("").list("Tags", tags_shown(&role.tags)).put("IsTruncated", false))
        }
        "ListRoles" => list(roles, form),
        "PutRolePolicy" => put_inline(roles, form),
        "TagRole" => tag(roles, form),
        "UntagRole" => untag(roles, form),
        "UpdateAssumeRolePolicy" => update_trust(roles, form),
        other => Err(Refusal::of("InvalidAction", format!("Could not find operation {other} for version 2010-05-08"))),
    }
}

fn create(roles: &mut Roles, form: &Form, now: Timestamp) -> Result<Element, Refusal> {
    let name = form.required("RoleName")?.to_owned();
    named("roleName", &name, 64)?;
    let trust = document(form, "AssumeRolePolicyDocument", true)?;
    let path = form.text("Path").unwrap_or("/").to_owned();
    if !path.starts_with('/') || !path.ends_with('/') {
        return Err(validation("The specified value for path is invalid. It must begin and end with /."));
    }
    let longest_s = form.int("MaxSessionDuration")?.unwrap_or(3600);
    if !(3600..=43_200).contains(&longest_s) {
        return Err(validation("The requested MaxSessionDuration is not between 3600 and 43200 seconds."));
    }
    let tags = tags_in(form, "InvalidInput")?;
    // Names differ by more than case.
    if roles.held.keys().any(|held| held.eq_ignore_ascii_case(&name)) {
        let message = format!("Role with name {name} already exists.");
        return Err(Refusal { status: 409, ..Refusal::of("EntityAlreadyExists", message) });
    }
    roles.made += 1;
    let role = Role {
        id: format!("AROA{:017X}", roles.made),
        path,
        trust,
        description: form.text("Description").map(str::to_owned),
        longest_s,
        created: now,
        tags,
        attached: BTreeSet::new(),
        inline: BTreeMap::new(),
    };
    let answer = Element::new("").with(shown(&name, &role, true).named("Role"));
    roles.held.insert(name, role);
    Ok(answer)
}

fn delete(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let (name, role) = asked(roles, form)?;
    let conflict = |what: &str| {
        let message = format!("Cannot delete entity, must {what} policies first.");
        Err(Refusal { status: 409, ..Refusal::of("DeleteConflict", message) })
    };
    if !role.attached.is_empty() {
        return conflict("detach all");
    }
    if !role.inline.is_empty() {
        return conflict("delete");
    }
    roles.held.remove(&name);
    Ok(Element::new(""))
}

fn update_trust(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let trust = document(form, "PolicyDocument", true)?;
    asked(roles, form)?.1.trust = trust;
    Ok(Element::new(""))
}

fn list(roles: &Roles, form: &Form) -> Result<Element, Refusal> {
    let prefix = form.text("PathPrefix").unwrap_or("/");
    let found = roles.held.iter().filter(|(_, role)| role.path.starts_with(prefix));
    listed(form, "Roles", found.map(|(name, role)| shown(name, role, false)).collect())
}

fn attach(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let arn = form.required("PolicyArn")?.to_owned();
    let (_, role) = asked(roles, form)?;
    if !MANAGED.contains(&arn.as_str()) {
        return Err(missing(format!("Policy {arn} does not exist or is not attachable.")));
    }
    if role.attached.len() >= 10 && !role.attached.contains(&arn) {
        let message = "Cannot exceed quota for PoliciesPerRole: 10";
        return Err(Refusal { status: 409, ..Refusal::of("LimitExceeded", message) });
    }
    role.attached.insert(arn);
    Ok(Element::new(""))
}

fn detach(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let arn = form.required("PolicyArn")?.to_owned();
    match asked(roles, form)?.1.attached.remove(&arn) {
        true => Ok(Element::new("")),
        false => Err(missing(format!("Policy {arn} was not found."))),
    }
}

fn list_attached(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let (_, role) = asked(roles, form)?;
    let items = role.attached.iter().map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        Element::new("member").put("PolicyName", name).put("PolicyArn", arn)
    });
    listed(form, "AttachedPolicies", items.collect())
}

fn put_inline(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let policy = form.required("PolicyName")?.to_owned();
    named("policyName", &policy, 128)?;
    let document = document(form, "PolicyDocument", false)?;
    asked(roles, form)?.1.inline.insert(policy, document);
    Ok(Element::new(""))
}

fn get_inline(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let policy = form.required("PolicyName")?.to_owned();
    let (name, role) = asked(roles, form)?;
    let document = role.inline.get(&policy).ok_or_else(|| no_policy(&policy))?;
    Ok(Element::new("")
        .put("RoleName", name)
        .put("PolicyName", &policy)
        .put("PolicyDocument", utf8_percent_encode(document, DOCUMENT)))
}

fn delete_inline(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let policy = form.required("PolicyName")?.to_owned();
    let removed = asked(roles, form)?.1.inline.remove(&policy);
    removed.map(|_| Element::new("")).ok_or_else(|| no_policy(&policy))
}

fn list_inline(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let (_, role) = asked(roles, form)?;
    listed(form, "PolicyNames", role.inline.keys().map(|name| Element::text("member", name)).collect())
}

fn tag(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let more = tags_in(form, "InvalidInput")?;
    let (_, role) = asked(roles, form)?;
    let all: Tags = role.tags.clone().into_iter().chain(more).collect();
    if all.len() > 50 {
        let message = "The number of tags has reached the maximum limit.";
        return Err(Refusal { status: 409, ..Refusal::of("LimitExceeded", message) });
    }
    role.tags = all;
    Ok(Element::new(""))
}

fn untag(roles: &mut Roles, form: &Form) -> Result<Element, Refusal> {
    let keys = form.list("TagKeys", "member").unwrap_or_default();
    asked(roles, form)?.1.tags.retain(|key, _| !keys.contains(&key.as_str()));
    Ok(Element::new(""))
}

fn asked<'a>(roles: &'a mut Roles, form: &Form) -> Result<(String, &'a mut Role), Refusal> {
    let name = form.required("RoleName")?;
    let found = roles.held.iter_mut().find(|(held, _)| held.eq_ignore_ascii_case(name));
    found
        .map(|(name, role)| (name.clone(), role))
        .ok_or_else(|| missing(format!("The role with name {name} cannot be found.")))
}

/// A policy: JSON with a version and statements. That of a role's trust says who, the others on what.
fn document(form: &Form, name: &str, is_trust: bool) -> Result<String, Refusal> {
    let text = form.required(name)?;
    let malformed = |why: &str| Refusal::of("MalformedPolicyDocument", why);
    let value: Value = serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    let statements = match &value["Statement"] {
        Value::Array(statements) => statements.clone(),
        one @ Value::Object(_) => vec![one.clone()],
        _ => return Err(malformed("Syntax errors in policy.")),
    };
    let is_whole = |statement: &Value| {
        let has = |name: &str| !statement[name].is_null();
        let effect = matches!(statement["Effect"].as_str(), Some("Allow" | "Deny"));
        let about = if is_trust { has("Principal") && !has("Resource") } else { has("Resource") || has("NotResource") };
        effect && about && (has("Action") || has("NotAction"))
    };
    match statements.iter().all(is_whole) {
        true => Ok(text.to_owned()),
        false if is_trust => Err(malformed("AssumeRole policy must name a principal and no resource.")),
        false => Err(malformed("Policy statement must contain resources and actions.")),
    }
}

fn named(what: &str, name: &str, longest: usize) -> Result<(), Refusal> {
    let fits = (1..=longest).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
    fits.then_some(()).ok_or_else(|| {
        validation(format!(
            "The specified value for {what} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_- and be at most {longest} characters long."
        ))
    })
}

fn listed(form: &Form, name: &'static str, items: Vec<Element>) -> Result<Element, Refusal> {
    let most = most(form.int("MaxItems")?, 1000, 100, "ValidationError")?;
    let (page, next) = page(items, most, form.text("Marker"), "InvalidInput")?;
    Ok(Element::new("").list(name, page).put("IsTruncated", next.is_some()).maybe("Marker", next))
}

fn validation(message: impl Into<String>) -> Refusal {
    Refusal::of("ValidationError", message)
}

fn missing(message: String) -> Refusal {
    Refusal::missing("NoSuchEntity", message)
}

fn no_policy(policy: &str) -> Refusal {
    missing(format!("The role policy with name {policy} cannot be found."))
}

fn shown(name: &str, role: &Role, has_tags: bool) -> Element {
    let element = Element::new("member")
        .put("Path", &role.path)
        .put("RoleName", name)
        .put("RoleId", &role.id)
        .put("Arn", arn(name, role))
        .time("CreateDate", role.created)
        .put("AssumeRolePolicyDocument", utf8_percent_encode(&role.trust, DOCUMENT))
        .maybe("Description", role.description.as_ref())
        .put("MaxSessionDuration", role.longest_s);
    // A list of roles is without tags.
    if has_tags { element.list("Tags", tags_shown(&role.tags)) } else { element }
}
