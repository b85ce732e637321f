//! Runs: single executions of jobs.

use model::{ClientContext, RequestType, Run, RunId};

use crate::exchanges::Why;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// One run.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_run(&self, ctx: ClientContext, run_id: RunId) -> Result<Run, ProviderError> {
        let asked = Asked {
            args: args!(run_id),
            run_id: Some(run_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            Ok(call
                .exchange(RequestType::GetRun, Why::Asked, move |api, to| api.get_run(to, run_id))
                .await?)
        })
        .await
    }
}
