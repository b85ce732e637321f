//! Accounts, by the Administrative API v2.

use model::{Account, Upstream};

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// The upstream's account: "Retrieve Account", `GET /v2/accounts/{account_id}/`. Any token of the account may read it,
    /// so it shows whether access URL, account and token match.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::Credentials`] if the token is not valid at this access URL, [`ApiError::NotFound`] if it
    /// belongs to another account.
    pub async fn get_account(&self, to: &Upstream) -> Result<ApiResponse<Account>, ApiError> {
        let request = ApiRequest::get(format!("/v2/accounts/{}/", to.account_id));
        self.fetch(to, request).await
    }
}
