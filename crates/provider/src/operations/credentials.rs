//! Credentials.

use dbt_api::WrappedApi;
use model::{Account, ClientContext};

use crate::engine::args;
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// The account of the credential, read with its own token: shows whether dbt Cloud accepts the token.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn verify_credential(&self, ctx: ClientContext) -> Result<Account, ProviderError> {
        self.provider_request(ctx, args!(), move |call| async move {
            call.ask(<dyn WrappedApi>::get_account).await
        })
        .await
    }
}
