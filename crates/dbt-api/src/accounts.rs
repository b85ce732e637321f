//! The account itself, by the Administrative API v2.

use model::{Account, Upstream};

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// The upstream's account: "Retrieve Account", `GET /v2/accounts/{account_id}/`. It changes nothing and any token
    /// of the account may ask it, so it tells whether access URL, account and token belong together.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::Credentials`] where the token is wrong or unknown at this access URL,
    /// [`ApiError::NotFound`] where the token is of another account.
    pub async fn get_account(&self, to: &Upstream) -> Result<ApiResponse<Account>, ApiError> {
        let request = ApiRequest::get(format!("/v2/accounts/{}/", to.account_id));
        self.fetch(to, request).await
    }
}
