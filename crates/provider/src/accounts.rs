//! Accounts: each is read with its own credential.

use dbt_api::{ApiError, WrappedApi};
use http::StatusCode;
use model::{Account, ClientContext, EachAccount, Page, PageQuery, RequestType};

use crate::call::Call;
use crate::exchanges::Why;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// The page of the accounts that was asked for, in the order of their ids: one exchange an account.
    ///
    /// # Errors
    /// [`ProviderError`]: the page is whole or an error, [`ProviderError::InAccount`] where one account failed.
    pub async fn list_accounts(
        &self,
        ctx: ClientContext<EachAccount>,
        page: PageQuery,
    ) -> Result<Page<Account>, ProviderError> {
        let asked = Asked {
            args: args!(page),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call: Call<EachAccount>| async move {
            let covered = page.part_of(call.accounts());
            let results = call
                .exchange_each(covered, RequestType::GetAccount, <dyn WrappedApi>::get_account)
                .await
                .map_err(of_credential)?;
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
        let asked = Asked {
            args: args!(),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            Ok(call
                .exchange(RequestType::GetAccount, Why::Asked, <dyn WrappedApi>::get_account)
                .await?)
        })
        .await
    }
}

/// Nobody named the accounts of a list, so one that dbt Cloud does not show is the credential's fault, not the caller's.
pub(crate) fn of_credential(error: ProviderError) -> ProviderError {
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
