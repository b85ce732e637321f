//! Accounts.

use model::{Account, Page, PageQuery, RequestType};

use crate::{ClientError, DbtClient};

crate::operations! {
    /// One account.
    GetAccount => get_account() -> Account;
}

impl DbtClient {
    /// A page of the company's accounts that the key may use, each read with its own credential; with a credential
    /// name only that credential's account.
    ///
    /// # Errors
    /// [`ClientError`]. The list is empty where there is no account.
    pub async fn list_accounts(
        self,
        credential: Option<String>,
        page: PageQuery,
    ) -> Result<Page<Account>, ClientError> {
        let (provider, ctx) = self.admit_each(RequestType::ListAccounts, credential).await?;
        Ok(provider.list_accounts(ctx, page).await?)
    }
}
