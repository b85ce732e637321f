//! The ring of encryption keys: the first one encrypts, all of them decrypt.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
/// Length of one key, with padding.
const KEY_BASE64_CHARS: usize = 44;

/// The encryption keys of this process, at least one. Zeroised when dropped; `Debug` prints the ids only.
///
/// To change keys: put the new key in front of the old one in every replica; it encrypts once all of them have it. Then rotate
/// ([`Credentials::rotate`](crate::Credentials::rotate)), then remove the old one.
pub struct KeyRing {
    keys: Vec<EncryptionKey>,
}

pub(super) struct EncryptionKey {
    pub(super) id: String,
    pub(super) bytes: SecretBox<[u8; KEY_BYTES]>,
}

/// Why a text is not a key ring. Positions count from 1. No part of a key is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// There is no key.
    #[error("there is no encryption key")]
    Empty,
    /// There is no colon between id and key.
    #[error("encryption key {position} is not of the form id:base64")]
    Form {
        /// Its position.
        position: usize,
    },
    /// The id is empty, too long, or has other characters.
    #[error(
        "the id of encryption key {position} is not 1 to {} of the characters A-Z a-z 0-9 _ -",
        KeyRing::ID_MAX_CHARS
    )]
    Id {
        /// Its position.
        position: usize,
    },
    /// The key is not the base64 of 32 bytes.
    #[error("encryption key {position} is not the base64 of {KEY_BYTES} bytes")]
    Key {
        /// Its position.
        position: usize,
    },
    /// Two keys have the same id.
    #[error("two encryption keys have the id `{id}`")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// One key has two ids: rotating from one to the other would change nothing.
    #[error("the encryption keys `{first}` and `{second}` are the same key")]
    DuplicateKey {
        /// One id.
        first: String,
        /// The other id.
        second: String,
    },
}

impl KeyRing {
    /// Maximum length of a key's id, in characters.
    pub const ID_MAX_CHARS: usize = 32;

    /// Parses `id:base64,id2:base64`. White space around an entry is ignored, so that a file may contain line breaks.
    ///
    /// # Errors
    /// [`KeyRingError`].
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        if text.trim().is_empty() {
            return Err(KeyRingError::Empty);
        }
        let mut ring = Self { keys: Vec::new() };
        for (index, entry) in text.split(',').enumerate() {
            ring.add(EncryptionKey::parse(entry.trim(), index + 1)?)?;
        }
        Ok(ring)
    }

    /// A ring of one new key.
    ///
    /// # Errors
    /// [`KeyRingError::Id`].
    pub fn generate(id: &str) -> Result<Self, KeyRingError> {
        if !is_key_id(id) {
            return Err(KeyRingError::Id { position: 1 });
        }
        let key = EncryptionKey {
            id: id.to_owned(),
            bytes: SecretBox::init_with_mut(|bytes: &mut [u8; KEY_BYTES]| rand::fill(bytes)),
        };
        Ok(Self { keys: vec![key] })
    }

    /// The text that [`Self::parse`] reads, for a file with mode 0600.
    pub fn to_text(&self) -> SecretString {
        // With sufficient capacity: growing would leave copies in memory.
        let chars: usize = self.keys.iter().map(|key| key.id.len() + KEY_BASE64_CHARS + 2).sum();
        let mut text = String::with_capacity(chars - 1);
        for key in &self.keys {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&key.id);
            text.push(':');
            STANDARD.encode_string(key.bytes.expose_secret(), &mut text);
        }
        SecretString::from(text)
    }

    /// The id of the first key, which encrypts once every process has it.
    pub fn encrypts_with(&self) -> &str {
        &self.first().id
    }

    /// The ids of all keys, the one that encrypts first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    pub(super) fn first(&self) -> &EncryptionKey {
        // A ring has at least one key.
        &self.keys[0]
    }

    pub(super) fn key(&self, id: &str) -> Option<&EncryptionKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    fn add(&mut self, new: EncryptionKey) -> Result<(), KeyRingError> {
        if self.key(&new.id).is_some() {
            return Err(KeyRingError::DuplicateId { id: new.id });
        }
        let bytes = new.bytes.expose_secret();
        let same = self
            .keys
            .iter()
            .find(|key| key.bytes.expose_secret().ct_eq(bytes).into());
        if let Some(same) = same {
            return Err(KeyRingError::DuplicateKey {
                first: same.id.clone(),
                second: new.id,
            });
        }
        self.keys.push(new);
        Ok(())
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")?;
        f.debug_list().entries(self.ids()).finish()
    }
}

