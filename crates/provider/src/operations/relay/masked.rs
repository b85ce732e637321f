//! Takes the dbt token out of an answer that shows it: a proxy before dbt Cloud may print the request it refuses. It is
//! overwritten with as many asterisks, so that lengths and everything else stay. A compressed body is not looked into.

use bytes::{Bytes, BytesMut};
use dbt_api::{ApiAnswer, ApiError};
use futures::stream::{self, StreamExt as _};
use http::header::CONTENT_ENCODING;
use memchr::memmem;
use secrecy::{ExposeSecret as _, SecretString};

/// The answer without the token.
pub(super) fn without(answer: ApiAnswer, token: &SecretString) -> ApiAnswer {
    let plain = answer
        .headers
        .get(CONTENT_ENCODING)
        .is_none_or(|encoding| encoding == "identity");
    if !plain || token.expose_secret().is_empty() {
        return answer;
    }
    let (status, headers) = (answer.status, answer.headers.clone());
    let begun = (Mask::new(token.clone()), Some(answer.into_body()));
    let body = stream::unfold(begun, |(mut mask, body)| async move {
        let mut body = body?;
        loop {
            match body.next().await {
                Some(Ok(piece)) => {
                    let piece = mask.take(piece);
                    if !piece.is_empty() {
                        return Some((Ok::<_, ApiError>(piece), (mask, Some(body))));
                    }
                }
                Some(Err(error)) => return Some((Err(error), (mask, None))),
                None => {
                    let rest = mask.rest();
                    return (!rest.is_empty()).then_some((Ok(rest), (mask, None)));
                }
            }
        }
    });
    ApiAnswer::new(status, headers, body)
}

struct Mask {
    token: SecretString,
    /// The end of what came, where it may be the beginning of the token.
    held: Bytes,
}

impl Mask {
    fn new(token: SecretString) -> Self {
        let held = Bytes::new();
        Self { token, held }
    }

    /// What can be handed on after `piece` has come. Copies nothing where nothing is held and nothing is found.
    fn take(&mut self, piece: Bytes) -> Bytes {
        let mut piece = if self.held.is_empty() {
            piece
        } else {
            let mut joined = BytesMut::from(&*std::mem::take(&mut self.held));
            joined.extend_from_slice(&piece);
            joined.freeze()
        };
        let token = self.token.expose_secret().as_bytes();
        if memmem::find(&piece, token).is_some() {
            let mut masked = BytesMut::from(&*piece);
            let found: Vec<_> = memmem::find_iter(&piece, token).collect();
            for at in found {
                masked[at..at + token.len()].fill(b'*');
            }
            piece = masked.freeze();
        }
        let longest = piece.len().min(token.len() - 1);
        let held = (1..=longest).rev().find(|&length| piece.ends_with(&token[..length]));
        self.held = piece.split_off(piece.len() - held.unwrap_or_default());
        piece
    }

    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(pieces: &[&str]) -> String {
        let mut mask = Mask::new("dbtc_dbtc_x".into());
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&mask.take(Bytes::copy_from_slice(piece.as_bytes())));
        }
        out.extend_from_slice(&mask.rest());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_token_is_overwritten_wherever_the_pieces_end() {
        let text = "a dbtc_dbtc_dbtc_x, dbtc_dbtc_y dbtc_dbtc_xdbtc_dbtc_x dbtc_";
        let expected = "a dbtc_***********, dbtc_dbtc_y ********************** dbtc_";
        for cut in 0..=text.len() {
            for second in cut..=text.len() {
                let pieces = [&text[..cut], &text[cut..second], &text[second..]];
                assert_eq!(masked(&pieces), expected, "{pieces:?}");
            }
        }
        let single: Vec<_> = (0..text.len()).map(|at| &text[at..=at]).collect();
        assert_eq!(masked(&single), expected);
    }
}
