//! Masks the dbt token in an answer: a proxy before dbt Cloud may print the request that it refuses. Asterisks keep the
//! length. A compressed body is not searched.

use bytes::{Bytes, BytesMut};
use dbt_api::{ApiAnswer, ApiError};
use futures::stream::{self, StreamExt as _};
use http::header::CONTENT_ENCODING;
use memchr::memmem;
use secrecy::{ExposeSecret as _, SecretString};

/// The answer with the token masked.
pub(super) fn mask_token(answer: ApiAnswer, token: &SecretString) -> ApiAnswer {
    let is_uncompressed = answer
        .headers
        .get(CONTENT_ENCODING)
        .is_none_or(|encoding| encoding == "identity");
    if !is_uncompressed || token.expose_secret().is_empty() {
        return answer;
    }
    let (status, headers) = (answer.status, answer.headers.clone());
    let state = (Mask::new(token.clone()), Some(answer.into_body()));
    let body = stream::unfold(state, |(mut mask, body)| async move {
        let mut body = body?;
        loop {
            match body.next().await {
                Some(Ok(piece)) => {
                    let piece = mask.push(piece);
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
    /// The end of the received bytes, if it may be the beginning of the token.
    pending: Bytes,
}

impl Mask {
    fn new(token: SecretString) -> Self {
        let pending = Bytes::new();
        Self { token, pending }
    }

    /// The bytes that can be passed on after `piece`. Copies only if bytes are pending or the token is found.
    fn push(&mut self, piece: Bytes) -> Bytes {
        let mut piece = if self.pending.is_empty() {
            piece
        } else {
            let mut joined = BytesMut::from(&*std::mem::take(&mut self.pending));
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
        let max_length = piece.len().min(token.len() - 1);
        let pending = (1..=max_length).rev().find(|&length| piece.ends_with(&token[..length]));
        self.pending = piece.split_off(piece.len() - pending.unwrap_or_default());
        piece
    }

    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(pieces: &[&str]) -> String {
        let mut mask = Mask::new("dbtc_dbtc_x".into());
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&mask.push(Bytes::copy_from_slice(piece.as_bytes())));
        }
        out.extend_from_slice(&mask.rest());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_token_is_masked_wherever_the_pieces_end() {
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
