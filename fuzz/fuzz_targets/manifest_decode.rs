#![no_main]
//! Manifests and signature envelopes: what is decoded encodes to the same bytes.

use cobox_feed::manifest::Manifest;
use cobox_feed::tree::Envelope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::decode(bytes) {
        assert_eq!(manifest.encode(), bytes);
    }
    let _ = Envelope::decode(0, bytes);
    if let Ok(envelope) = Envelope::decode(1, bytes) {
        assert_eq!(Envelope::decode(1, &envelope.encode(1)), Ok(envelope));
    }
});
