//! libsodium's formats, as pure functions over bytes: `crypto_kdf`, keyed and plain
//! `crypto_generichash`, and sealed boxes to the X25519 form of an Ed25519 key.
//!
//! The one place that names the engine for these. Not its job: contexts and labels, which belong
//! to the types that derive with them.

use dryoc::classic::crypto_box::{crypto_box_seal, crypto_box_seal_open};
use dryoc::classic::crypto_generichash::{
    crypto_generichash_final, crypto_generichash_init, crypto_generichash_update,
};
use dryoc::classic::crypto_kdf::crypto_kdf_derive_from_key;
use dryoc::classic::crypto_sign_ed25519::{
    crypto_sign_ed25519_pk_to_curve25519, crypto_sign_ed25519_sk_to_curve25519,
};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Bytes a sealed box is longer than its message: ephemeral key (32) and tag (16).
pub(crate) const SEALED_BOX_OVERHEAD: usize = 48;

/// libsodium `crypto_kdf_derive_from_key` with 32 bytes in and out.
pub(crate) fn kdf(key: &[u8; 32], context: &[u8; 8], id: u64) -> Secret {
    Secret::filled(|subkey| {
        crypto_kdf_derive_from_key(subkey, id, context, key)
            .expect("32 bytes is a length crypto_kdf allows");
    })
}

/// BLAKE2b-256 keyed with `key` over `"cobox/1/<label>"`, a zero byte, then the parts one after
/// another. Parts that may vary in length are framed by the caller.
pub(crate) fn keyed_hash(key: &[u8; 32], label: &str, parts: &[&[u8]]) -> Secret {
    Secret::filled(|out| generichash(Some(key), label, parts, out))
}

/// The same without a key, for names and check sums.
pub(crate) fn labelled_hash(label: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    generichash(None, label, parts, &mut out);
    out
}

/// Plain BLAKE2b-256.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let digest = blake2b_simd::Params::new().hash_length(32).hash(bytes);
    out.copy_from_slice(digest.as_bytes());
    out
}

fn generichash(key: Option<&[u8; 32]>, label: &str, parts: &[&[u8]], out: &mut [u8; 32]) {
    const LENGTHS: &str = "a 32-byte key and hash are lengths crypto_generichash allows";
    let key = key.map(|key| key.as_slice());
    let mut state = crypto_generichash_init(key, out.len()).expect(LENGTHS);
    for part in [b"cobox/1/", label.as_bytes(), &[0]].iter().chain(parts) {
        crypto_generichash_update(&mut state, part);
    }
    crypto_generichash_final(state, out).expect(LENGTHS);
}

/// libsodium `crypto_box_seal` to an Ed25519 public key. None if the key is not a proper one.
pub(crate) fn sealed_box(message: &[u8], recipient: &[u8; 32]) -> Option<Vec<u8>> {
    let recipient = to_x25519(recipient)?;
    let mut sealed = vec![0; message.len() + SEALED_BOX_OVERHEAD];
    crypto_box_seal(&mut sealed, message, &recipient).ok()?;
    Some(sealed)
}

/// libsodium `crypto_box_seal_open` with the X25519 form of an Ed25519 pair. None if it was sealed
/// to another key, or altered.
pub(crate) fn open_sealed_box(
    sealed: &[u8],
    public: &[u8; 32],
    seed: &[u8; 32],
) -> Option<Zeroizing<Vec<u8>>> {
    let length = sealed.len().checked_sub(SEALED_BOX_OVERHEAD)?;
    let mut message = Zeroizing::new(vec![0; length]);
    let secret = secret_to_x25519(seed, public);
    crypto_box_seal_open(&mut message, sealed, &to_x25519(public)?, secret.expose()).ok()?;
    Some(message)
}

/// libsodium `crypto_sign_ed25519_pk_to_curve25519`.
pub(crate) fn to_x25519(public: &[u8; 32]) -> Option<[u8; 32]> {
    let mut x25519 = [0; 32];
    crypto_sign_ed25519_pk_to_curve25519(&mut x25519, public).ok()?;
    Some(x25519)
}

/// libsodium `crypto_sign_ed25519_sk_to_curve25519`; its secret key is seed, then public key.
pub(crate) fn secret_to_x25519(seed: &[u8; 32], public: &[u8; 32]) -> Secret {
    let mut pair = Zeroizing::new([0; 64]);
    pair[..32].copy_from_slice(seed);
    pair[32..].copy_from_slice(public);
    Secret::filled(|x25519| crypto_sign_ed25519_sk_to_curve25519(x25519, &pair))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{bytes, entry, fixed, unhex};

    #[test]
    fn kdf_is_libsodiums() {
        let key = fixed("primitives", "key");
        for vector in entry("primitives", "kdf").as_array().unwrap() {
            let context = vector["context"]
                .as_str()
                .unwrap()
                .as_bytes()
                .try_into()
                .unwrap();
            let subkey = kdf(&key, context, vector["id"].as_u64().unwrap());
            assert_eq!(subkey.expose().as_slice(), unhex(&vector["subkey"]));
        }
    }

    #[test]
    fn generichash_is_libsodiums() {
        let message = bytes("primitives", "message");
        assert_eq!(hash(&message), fixed("primitives", "generichash"));
        let (key, mut keyed) = (fixed::<32>("primitives", "key"), [0; 32]);
        let mut state = crypto_generichash_init(Some(&key), 32).unwrap();
        crypto_generichash_update(&mut state, &message);
        crypto_generichash_final(state, &mut keyed).unwrap();
        assert_eq!(keyed, fixed("primitives", "generichash_keyed"));
    }

    #[test]
    fn keys_convert_to_x25519_as_in_libsodium() {
        let (seed, public) = (
            fixed("primitives", "key"),
            fixed("primitives", "ed25519_public"),
        );
        assert_eq!(
            to_x25519(&public),
            Some(fixed("primitives", "x25519_public"))
        );
        let secret = secret_to_x25519(&seed, &public);
        assert_eq!(*secret.expose(), fixed("primitives", "x25519_secret"));
    }

    #[test]
    fn libsodiums_sealed_boxes_open() {
        let (seed, public) = (
            fixed("primitives", "key"),
            fixed("primitives", "ed25519_public"),
        );
        let open = |name| open_sealed_box(&bytes("primitives", name), &public, &seed);
        assert_eq!(*open("sealed").unwrap(), bytes("primitives", "message"));
        assert_eq!(*open("sealed_empty").unwrap(), b"");
    }
}
