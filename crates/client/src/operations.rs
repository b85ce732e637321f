//! The form that most operations have: admit the request, then call the provider's method of the same name.

/// Declares operations of `DbtClient`: `RequestType => method(arguments) -> Answer;`.
macro_rules! operations {
    ($($(#[$doc:meta])* $request_type:ident => $method:ident($($argument:ident: $type:ty),* $(,)?) -> $answer:ty;)*) => {
        impl crate::DbtClient {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`ClientError`](crate::ClientError).
                pub async fn $method(
                    self,
                    target: impl Into<model::Target>,
                    $($argument: $type,)*
                ) -> Result<$answer, crate::ClientError> {
                    let (provider, ctx) = self.admit(model::RequestType::$request_type, target).await?;
                    Ok(provider.$method(ctx, $($argument),*).await?)
                }
            )*
        }
    };
}
pub(crate) use operations;
