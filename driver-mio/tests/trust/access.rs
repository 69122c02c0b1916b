//! Who gets in at a server.

use gannet_driver_mio::trust::{Access, AuthorizedClients, policy::Grant};

use crate::world::{World, key, later};

#[test]
fn owners_listed_ones_and_anyone_get_what_is_theirs() {
    const OWNER: u8 = 1;
    let world = World::prepared();
    let path = world.authorize(&format!("{} drop\n{} raed\n", key(2), key(3)));
    // As it may be met while running.
    world.authorize("");
    let access = |anyone: Option<&str>| {
        let authorized = AuthorizedClients::load(path.clone(), later()).unwrap();
        Access::new(key(OWNER), authorized, anyone.map(|text| text.parse().unwrap()))
    };
    let (mut closed, mut open) = (access(None), access(Some("write dir=pub")));
    world.authorize(&format!("{} read\n{} drop\n{} raed\n", key(OWNER), key(2), key(3)));
    let all = |access: &mut Access| {
        [1, 2, 3, 4].map(|n| match access.grant(&key(n), later()) {
            Some(grant) => grant.to_string(),
            None => "-".into(),
        })
    };
    assert_eq!(all(&mut closed), ["admin", "drop", "-", "-"]);
    assert_eq!(all(&mut open), ["admin", "drop", "-", "write dir=pub"]);
    assert_eq!(Grant::OWNER.to_string(), "admin");
    world.authorize("");
    assert_eq!(all(&mut closed), ["admin", "-", "-", "-"]);
    assert!(closed.authorized().generation() > 0);
}
