//! One attempt to deliver an event: signed, with a time limit.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The longest part of an answer that a receipt keeps, in bytes.
const BODY_LIMIT: usize = 4_096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) status: Option<u16>,
    pub(crate) error: String,
    pub(crate) body: String,
}

impl Sent {
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// The signature of a body: hex HMAC-SHA256, no scheme in front.
fn sign(secret: &str, body: &str) -> String {
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mut mac) => {
            mac.update(body.as_bytes());
            hex::encode(mac.finalize().into_bytes())
        }
        // HMAC accepts keys of every length.
        Err(_) => String::new(),
    }
}

pub(crate) async fn post(client: &reqwest::Client, url: &str, secret: &str, body: String, limit: Duration) -> Sent {
    let signature = sign(secret, &body);
    let request = client
        .post(url)
        .header("authorization", signature)
        .header("content-type", "application/json")
        .body(body);
    let exchange = async {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let mut body = answer.text().await?;
        body.truncate(body.floor_char_boundary(BODY_LIMIT));
        Ok::<_, reqwest::Error>(Sent {
            status: Some(status),
            error: String::new(),
            body,
        })
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(Ok(sent)) => sent,
        Ok(Err(error)) => Sent {
            status: None,
            error: error.without_url().to_string(),
            body: String::new(),
        },
        Err(_) => Sent {
            status: None,
            error: format!("no answer within {} s", limit.as_secs_f64()),
            body: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hex_hmac_sha256_of_the_raw_body() {
        // RFC 4231, test case 2.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign("Jefe", "what do ya want for nothing?"), expected);
    }
}
