//! A whole block: an instance, its replica, and everything that stands around them, on one emulated AWS.

use crate::world::{WHOLE, World, with};

/// Tags are compared on the servers and carried to the rest.
#[tokio::test]
async fn a_tag_that_changes_is_carried_to_everything_around() {
    let world = World::whole(20).await;
    world.apply(WHOLE).await;
    let block = with(WHOLE, &[("tags", "{ Owner = \"bob\" }")]);
    world.apply(&block).await;
    assert_eq!(world.left(&block).await, [""; 0]);
    let of_rds = world.region(|region| {
        let owners = region.tags.iter().map(|(arn, tags)| (arn.clone(), tags.get("Owner").cloned()));
        owners.filter(|(_, owner)| owner.as_deref() != Some("bob")).map(|(arn, _)| arn).collect::<Vec<_>>()
    });
    assert_eq!(of_rds, [""; 0]);
}
