//! Credentials, as dbt Cloud sees them.

use dbt_api::WrappedApi;
use model::{Account, ClientContext, RequestType};

use crate::exchanges::Why;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// The account of the credential, read with its own token: whether dbt Cloud takes it.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn verify_credential(&self, ctx: ClientContext) -> Result<Account, ProviderError> {
        let asked = Asked {
            args: args!(),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            Ok(call
                .exchange(RequestType::VerifyCredential, Why::Asked, <dyn WrappedApi>::get_account)
                .await?)
        })
        .await
    }
}
