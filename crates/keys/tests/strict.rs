//! A signature holds on every peer or on none: what lax programs accept and we do not.

use cobox_keys::error::KeyError;
use cobox_keys::identity::{KeyPair, PublicKey, Signature};

fn mallory() -> KeyPair {
    KeyPair::from_seed(&[66; 32])
}

/// The points of order 1, 2, 4 and 8, in every encoding that decodes.
const SMALL_ORDER: [&str; 11] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

#[test]
fn a_key_of_small_order_signs_and_receives_nothing() {
    for hex in SMALL_ORDER {
        let weak: PublicKey = hex.parse().unwrap();
        // R = the key itself or the neutral point, S = 0: lax programs accept these for any message.
        for r in [weak.0, SMALL_ORDER[0].parse::<PublicKey>().unwrap().0] {
            let mut signature = Signature([0; 64]);
            signature.0[..32].copy_from_slice(&r);
            for message in [
                &b""[..],
                b"any",
                b"message",
                b"at",
                b"all",
                b"of",
                b"these",
                b"eight",
            ] {
                let refused = weak.verify("claim", message, &signature);
                assert_eq!(refused, Err(KeyError::BadSignature("claim")), "{hex}");
            }
        }
        assert_eq!(
            weak.seal(b"secret"),
            Err(KeyError::Malformed("public key")),
            "{hex}"
        );
    }
}

#[test]
fn an_r_of_small_order_is_refused() {
    let pair = mallory();
    let mut signature = pair.sign("claim", b"message");
    for hex in SMALL_ORDER {
        signature.0[..32].copy_from_slice(&hex.parse::<PublicKey>().unwrap().0);
        assert!(
            pair.public()
                .verify("claim", b"message", &signature)
                .is_err()
        );
    }
}

/// S and S + L say the same to a lax program, which lets anybody make a second signature of a first.
#[test]
fn an_s_that_is_not_canonical_is_refused() {
    const L: [u8; 16] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14,
    ];
    let pair = mallory();
    let mut signature = pair.sign("claim", b"message");
    assert!(
        pair.public()
            .verify("claim", b"message", &signature)
            .is_ok()
    );
    let order = [&L[..], &[0; 15], &[0x10]].concat();
    let mut carry = 0;
    for (digit, order) in signature.0[32..].iter_mut().zip(order) {
        let sum = u16::from(*digit) + u16::from(order) + carry;
        (*digit, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    let refused = pair.public().verify("claim", b"message", &signature);
    assert_eq!(refused, Err(KeyError::BadSignature("claim")));
}
