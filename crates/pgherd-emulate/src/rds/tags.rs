//! Tags of whatever has an ARN.

use std::collections::BTreeMap;

use super::state::Region;
use crate::wire::{Element, Form, Refusal};

/// The tags in a request.
pub fn sent(form: &Form) -> Result<BTreeMap<String, String>, Refusal> {
    let mut tags = BTreeMap::new();
    for tag in form.structures("Tags", "Tag") {
        let key = tag.required("Key")?;
        let value = tag.text("Value").unwrap_or_default();
        if key.starts_with("aws:") || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(Refusal::value(format!("The tag '{key}' is not valid.")));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Refusal::value(format!("The tag key '{key}' is sent twice.")));
        }
    }
    (tags.len() <= 50).then_some(tags).ok_or_else(|| Refusal::value("There can be at most 50 tags."))
}

/// `AddTagsToResource`.
pub fn add(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let more = sent(form)?;
    let tags = of(region, form)?;
    let mut all = tags.clone();
    all.extend(more);
    if all.len() > 50 {
        return Err(Refusal::value("There can be at most 50 tags."));
    }
    *tags = all;
    Ok(Element::new(""))
}

/// `RemoveTagsFromResource`.
pub fn remove(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    let keys = form.list("TagKeys", "member").unwrap_or_default();
    let tags = of(region, form)?;
    keys.into_iter().for_each(|key| {
        tags.remove(key);
    });
    Ok(Element::new(""))
}

/// `ListTagsForResource`.
pub fn list(region: &mut Region, form: &Form) -> Result<Element, Refusal> {
    of(region, form).map(|tags| Element::new("").list("TagList", shown(tags)))
}

/// Tags as answers show them.
pub fn shown(tags: &BTreeMap<String, String>) -> Vec<Element> {
    tags.iter().map(|(key, value)| Element::new("Tag").put("Key", key).put("Value", value)).collect()
}

fn of<'a>(region: &'a mut Region, form: &Form) -> Result<&'a mut BTreeMap<String, String>, Refusal> {
    let arn = form.required("ResourceName")?;
    let (kind, name) = arn.rsplit_once(':').unwrap_or_default();
    let (code, what) = match kind.rsplit(':').next().unwrap_or_default() {
        "db" => ("DBInstanceNotFound", "DBInstance"),
        "subgrp" => ("DBSubnetGroupNotFoundFault", "DB Subnet group"),
        "pg" => ("DBParameterGroupNotFound", "DBParameterGroup"),
        "db-proxy" => ("DBProxyNotFoundFault", "DBProxy"),
        "snapshot" => ("DBSnapshotNotFound", "DBSnapshot"),
        _ => {
            return Err(Refusal::value(format!(
                "The specified resource name does not match an RDS resource in this region: {arn}"
            )));
        }
    };
    region.tags.get_mut(arn).ok_or_else(|| Refusal::missing(code, format!("{what} {name} not found.")))
}
