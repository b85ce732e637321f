//! Accounts: each is read with its own credential.

use dbt_api::{ApiError, WrappedApi};
use http::StatusCode;
use model::{Account, ClientContext, EachAccount, Page, PageQuery, RequestType};

use crate::engine::{Call, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// A page of the accounts in the order of their ids: one exchange per account.
    ///
    /// # Errors
    /// [`ProviderError`]: the page is whole or an error, [`ProviderError::InAccount`] where one account failed.
    pub async fn list_accounts(
        &self,
        ctx: ClientContext<EachAccount>,
        page: PageQuery,
    ) -> Result<Page<Account>, ProviderError> {
        self.provider_request(ctx, args!(page), move |call: Call<EachAccount>| async move {
            let covered = page.part_of(call.accounts());
            let results = call
                .exchange_each(covered, RequestType::GetAccount, <dyn WrappedApi>::get_account)
                .await
                .map_err(as_credential_error)?;
            let count = call.accounts().len() as u64;
            Ok(Page {
                query: page,
                count,
                results,
            })
        })
        .await
    }

    /// One account.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_account(&self, ctx: ClientContext) -> Result<Account, ProviderError> {
        self.provider_request(ctx, args!(), move |call| async move {
            call.ask(<dyn WrappedApi>::get_account).await
        })
        .await
    }
}

/// The caller of a list names no account, so an account that dbt Cloud does not show is the credential's fault.
pub(crate) fn as_credential_error(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::InAccount {
            account,
            source: ApiError::NotFound { message },
        } => ProviderError::InAccount {
            account,
            source: ApiError::Credentials {
                status: StatusCode::NOT_FOUND,
                message,
            },
        },
        other => other,
    }
}
