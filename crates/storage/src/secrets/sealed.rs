//! A sealed secret as text: `v1.<key id>.<base64 of nonce, ciphertext and tag>`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::{AeadInOut as _, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::KeyRing;
use super::key_ring::{EncryptionKey, is_key_id};

const VERSION: &str = "v1";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Why a sealed secret stays shut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// It was sealed with a key that is not in the ring.
    #[error("it needs the encryption key `{0}`, which is not given")]
    UnknownKey(String),
    /// It is not what was sealed, or belongs to another place, or the key of that id is another one.
    #[error("it was changed, moved, or sealed with another key of the same id")]
    Tampered,
    /// It has not the form of a sealed secret.
    #[error("it has not the form of a sealed secret")]
    Malformed,
}

impl KeyRing {
    /// Seals a secret with the first key. It opens with the same `aad` alone: the name of the place where it is kept.
    ///
    /// # Panics
    /// When the secret is longer than 256 GiB.
    pub fn seal(&self, secret: &SecretString, aad: &[u8]) -> String {
        let key = self.first();
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let mut sealed = Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
        let tag = key
            .cipher()
            .encrypt_inout_detached(&nonce.into(), &bound(&key.id, aad), sealed.as_mut_slice().into())
            .expect("shorter than the cipher's limit");
        let bytes = [&nonce[..], &sealed[..], &tag[..]].concat();
        format!("{VERSION}.{}.{}", key.id, STANDARD_NO_PAD.encode(bytes))
    }

    /// Opens what [`Self::seal`] sealed with the same `aad` and a key of this ring.
    ///
    /// # Errors
    /// [`DecryptError`].
    pub fn open(&self, sealed: &str, aad: &[u8]) -> Result<SecretString, DecryptError> {
        let (key_id, bytes) = split(sealed).ok_or(DecryptError::Malformed)?;
        let bytes = STANDARD_NO_PAD.decode(bytes).map_err(|_| DecryptError::Malformed)?;
        let (nonce, bytes) = bytes
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(DecryptError::Malformed)?;
        let (bytes, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or(DecryptError::Malformed)?;
        let key = self
            .key(key_id)
            .ok_or_else(|| DecryptError::UnknownKey(key_id.to_owned()))?;
        // Opened where it lies, in a buffer of just its length: no second copy of the secret is made.
        let mut opened = Zeroizing::new(bytes.to_vec());
        key.cipher()
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &bound(key_id, aad),
                opened.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| DecryptError::Tampered)?;
        match str::from_utf8(&opened) {
            Ok(secret) => Ok(SecretString::from(secret)),
            Err(_) => Err(DecryptError::Malformed),
        }
    }

    /// The id of the key that a sealed secret needs; `None` when it has not the form of one.
    pub fn key_id_of(sealed: &str) -> Option<&str> {
        split(sealed).map(|(key_id, _)| key_id)
    }
}

impl EncryptionKey {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.bytes.expose_secret().into())
    }
}

fn split(sealed: &str) -> Option<(&str, &str)> {
    let (key_id, bytes) = sealed.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')?;
    is_key_id(key_id).then_some((key_id, bytes))
}

