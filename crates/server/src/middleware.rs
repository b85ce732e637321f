//! The plumbing of the two layers around every route, as tower services: `axum::middleware::from_fn` clones and boxes the
//! inner service for each request.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use futures::future::BoxFuture;
use tower::Service;

/// What a layer does around a request.
pub(crate) trait Middleware {
    /// Answers the request, with `inner` or without.
    fn handle(&self, request: Request, inner: &mut impl Inner) -> ResponseFuture;
}

/// The future of an answer.
pub(crate) type ResponseFuture = BoxFuture<'static, Result<Response, Infallible>>;

/// The service inside a layer.
pub(crate) trait Inner:
    Service<Request, Response = Response, Error = Infallible, Future: Send + 'static> + Clone + Send + 'static
{
}

impl<S> Inner for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static> + Clone + Send + 'static
{
}

/// A middleware with its inner service.
#[derive(Debug, Clone)]
pub(crate) struct Wrapped<M, S> {
    middleware: M,
    inner: S,
}

/// The layer that puts a middleware around a service.
#[derive(Debug, Clone)]
pub(crate) struct Layer<M>(pub(crate) M);

impl<M: Clone, S> tower::Layer<S> for Layer<M> {
    type Service = Wrapped<M, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let middleware = self.0.clone();
        Wrapped { middleware, inner }
    }
}

impl<M: Middleware, S: Inner> Service<Request> for Wrapped<M, S> {
    type Response = Response;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.middleware.handle(request, &mut self.inner)
    }
}
