//! The relay: requests to dbt Cloud's own paths.

use model::Target;
use provider::{ForwardRequest, StreamedAnswer, lists_accounts};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// Sends a caller's request on as it came. The account that its path names decides, else `target`; the list of
    /// accounts is composed of those that the key may use.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::MintsToken`] for one whose answer would show a new dbt token.
    pub async fn forward(self, mut target: Target, order: ForwardRequest) -> Result<StreamedAnswer, ClientError> {
        if lists_accounts(&order.request) {
            let (provider, ctx) = self.admit_each(order.request.request_type(), target.credential).await?;
            return Ok(provider.forward_accounts(ctx, order).await?);
        }
        target.account = order.request.target().account_id.or(target.account);
        let (provider, ctx) = self.admit(order.request.request_type(), target).await?;
        Ok(provider.forward(ctx, order).await?)
    }
}
