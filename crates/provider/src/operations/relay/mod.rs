//! The relay: forwards a caller's own request to dbt Cloud, and streams the answer back.

mod accounts;
mod args;
mod forward_request;
mod send;
mod start;
mod static_subdomain;
mod token_mask;

use model::ClientContext;

pub use accounts::lists_accounts;
pub use forward_request::ForwardRequest;

use self::send::{api_request, send};
use crate::engine::RowSubject;
use crate::{DbtProvider, ProviderError, StreamedAnswer};

impl DbtProvider {
    /// Forwards a caller's request unchanged, and returns the answer with any status. Only GET and HEAD requests of
    /// operations that read, and queries of GraphQL, are retried after a transient failure. One that starts
    /// a run is sent once, and a lost answer is resolved by looking for the run. A redirect that differs only by the
    /// trailing slash is followed once, with the same method and body.
    ///
    /// # Errors
    /// [`ProviderError`]; [`dbt_api::ApiError::UnexpectedStatus`] for any other redirect.
    pub async fn forward(
        &self,
        ctx: ClientContext,
        mut request: ForwardRequest,
    ) -> Result<StreamedAnswer, ProviderError> {
        let target = request.request.target();
        let subject = RowSubject {
            args: args::log_args(&request),
            job_id: target.job_id,
            run_id: target.run_id,
        };
        let request_type = ctx.request_type();
        let (effect, settings) = (request_type.effect(), self.settings.relay);
        let starter = self.starter();
        let starts = start::kind(request_type).map(|kind| start::attempt(&ctx, &starter, kind, &mut request));
        self.provider_stream(
            ctx,
            subject,
            effect,
            settings.collect_max_bytes,
            move |call| async move {
                if let Some(attempt) = starts {
                    let answer = Box::pin(start::start(&starter, &call, attempt, request)).await?;
                    return Ok(token_mask::mask_token(answer, call.token()));
                }
                let hides_subdomain = !settings.keep_static_subdomain
                    && static_subdomain::has_account(&request.request, request.query.as_deref());
                let collected_bytes = if hides_subdomain {
                    call.collect_limits().max_body_bytes
                } else {
                    settings.collect_max_bytes
                };
                let may_repeat = request.request.may_be_repeated();
                let request = api_request(request, hides_subdomain);
                let repeatable_bytes = may_repeat.then_some(collected_bytes);
                let answer = send(&call, request_type, repeatable_bytes, request).await?;
                let answer = token_mask::mask_token(answer, call.token());
                if hides_subdomain && answer.status.is_success() {
                    return Ok(static_subdomain::without_subdomain(&call, answer).await?);
                }
                Ok(answer)
            },
        )
        .await
    }
}
