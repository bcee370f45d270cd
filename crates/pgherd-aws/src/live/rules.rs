//! Rules of a security group: what is told, and what it takes to have those that are wanted. Pure.

use pgherd_core::value::{Props, Value};

use crate::api::ec2::{Peer, Permission};
use crate::kinds::security_group::{Peer as Wanted, Rule};

/// What is done to permissions, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Steps {
    pub(super) authorize: Vec<Permission>,
    pub(super) describe: Vec<Permission>,
    pub(super) revoke: Vec<Permission>,
}

/// The permissions of a group as rules: key and description.
pub(super) fn told(group: &str, wanted: &Props, permissions: &[Permission]) -> Props {
    let counts = |permission: &&Permission| is_compared(permission, wanted);
    permissions
        .iter()
        .filter(counts)
        .map(|permission| (key(group, permission), Value::text(&permission.description)))
        .collect()
}

/// What it takes that a group has the rules that are wanted. With `among` nothing but rules of these keys is touched.
pub(super) fn steps(group: &str, wanted: &Props, permissions: &[Permission], among: Option<&[&str]>) -> Steps {
    let touches = |key: &str| among.is_none_or(|among| among.contains(&key));
    let mut steps = Steps::default();
    for (key, description) in wanted.iter().filter(|(key, _)| touches(key)) {
        let Some(rule) = Rule::parse(key) else { continue };
        let new = permission(group, &rule, description.as_text().unwrap_or_default());
        match permissions.iter().find(|permission| self::key(group, permission) == *key) {
            None => steps.authorize.push(new),
            Some(found) if found.description != new.description => steps.describe.push(new),
            Some(_) => {}
        }
    }
    let too_much = permissions.iter().filter(|permission| is_compared(permission, wanted)).filter(|permission| {
        let key = key(group, permission);
        !wanted.contains_key(&key) && touches(&key)
    });
    steps.revoke.extend(too_much.cloned());
    steps
}

/// A new group may reach everybody; that is left alone as long as nobody says whom it may reach.
fn is_compared(permission: &Permission, wanted: &Props) -> bool {
    let everybody = match &permission.peer {
        Peer::Ipv4(cidr) => cidr == "0.0.0.0/0",
        Peer::Ipv6(cidr) => cidr == "::/0",
        Peer::Group { .. } | Peer::List(_) => false,
    };
    let is_default = !permission.ingress && permission.protocol == "-1" && everybody;
    !is_default || wanted.keys().any(|key| key.starts_with("egress "))
}

/// The key of a permission, spelt as [`Rule`] spells those that are wanted; whatever else EC2 can hold gets one of its own.
fn key(group: &str, permission: &Permission) -> String {
    let direction = if permission.ingress { "ingress" } else { "egress" };
    let ports = match permission.ports {
        None | Some((-1, _)) => "all".to_owned(),
        Some(_) if permission.protocol == "-1" => "all".to_owned(),
        Some((first, last)) if first == last => first.to_string(),
        Some((first, last)) => format!("{first}-{last}"),
    };
    let peer = match &permission.peer {
        Peer::Group { id, .. } if id == group => "itself",
        Peer::Ipv4(peer) | Peer::Ipv6(peer) | Peer::Group { id: peer, .. } | Peer::List(peer) => peer,
    };
    format!("{direction} {} {ports} {peer}", permission.protocol)
}

