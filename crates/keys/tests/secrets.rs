//! Names print, secrets do not.

use cobox_keys::access::{Address, EncryptionKey, SpaceRoot};
use cobox_keys::cipher::BlockKey;
use cobox_keys::derive::ParentKey;
use cobox_keys::error::KeyError;
use cobox_keys::identity::{Identity, KeyPair, PublicKey};

#[test]
fn debug_shows_the_type_and_nothing_else() {
    let seed = [7; 32];
    let key = EncryptionKey::from_bytes(&seed);
    assert_eq!(format!("{:?}", Identity::from_seed(&seed)), "Identity(..)");
    assert_eq!(format!("{:?}", KeyPair::from_seed(&seed)), "KeyPair(..)");
    assert_eq!(
        format!("{:?}", ParentKey::from_bytes(&seed)),
        "ParentKey(..)"
    );
    assert_eq!(
        format!("{:?}", SpaceRoot::from_seed(&seed)),
        "SpaceRoot(..)"
    );
    assert_eq!(format!("{:?}", BlockKey::from_bytes(&seed)), "BlockKey(..)");
    assert_eq!(format!("{:?}", key.read_key()), "ReadKey(..)");
    assert_eq!(
        format!("{:?}", Address(seed).access_secret()),
        "AccessSecret(..)"
    );
    assert_eq!(format!("{key:?}"), "EncryptionKey(..)");
}

#[test]
fn names_print_and_parse_as_64_hex_digits() {
    let name = "ab".repeat(32);
    assert_eq!(name.parse(), Ok(Address([0xab; 32])));
    assert_eq!(name.to_uppercase().parse(), Ok(PublicKey([0xab; 32])));
    assert_eq!(Address([0xab; 32]).to_string(), name);
    assert_eq!(PublicKey([0xab; 32]).to_string(), name);
    for wrong in [&name[1..], &name.replacen("a", "g", 1), "", &name.repeat(2)] {
        assert_eq!(
            wrong.parse::<Address>(),
            Err(KeyError::Malformed("address"))
        );
        assert_eq!(
            wrong.parse::<PublicKey>(),
            Err(KeyError::Malformed("public key"))
        );
    }
}

#[test]
fn sealed_boxes_open_for_their_owner_only() {
    let (alice, bob) = (Identity::generate(), Identity::generate());
    let mut sealed = alice.public_key().seal(b"to alice").unwrap();
    assert_eq!(alice.open(&sealed), Ok(b"to alice".to_vec()));
    let refused = Err(KeyError::CannotOpen("sealed box"));
    assert_eq!(bob.open(&sealed), refused);
    assert_eq!(alice.open(&sealed[..47]), refused);
    sealed[50] ^= 1;
    assert_eq!(alice.open(&sealed), refused);
}

#[test]
fn stored_seeds_give_the_same_keys_back() {
    let identity = Identity::generate();
    let again = Identity::from_seed(identity.key_pair().expose_seed());
    assert_eq!(again.public_key(), identity.public_key());
    let root = SpaceRoot::generate();
    assert_eq!(
        SpaceRoot::from_seed(root.key_pair().expose_seed()).address(),
        root.address()
    );
    assert_ne!(EncryptionKey::generate(), EncryptionKey::generate());
}