/// What is authenticated besides the secret: version and key id as well as the place. An id has no NUL, so no two
/// pairs make the same bytes.
fn bound(key_id: &str, aad: &[u8]) -> Vec<u8> {
    [VERSION.as_bytes(), b".", key_id.as_bytes(), b"\0", aad].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AAD: &[u8] = b"credential 1 7";

    fn ring(text: &str) -> KeyRing {
        KeyRing::parse(text).unwrap()
    }

    fn with_keys(ids: &[(&str, u8)]) -> KeyRing {
        let key = |(id, byte): &(&str, u8)| format!("{id}:{}", STANDARD_NO_PAD.encode([*byte; 32]));
        ring(&ids.iter().map(key).collect::<Vec<_>>().join(","))
    }

    fn opened(ring: &KeyRing, sealed: &str, aad: &[u8]) -> Result<String, DecryptError> {
        ring.open(sealed, aad).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn what_was_sealed_opens_to_the_letter() {
        let ring = with_keys(&[("k1", 1)]);
        for secret in ["", "x", "dbtc_ünïcode\0\n", &"long".repeat(10_000)] {
            let sealed = ring.seal(&secret.into(), AAD);
            assert_eq!(opened(&ring, &sealed, AAD).unwrap(), secret);
            assert_eq!(KeyRing::key_id_of(&sealed), Some("k1"));
            assert!(sealed.starts_with("v1.k1.") && (secret.len() < 2 || !sealed.contains(secret)));
        }
    }

    #[test]
    fn one_secret_sealed_twice_is_two_texts() {
        let ring = with_keys(&[("k1", 1)]);
        let secret = SecretString::from("dbtc_secret");
        assert_ne!(ring.seal(&secret, AAD), ring.seal(&secret, AAD));
    }

    #[test]
    fn it_opens_in_its_own_place_alone() {
        let ring = with_keys(&[("k1", 1)]);
        let sealed = ring.seal(&"dbtc_secret".into(), AAD);
        for other in [&b"credential 1 8"[..], b"", b"credential 1 7 "] {
            assert_eq!(opened(&ring, &sealed, other), Err(DecryptError::Tampered));
        }
    }

    #[test]
    fn a_bit_flipped_anywhere_keeps_it_shut() {
        let ring = with_keys(&[("k1", 1), ("j1", 2)]);
        let sealed = ring.seal(&"dbtc_secret".into(), AAD);
        let flipped = |text: &[u8], bit: usize| {
            let mut text = text.to_vec();
            text[bit / 8] ^= 1 << (bit % 8);
            text
        };
        // In the text as it is stored.
        for bit in 0..sealed.len() * 8 {
            if let Ok(text) = String::from_utf8(flipped(sealed.as_bytes(), bit)) {
                assert!(opened(&ring, &text, AAD).is_err(), "{text}");
            }
        }
        // In nonce, ciphertext and tag, spelled well.
        let (head, base64) = sealed.rsplit_once('.').unwrap();
        let bytes = STANDARD_NO_PAD.decode(base64).unwrap();
        assert_eq!(bytes.len(), NONCE_BYTES + "dbtc_secret".len() + TAG_BYTES);
        for bit in 0..bytes.len() * 8 {
            let text = format!("{head}.{}", STANDARD_NO_PAD.encode(flipped(&bytes, bit)));
            assert_eq!(opened(&ring, &text, AAD), Err(DecryptError::Tampered), "bit {bit}");
        }
    }

    #[test]
    fn the_key_id_cannot_be_exchanged_for_another_id_of_the_same_key() {
        let sealed = with_keys(&[("k1", 1)]).seal(&"dbtc_secret".into(), AAD);
        let renamed = sealed.replacen("k1", "k2", 1);
        assert_eq!(
            opened(&with_keys(&[("k2", 1)]), &renamed, AAD),
            Err(DecryptError::Tampered)
        );
    }

    #[test]
    fn a_missing_key_is_told_by_its_id_and_another_key_of_that_id_opens_nothing() {
        let sealed = with_keys(&[("k1", 1)]).seal(&"dbtc_secret".into(), AAD);
        let error = opened(&with_keys(&[("k2", 2)]), &sealed, AAD).unwrap_err();
        assert_eq!(error, DecryptError::UnknownKey("k1".to_owned()));
        assert!(error.to_string().contains("k1"));
        assert_eq!(
            opened(&with_keys(&[("k1", 2)]), &sealed, AAD),
            Err(DecryptError::Tampered)
        );
    }

    #[test]
    fn the_first_key_seals_and_every_key_of_the_ring_opens() {
        let before = with_keys(&[("k1", 1)]);
        let both = with_keys(&[("k2", 2), ("k1", 1)]);
        let after = with_keys(&[("k2", 2)]);
        let old = before.seal(&"dbtc_old".into(), AAD);
        assert_eq!(opened(&both, &old, AAD).unwrap(), "dbtc_old");
        let new = both.seal(&both.open(&old, AAD).unwrap(), AAD);
        assert_eq!(KeyRing::key_id_of(&new), Some("k2"));
        assert_eq!(opened(&after, &new, AAD).unwrap(), "dbtc_old");
    }

    #[test]
    fn what_was_never_sealed_is_malformed() {
        let ring = with_keys(&[("k1", 1)]);
        let short = STANDARD_NO_PAD.encode([0; NONCE_BYTES + TAG_BYTES - 1]);
        let texts = [
            "",
            "dbtc_secret",
            "v1",
            "v1.k1",
            "v1.k1.",
            "v2.k1.AAAA",
            "v1..AAAA",
            "v1.k1.!",
            "v1.a b.AAAA",
            "v1k1.AAAA",
            &format!("v1.k1.{short}"),
        ];
        for text in texts {
            assert_eq!(opened(&ring, text, AAD), Err(DecryptError::Malformed), "{text}");
        }
        assert_eq!(KeyRing::key_id_of("dbtc_secret"), None);
    }
}
