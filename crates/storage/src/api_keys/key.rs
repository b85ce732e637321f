//! The text of a key, and its hash, which is all the gateway stores.

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The SHA-256 of a key's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The start of every key, by which secret scanners recognise a leaked one.
    pub(super) const START: &str = "dgw_";
    const PREFIX_CHARS: usize = 8;
    const SECRET_BYTES: usize = 32;

    /// The hash of what a caller sent; `None` if it does not have the form of a key, so that no look-up is needed.
    pub fn of(text: &str) -> Option<Self> {
        let (prefix, secret) = text.strip_prefix(Self::START)?.split_once('_')?;
        let hex = |part: &str, chars| part.len() == chars && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        (hex(prefix, Self::PREFIX_CHARS) && hex(secret, 2 * Self::SECRET_BYTES)).then(|| Self::digest(text))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Compares with a stored hash in constant time.
    pub(super) fn matches(&self, stored: &[u8]) -> bool {
        self.0.ct_eq(stored).into()
    }

    fn digest(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

/// A new random key.
pub(super) struct GeneratedKey {
    /// The 8 hex digits that are shown in lists.
    pub(super) prefix: String,
    pub(super) text: SecretString,
    pub(super) hash: KeyHash,
}

impl GeneratedKey {
    pub(super) fn generate() -> Self {
        let prefix = hex::encode(rand::random::<[u8; KeyHash::PREFIX_CHARS / 2]>());
        let secret = Zeroizing::new(rand::random::<[u8; KeyHash::SECRET_BYTES]>());
        let secret = Zeroizing::new(hex::encode(secret.as_slice()));
        let text = SecretString::from(format!("{}{prefix}_{}", KeyHash::START, secret.as_str()));
        let hash = KeyHash::digest(text.expose_secret());
        Self { prefix, text, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_in_the_form_of_a_key_has_a_hash() {
        let key = format!("dgw_0123abcd_{}", "0f".repeat(32));
        assert!(KeyHash::of(&key).is_some());
        for bad in [
            "",
            "dgw_",
            "dgw_0123abcd",
            &key[..key.len() - 1],
            &key.replace("dgw", "xyz"),
            &format!("{key}0"),
        ] {
            assert_eq!(KeyHash::of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_generated_key_has_the_form_of_a_key_and_a_matching_hash() {
        let generated = GeneratedKey::generate();
        let text = generated.text.expose_secret();
        assert_eq!(KeyHash::of(text), Some(generated.hash));
        assert!(text.starts_with(&format!("dgw_{}_", generated.prefix)));
    }

    #[test]
    fn a_hash_matches_only_itself() {
        let hash = GeneratedKey::generate().hash;
        assert!(hash.matches(hash.as_bytes()));
        assert!(
            !hash.matches(GeneratedKey::generate().hash.as_bytes())
                && !hash.matches(&hash.as_bytes()[..31])
                && !hash.matches(&[])
        );
    }
}