fn permission(group: &str, rule: &Rule, description: &str) -> Permission {
    let peer = match &rule.peer {
        Wanted::Cidr(cidr) if cidr.contains(':') => Peer::Ipv6(cidr.clone()),
        Wanted::Cidr(cidr) => Peer::Ipv4(cidr.clone()),
        Wanted::Group(list) if list.starts_with("pl-") => Peer::List(list.clone()),
        Wanted::Group(id) => Peer::Group { id: id.clone(), account: None },
        Wanted::Itself => Peer::Group { id: group.to_owned(), account: None },
    };
    // All protocols have no ports.
    let ports = (rule.protocol != "-1").then_some((i64::from(rule.ports.0), i64::from(rule.ports.1)));
    Permission {
        ingress: rule.ingress,
        protocol: rule.protocol.clone(),
        ports,
        peer,
        description: description.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "sg-1";

    fn wanted(rules: &[(&str, &str)]) -> Props {
        rules.iter().map(|(key, description)| ((*key).to_owned(), Value::text(*description))).collect()
    }

    fn live(rules: &[(&str, &str)]) -> Vec<Permission> {
        let read =
            |(key, description): &(&str, &str)| permission(GROUP, &Rule::parse(key).expect("a rule"), description);
        rules.iter().map(read).collect()
    }

    #[track_caller]
    fn check(want: &[(&str, &str)], have: &[(&str, &str)], among: Option<&[&str]>, expected: &str) {
        let steps = steps(GROUP, &wanted(want), &live(have), among);
        let shown = |word: &str, some: &[Permission]| -> Vec<String> {
            some.iter()
                .map(|one| format!("{word} {} {}", key(GROUP, one), one.description).trim_end().to_owned())
                .collect()
        };
        let all =
            [shown("authorize", &steps.authorize), shown("describe", &steps.describe), shown("revoke", &steps.revoke)];
        assert_eq!(all.concat().join("\n"), expected);
    }

    #[test]
    fn a_key_and_a_permission_are_one() {
        for rule in [
            "ingress tcp 5432 10.0.0.0/8",
            "ingress tcp 5432-5440 2001:db8::/32",
            "egress -1 all 0.0.0.0/0",
            "ingress tcp 5432 sg-2",
            "ingress tcp 5432 pl-3",
            "ingress tcp 5432 itself",
        ] {
            assert_eq!(key(GROUP, &permission(GROUP, &Rule::parse(rule).expect("a rule"), "")), rule);
        }
    }

    #[test]
    fn what_others_put_there_has_a_key_too() {
        let ping = Permission {
            ingress: true,
            protocol: "icmp".to_owned(),
            ports: Some((-1, -1)),
            peer: Peer::Ipv4("10.0.0.0/8".to_owned()),
            description: String::new(),
        };
        assert_eq!(key(GROUP, &ping), "ingress icmp all 10.0.0.0/8");
        assert_eq!(steps(GROUP, &Props::new(), std::slice::from_ref(&ping), None).revoke, [ping]);
    }

    #[test]
    fn what_is_missing_comes_and_what_is_too_much_goes() {
        check(
            &[("ingress tcp 5432 10.0.0.0/8", "office"), ("ingress tcp 5432 sg-2", "")],
            &[("ingress tcp 5432 10.0.0.0/8", ""), ("ingress tcp 5432 0.0.0.0/0", "")],
            None,
            "authorize ingress tcp 5432 sg-2\ndescribe ingress tcp 5432 10.0.0.0/8 office\nrevoke ingress tcp 5432 0.0.0.0/0",
        );
    }

    #[test]
    fn what_was_not_in_the_plan_is_left_for_the_next() {
        check(
            &[("ingress tcp 5432 10.0.0.0/8", "")],
            &[("ingress tcp 5432 0.0.0.0/0", "")],
            Some(&["ingress tcp 5432 10.0.0.0/8"]),
            "authorize ingress tcp 5432 10.0.0.0/8",
        );
    }

    #[test]
    fn the_way_out_is_left_alone_until_somebody_says_where_it_leads() {
        let default = [("egress -1 all 0.0.0.0/0", "")];
        check(&[], &default, None, "");
        assert!(told(GROUP, &Props::new(), &live(&default)).is_empty());
        check(
            &[("egress tcp 443 10.0.0.0/8", "")],
            &default,
            None,
            "authorize egress tcp 443 10.0.0.0/8\nrevoke egress -1 all 0.0.0.0/0",
        );
    }
}
