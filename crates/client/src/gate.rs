//! The one gate: nothing reaches dbt Cloud that it has not admitted.

use model::{AccountId, ClientContext, Effect, RequestType};
use provider::DbtProvider;

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// Admits the request, or refuses it and writes a row that says so. Read-only mode first, then the role, the key's
    /// account list, and whether the company holds the account.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Provider`] where the refusal could not be logged.
    pub(crate) async fn admit(
        self,
        request_type: RequestType,
        account: Option<AccountId>,
    ) -> Result<(DbtProvider, ClientContext), ClientError> {
        let Self { caller, stamp, shared } = self;
        let needs = request_type.needs();
        let admitted = if shared.read_only && request_type.effect() == Effect::Change {
            Err(ClientError::ReadOnly)
        } else if caller.role < needs {
            Err(ClientError::RoleTooLow {
                needs,
                has: caller.role,
            })
        } else {
            shared.upstreams.resolve(&caller, account)
        };
        match admitted {
            #[expect(clippy::disallowed_methods, reason = "this is the gate")]
            Ok(upstream) => {
                let ctx = ClientContext::admitted(stamp, request_type, caller, upstream);
                Ok((shared.provider.clone(), ctx))
            }
            Err(refusal) => {
                let account = account.or(caller.default_account);
                shared
                    .provider
                    .log_refusal(&stamp, request_type, &caller, account, &refusal.to_string())
                    .await?;
                Err(refusal)
            }
        }
    }
}
