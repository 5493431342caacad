//! Sealed by one person, opened by another.

mod common;

use cobox_keys::identity::Identity;
use cobox_keys::invite::{Grant, Invite};
use common::{Founder, seed};

#[test]
fn the_invited_person_reads_what_was_said() {
    let founder = Founder::new(1);
    let bob = Identity::from_seed(&seed(50));
    for grant in [
        Grant::Write(founder.key.clone()),
        Grant::Read(founder.key.read_key()),
    ] {
        let invite = founder.invite(grant);
        let code = invite.seal(&founder.identity, &bob.public_key()).unwrap();
        assert_eq!(Invite::open(&code, &bob), Ok(invite));
    }
}
