//! How much an account has, and may have.

use super::World;

/// The figures of a quota: used and most.
#[track_caller]
fn check(world: &mut World, quota: &str, expected: (&str, &str)) {
    let told = world.ok("DescribeAccountAttributes", &[]);
    let each = told.split("<AccountQuota>").find(|each| each.contains(&format!("<AccountQuotaName>{quota}<")));
    let each = each.expect("it is among them");
    let figure = |name| super::inside(each, name).unwrap_or_default();
    assert_eq!((figure("Used").as_str(), figure("Max").as_str()), expected, "{quota}");
}

#[test]
fn what_there_is_counts() {
    let mut world = World::with_orders(&[]);
    check(&mut world, "DBInstances", ("1", "40"));
    check(&mut world, "AllocatedStorage", ("100", "100000"));
    check(&mut world, "ReadReplicasPerMaster", ("0", "15"));
    check(&mut world, "DBParameterGroups", ("0", "50"));
}
