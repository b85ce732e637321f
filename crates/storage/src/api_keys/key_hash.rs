//! The form of a key, and the hash that stands for it everywhere but with its caller.

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The SHA-256 of a whole key. Without the key it opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Every key starts with this, so that a leaked one can be recognised.
    pub const MARK: &str = "dgw_";
    const PREFIX_CHARS: usize = 8;
    const SECRET_BYTES: usize = 32;

    /// The hash of what a caller presents; `None` when it has not the form of a key, which needs no look-up.
    pub fn of(presented: &str) -> Option<Self> {
        let (prefix, secret) = presented.strip_prefix(Self::MARK)?.split_once('_')?;
        let hex = |text: &str, chars| text.len() == chars && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (hex(prefix, Self::PREFIX_CHARS) && hex(secret, 2 * Self::SECRET_BYTES)).then(|| Self::of_text(presented))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether that is the stored form of this hash, in a time that does not tell how much of it is.
    pub(super) fn is(&self, stored: &[u8]) -> bool {
        self.0.ct_eq(stored).into()
    }

    fn of_text(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }
}

/// A key that nobody has yet: its public part, its text, its hash.
pub(super) struct FreshKey {
    pub(super) prefix: String,
    pub(super) text: SecretString,
    pub(super) hash: KeyHash,
}

impl FreshKey {
    pub(super) fn draw() -> Self {
        let prefix = hex::encode(rand::random::<[u8; KeyHash::PREFIX_CHARS / 2]>());
        let secret = Zeroizing::new(rand::random::<[u8; KeyHash::SECRET_BYTES]>());
        let secret = Zeroizing::new(hex::encode(secret.as_slice()));
        let text = SecretString::from(format!("{}{prefix}_{}", KeyHash::MARK, secret.as_str()));
        let hash = KeyHash::of_text(text.expose_secret());
        Self { prefix, text, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_in_the_form_of_a_key_is_looked_up() {
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
    fn a_fresh_key_has_the_form_of_a_key_and_its_own_hash() {
        let fresh = FreshKey::draw();
        let text = fresh.text.expose_secret();
        assert_eq!(KeyHash::of(text), Some(fresh.hash));
        assert!(text.starts_with(&format!("dgw_{}_", fresh.prefix)));
    }

    #[test]
    fn a_hash_is_only_itself() {
        let hash = FreshKey::draw().hash;
        assert!(hash.is(hash.as_bytes()));
        assert!(!hash.is(FreshKey::draw().hash.as_bytes()) && !hash.is(&hash.as_bytes()[..31]) && !hash.is(&[]));
    }
}
