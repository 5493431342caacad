// Unit tests run without a browser; this much of one is always there.
globalThis.navigator ??= { languages: ["en-US"] };
globalThis.location ??= { hash: "" };
globalThis.addEventListener ??= () => {};
