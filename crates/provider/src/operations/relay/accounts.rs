//! The list of accounts: dbt Cloud would only list those of one token. So the list is composed of the company's accounts,
//! each read with its own credential.

use dbt_api::{ApiRequest, WrappedApi};
use dbt_routes::RelayRequest;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use model::{AccountId, ClientContext, EachAccount, RequestType};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{ForwardRequest, args, static_subdomain};
use crate::engine::{AnswerBody, Call, RowSubject, StreamedAnswer};
use crate::operations::accounts::as_credential_error;
use crate::{DbtProvider, ProviderError};

/// dbt Cloud's envelope of a list.
#[derive(Serialize)]
struct ListWire<'a> {
    status: StatusWire,
    data: &'a [Box<RawValue>],
    extra: ExtraWire,
}

#[derive(Serialize)]
struct StatusWire {
    code: u16,
    is_success: bool,
    user_message: &'static str,
    developer_message: &'static str,
}

#[derive(Serialize)]
struct ExtraWire {
    filters: FiltersWire,
    order_by: &'static str,
    pagination: PaginationWire,
}

#[derive(Serialize)]
struct FiltersWire {
    #[serde(rename = "pk__in")]
    ids: Vec<AccountId>,
}

#[derive(Serialize)]
struct PaginationWire {
    count: usize,
    total_count: usize,
}

impl DbtProvider {
    /// Answers a request for the list of accounts: all accounts, ordered by id.
    ///
    /// # Errors
    /// [`ProviderError`]: the list is whole or an error, [`ProviderError::InAccount`] where one account failed.
    pub async fn forward_accounts(
        &self,
        ctx: ClientContext<EachAccount>,
        request: ForwardRequest,
    ) -> Result<StreamedAnswer, ProviderError> {
        let keep_subdomain = self.settings.relay.keep_static_subdomain;
        let subject = RowSubject::new(args::log_args(&request));
        self.provider_request(ctx, subject, move |call: Call<EachAccount>| async move {
            let read = call.exchange_each(call.accounts(), RequestType::GetAccount, |api, to| {
                let request = ApiRequest::get(format!("/v2/accounts/{}/", to.account_id))
                    .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                async move { <dyn WrappedApi>::fetch::<Box<RawValue>>(api, to, request).await }
            });
            let mut accounts = read.await.map_err(as_credential_error)?;
            if !keep_subdomain {
                for account in &mut accounts {
                    let without_subdomain = static_subdomain::null_in_account(account.get());
                    *account = RawValue::from_string(without_subdomain).map_err(|_not_json| ProviderError::Panicked)?;
                }
            }
            let ids = call.accounts().iter().map(|upstream| upstream.account_id).collect();
            answer(ids, &accounts)
        })
        .await
    }
}

/// Whether the answer is the list of accounts.
pub fn lists_accounts(request: &RelayRequest) -> bool {
    let name = request.operation().map(model::RelayedOperation::as_str);
    name.is_some_and(|name| ["list_accounts", "list_accounts_v2"].contains(&name))
}

fn answer(ids: Vec<AccountId>, accounts: &[Box<RawValue>]) -> Result<StreamedAnswer, ProviderError> {
    let count = accounts.len();
    let list = ListWire {
        status: StatusWire {
            code: StatusCode::OK.as_u16(),
            is_success: true,
            user_message: "Success!",
            developer_message: "",
        },
        data: accounts,
        extra: ExtraWire {
            filters: FiltersWire { ids },
            order_by: "id",
            pagination: PaginationWire {
                count,
                total_count: count,
            },
        },
    };
    // Strings, numbers and raw JSON always serialise.
    let body = serde_json::to_vec(&list).map_err(|_| ProviderError::Panicked)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(StreamedAnswer {
        status: StatusCode::OK,
        headers,
        body: AnswerBody::Whole(body.into()),
    })
}
