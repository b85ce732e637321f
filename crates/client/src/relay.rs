//! The relay: requests to dbt Cloud's own paths.

use model::Target;
use provider::{ForwardRequest, StreamedAnswer, lists_accounts};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// Forwards a caller's request unchanged, to the account in its path, else to `target`. The list of accounts is
    /// composed of those that the key may use.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::MintsToken`] where the answer would show a new dbt token.
    pub async fn forward(self, mut target: Target, request: ForwardRequest) -> Result<StreamedAnswer, ClientError> {
        let request_type = request.request.request_type();
        if lists_accounts(&request.request) {
            let (provider, ctx) = self.admit_each(request_type, target.credential).await?;
            return Ok(provider.forward_accounts(ctx, request).await?);
        }
        target.account = request.request.target().account_id.or(target.account);
        let (provider, ctx) = self.admit(request_type, target).await?;
        Ok(provider.forward(ctx, request).await?)
    }
}
