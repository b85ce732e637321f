//! Encrypts secrets to text: `v1.<key id>.<base64 of nonce, ciphertext and tag>`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::{AeadInOut as _, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::key_ring::{EncryptionKey, KeyRing, is_key_id};

const VERSION: &str = "v1";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Why a secret cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// Its key is not in the ring.
    #[error("it needs the encryption key `{0}`, which is missing")]
    UnknownKey(String),
    /// The text was modified or copied to another row, or the key with that id is a different one.
    #[error("it was modified, copied to another row, or encrypted with another key of the same id")]
    Tampered,
    /// The text is not an encrypted secret.
    #[error("it does not have the form of an encrypted secret")]
    Malformed,
}

impl KeyRing {
    /// As [`Self::encrypt_with`], with the first key.
    pub fn encrypt(&self, secret: &SecretString, aad: &[u8]) -> String {
        self.encrypt_with(self.encrypts_with(), secret, aad)
    }

    /// Encrypts a secret with the key of that id, or the first if there is none. Decryption needs the same `aad` (additional authenticated data), which
    /// identifies the row.
    ///
    /// # Panics
    /// When the secret is longer than 256 GiB.
    pub fn encrypt_with(&self, key_id: &str, secret: &SecretString, aad: &[u8]) -> String {
        let key = self.key(key_id).unwrap_or_else(|| self.first());
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let mut ciphertext = Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
        let tag = key
            .cipher()
            .encrypt_inout_detached(
                &nonce.into(),
                &associated_data(&key.id, aad),
                ciphertext.as_mut_slice().into(),
            )
            .expect("shorter than the cipher's limit");
        let bytes = [&nonce[..], &ciphertext[..], &tag[..]].concat();
        format!("{VERSION}.{}.{}", key.id, STANDARD_NO_PAD.encode(bytes))
    }

    /// Decrypts the result of [`Self::encrypt`] with the same `aad` and a key of this ring.
    ///
    /// # Errors
    /// [`DecryptError`].
    pub fn decrypt(&self, encrypted: &str, aad: &[u8]) -> Result<SecretString, DecryptError> {
        let (key_id, bytes) = split(encrypted).ok_or(DecryptError::Malformed)?;
        let bytes = STANDARD_NO_PAD.decode(bytes).map_err(|_| DecryptError::Malformed)?;
        let (nonce, bytes) = bytes
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(DecryptError::Malformed)?;
        let (bytes, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or(DecryptError::Malformed)?;
        let key = self
            .key(key_id)
            .ok_or_else(|| DecryptError::UnknownKey(key_id.to_owned()))?;
        // Decrypted in place in a buffer of its exact length, so that no second copy of the secret is made.
        let mut secret = Zeroizing::new(bytes.to_vec());
        key.cipher()
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &associated_data(key_id, aad),
                secret.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| DecryptError::Tampered)?;
        match str::from_utf8(&secret) {
            Ok(secret) => Ok(SecretString::from(secret)),
            Err(_) => Err(DecryptError::Malformed),
        }
    }

    /// The id of the key that decrypts it; `None` if the text is not an encrypted secret.
    pub fn key_id_of(encrypted: &str) -> Option<&str> {
        split(encrypted).map(|(key_id, _)| key_id)
    }
}

impl EncryptionKey {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.bytes.expose_secret().into())
    }
}

fn split(encrypted: &str) -> Option<(&str, &str)> {
    let (key_id, bytes) = encrypted.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')?;
    is_key_id(key_id).then_some((key_id, bytes))
}