impl EncryptionKey {
    fn parse(entry: &str, position: usize) -> Result<Self, KeyRingError> {
        let (id, base64) = entry.split_once(':').ok_or(KeyRingError::Form { position })?;
        if !is_key_id(id) {
            return Err(KeyRingError::Id { position });
        }
        // Zeroised, and never reallocated, so that no copy is left.
        let mut decoded = Zeroizing::new(Vec::with_capacity(base64.len()));
        STANDARD_PAD_INDIFFERENT
            .decode_vec(base64, &mut decoded)
            .ok()
            .filter(|()| decoded.len() == KEY_BYTES)
            .ok_or(KeyRingError::Key { position })?;
        Ok(Self {
            id: id.to_owned(),
            bytes: SecretBox::init_with_mut(|bytes: &mut [u8; KEY_BYTES]| bytes.copy_from_slice(&decoded)),
        })
    }
}

pub(super) fn is_key_id(id: &str) -> bool {
    (1..=KeyRing::ID_MAX_CHARS).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const TWO: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

    #[test]
    fn a_ring_is_formatted_as_it_was_parsed() {
        let text = format!("new:{ONE},old-1_:{TWO}");
        let ring = KeyRing::parse(&text).unwrap();
        assert_eq!(ring.encrypts_with(), "new");
        assert_eq!(ring.ids().collect::<Vec<_>>(), ["new", "old-1_"]);
        assert_eq!(ring.to_text().expose_secret(), text);
    }

    #[test]
    fn white_space_around_entries_and_missing_padding_are_accepted() {
        let unpadded = ONE.trim_end_matches('=');
        let ring = KeyRing::parse(&format!(" new:{unpadded},\n old:{TWO}\n")).unwrap();
        assert_eq!(ring.to_text().expose_secret(), format!("new:{ONE},old:{TWO}"));
    }

    #[test]
    fn generated_keys_differ_and_can_be_parsed_again() {
        let one = KeyRing::generate("k1").unwrap();
        let two = KeyRing::generate("k1").unwrap();
        assert_ne!(one.to_text().expose_secret(), two.to_text().expose_secret());
        let again = KeyRing::parse(one.to_text().expose_secret()).unwrap();
        assert_eq!(again.to_text().expose_secret(), one.to_text().expose_secret());
        assert_eq!(again.encrypts_with(), "k1");
        assert_eq!(KeyRing::generate("a b").err(), Some(KeyRingError::Id { position: 1 }));
    }

    #[test]
    fn errors_name_position_or_id_and_no_part_of_a_key() {
        let long = "x".repeat(33);
        let cases = [
            (String::new(), KeyRingError::Empty),
            (" \n".to_owned(), KeyRingError::Empty),
            (ONE.to_owned(), KeyRingError::Form { position: 1 }),
            (format!("a:{ONE},"), KeyRingError::Form { position: 2 }),
            (format!("a:{ONE},{TWO}"), KeyRingError::Form { position: 2 }),
            (format!(":{ONE}"), KeyRingError::Id { position: 1 }),
            (format!("ключ:{ONE}"), KeyRingError::Id { position: 1 }),
            (format!("{long}:{ONE}"), KeyRingError::Id { position: 1 }),
            // Id and key swapped.
            (format!("{ONE}:a"), KeyRingError::Id { position: 1 }),
            (format!("a:{ONE},b:{TWO}!"), KeyRingError::Key { position: 2 }),
            (format!("a:{}", &ONE[..40]), KeyRingError::Key { position: 1 }),
            (format!("a:{ONE}AAAA"), KeyRingError::Key { position: 1 }),
            ("a:".to_owned(), KeyRingError::Key { position: 1 }),
            (
                format!("a:{ONE},a:{TWO}"),
                KeyRingError::DuplicateId { id: "a".to_owned() },
            ),
            (
                format!("a:{ONE},b:{TWO},c:{ONE}"),
                KeyRingError::DuplicateKey {
                    first: "a".to_owned(),
                    second: "c".to_owned(),
                },
            ),
        ];
        for (text, expected) in cases {
            let error = KeyRing::parse(&text).expect_err(&text);
            assert_eq!(error, expected, "{text}");
            let message = format!("{error} {error:?}");
            assert!(!message.contains("AQEB") && !message.contains("AgIC"), "{message}");
        }
    }

    #[test]
    fn debug_prints_ids_only() {
        let ring = KeyRing::parse(&format!("new:{ONE},old:{TWO}")).unwrap();
        assert_eq!(format!("{ring:?}"), r#"KeyRing["new", "old"]"#);
        assert!(!format!("{ring:#?} {:?}", ring.to_text()).contains("AQEB"));
    }
}
