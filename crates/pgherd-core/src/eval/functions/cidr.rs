//! Network addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::arguments::{int, text};
use super::{Fault, Function, exactly};
use crate::value::Value;

pub(super) const TABLE: &[Function] = &[
    Function::pure(
        "cidrhost",
        "cidrhost(prefix, number)",
        exactly(2),
        "An address within a network; negative numbers count from its end.",
        host,
    ),
    Function::pure("cidrnetmask", "cidrnetmask(prefix)", exactly(1), "The netmask of an IPv4 network.", netmask),
    Function::pure(
        "cidrsubnet",
        "cidrsubnet(prefix, newbits, number)",
        exactly(3),
        "A network within a network.",
        subnet,
    ),
];

fn network(a: &[Value]) -> Result<IpNet, Fault> {
    let text = text(a, 0)?;
    let network: IpNet = text.parse().map_err(|_| {
        Fault::at(0, format!("\"{text}\" is not a network"))
            .help("write an address and a prefix length: \"10.0.0.0/16\"")
    })?;
    Ok(network.trunc())
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// An address of the family of `like`.
fn address(like: &IpNet, bits: u128) -> IpAddr {
    match like {
        IpNet::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(u32::MAX))),
        IpNet::V6(_) => IpAddr::V6(Ipv6Addr::from(bits)),
    }
}

/// The highest number that fits into this many bits.
fn highest(width: u8) -> u128 {
    1u128.checked_shl(u32::from(width)).map_or(u128::MAX, |size| size - 1)
}

fn host(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (network, number) = (network(a)?, int(a, 1)?);
    let last = highest(network.max_prefix_len() - network.prefix_len());
    let offset = match u128::try_from(number) {
        Ok(number) => Some(number).filter(|number| *number <= last),
        Err(_) => last.checked_sub(u128::from(number.unsigned_abs()) - 1),
    };
    let offset = offset.ok_or_else(|| Fault::at(1, format!("{network} has no address number {number}")))?;
    Ok(address(&network, bits(network.network()) | offset).to_string().into())
}

fn netmask(a: &[Value], _: usize) -> Result<Value, Fault> {
    match network(a)? {
        IpNet::V4(network) => Ok(network.netmask().to_string().into()),
        IpNet::V6(network) => Err(Fault::at(0, format!("{network} is IPv6, which has no netmask"))),
    }
}

fn subnet(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (network, new_bits, number) = (network(a)?, int(a, 1)?, int(a, 2)?);
    let length = u8::try_from(new_bits)
        .ok()
        .and_then(|new| network.prefix_len().checked_add(new))
        .filter(|length| *length <= network.max_prefix_len());
    let length = length.ok_or_else(|| Fault::at(1, format!("{network} cannot be made {new_bits} bits longer")))?;
    let highest = highest(length - network.prefix_len());
    let number = u128::try_from(number).ok().filter(|number| *number <= highest);
    let number =
        number.ok_or_else(|| Fault::at(2, format!("{new_bits} more bits number subnets from 0 to {highest}")))?;
    let shifted = number.checked_shl(u32::from(network.max_prefix_len() - length)).unwrap_or(0);
    Ok(format!("{}/{length}", address(&network, bits(network.network()) | shifted)).into())
}