/// Authenticates version and key id besides `aad`. Ids contain no NUL, so different pairs give different bytes.
fn associated_data(key_id: &str, aad: &[u8]) -> Vec<u8> {
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

    fn decrypt(ring: &KeyRing, encrypted: &str, aad: &[u8]) -> Result<String, DecryptError> {
        ring.decrypt(encrypted, aad)
            .map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_secret_is_decrypted_as_it_was_encrypted() {
        let ring = with_keys(&[("k1", 1)]);
        for secret in ["", "x", "dbtc_ünïcode\0\n", &"long".repeat(10_000)] {
            let encrypted = ring.encrypt(&secret.into(), AAD);
            assert_eq!(decrypt(&ring, &encrypted, AAD).unwrap(), secret);
            assert_eq!(KeyRing::key_id_of(&encrypted), Some("k1"));
            assert!(encrypted.starts_with("v1.k1.") && (secret.len() < 2 || !encrypted.contains(secret)));
        }
    }

    #[test]
    fn encrypting_a_secret_twice_gives_different_texts() {
        let ring = with_keys(&[("k1", 1)]);
        let secret = SecretString::from("dbtc_secret");
        assert_ne!(ring.encrypt(&secret, AAD), ring.encrypt(&secret, AAD));
    }

    #[test]
    fn decryption_needs_the_same_associated_data() {
        let ring = with_keys(&[("k1", 1)]);
        let encrypted = ring.encrypt(&"dbtc_secret".into(), AAD);
        for other in [&b"credential 1 8"[..], b"", b"credential 1 7 "] {
            assert_eq!(decrypt(&ring, &encrypted, other), Err(DecryptError::Tampered));
        }
    }

    #[test]
    fn decryption_fails_after_any_bit_flip() {
        let ring = with_keys(&[("k1", 1), ("j1", 2)]);
        let encrypted = ring.encrypt(&"dbtc_secret".into(), AAD);
        let flipped = |text: &[u8], bit: usize| {
            let mut text = text.to_vec();
            text[bit / 8] ^= 1 << (bit % 8);
            text
        };
        // In the stored text.
        for bit in 0..encrypted.len() * 8 {
            if let Ok(text) = String::from_utf8(flipped(encrypted.as_bytes(), bit)) {
                assert!(decrypt(&ring, &text, AAD).is_err(), "{text}");
            }
        }
        // In nonce, ciphertext and tag, as valid base64.
        let (head, base64) = encrypted.rsplit_once('.').unwrap();
        let bytes = STANDARD_NO_PAD.decode(base64).unwrap();
        assert_eq!(bytes.len(), NONCE_BYTES + "dbtc_secret".len() + TAG_BYTES);
        for bit in 0..bytes.len() * 8 {
            let text = format!("{head}.{}", STANDARD_NO_PAD.encode(flipped(&bytes, bit)));
            assert_eq!(decrypt(&ring, &text, AAD), Err(DecryptError::Tampered), "bit {bit}");
        }
    }

    #[test]
    fn the_key_id_cannot_be_replaced_by_another_id_of_the_same_key() {
        let encrypted = with_keys(&[("k1", 1)]).encrypt(&"dbtc_secret".into(), AAD);
        let renamed = encrypted.replacen("k1", "k2", 1);
        assert_eq!(
            decrypt(&with_keys(&[("k2", 1)]), &renamed, AAD),
            Err(DecryptError::Tampered)
        );
    }

    #[test]
    fn a_missing_key_is_reported_by_id_and_a_different_key_with_that_id_fails() {
        let encrypted = with_keys(&[("k1", 1)]).encrypt(&"dbtc_secret".into(), AAD);
        let error = decrypt(&with_keys(&[("k2", 2)]), &encrypted, AAD).unwrap_err();
        assert_eq!(error, DecryptError::UnknownKey("k1".to_owned()));
        assert!(error.to_string().contains("k1"));
        assert_eq!(
            decrypt(&with_keys(&[("k1", 2)]), &encrypted, AAD),
            Err(DecryptError::Tampered)
        );
    }

    #[test]
    fn the_first_key_encrypts_and_every_key_of_the_ring_decrypts() {
        let before = with_keys(&[("k1", 1)]);
        let both = with_keys(&[("k2", 2), ("k1", 1)]);
        let after = with_keys(&[("k2", 2)]);
        let old = before.encrypt(&"dbtc_old".into(), AAD);
        assert_eq!(decrypt(&both, &old, AAD).unwrap(), "dbtc_old");
        let new = both.encrypt(&both.decrypt(&old, AAD).unwrap(), AAD);
        assert_eq!(KeyRing::key_id_of(&new), Some("k2"));
        assert_eq!(decrypt(&after, &new, AAD).unwrap(), "dbtc_old");
    }

    #[test]
    fn texts_of_another_form_are_malformed() {
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
            assert_eq!(decrypt(&ring, text, AAD), Err(DecryptError::Malformed), "{text}");
        }
        assert_eq!(KeyRing::key_id_of("dbtc_secret"), None);
    }
}
