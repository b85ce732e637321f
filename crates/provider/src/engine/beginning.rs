//! The beginning of a body that is passed on.

use bytes::Bytes;
use dbt_api::{ApiBody, ApiError, joined};
use futures::stream::TryStreamExt as _;

/// The beginning of a body.
pub(crate) enum Beginning {
    /// The whole body.
    Whole(Bytes),
    /// More than the limit, and the rest.
    Longer(Vec<Bytes>, ApiBody),
}

/// Reads a body until it ends or exceeds `max_bytes`.
///
/// # Errors
/// Those of the body and of `keep`, which is called with the length of each piece.
pub(crate) async fn read_beginning(
    mut body: ApiBody,
    max_bytes: usize,
    keep: impl Fn(usize) -> Result<(), ApiError>,
) -> Result<Beginning, ApiError> {
    let mut pieces = Vec::new();
    let mut bytes = 0;
    while let Some(piece) = body.try_next().await? {
        keep(piece.len())?;
        bytes += piece.len();
        pieces.push(piece);
        if bytes > max_bytes {
            return Ok(Beginning::Longer(pieces, body));
        }
    }
    Ok(Beginning::Whole(joined(pieces)))
}
