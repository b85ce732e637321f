//! Adds to each operation of the OpenAPI document the problems that its extractors and its request type make possible.
//!
//! A handler documents only its successes and its own problems.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use model::{Effect, RequestType, Role};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder,
    Type,
};

use crate::problem::Kind;

/// Adds the problems to every operation.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    let mut used = BTreeSet::new();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            let statuses = statuses(operation);
            add(operation, &statuses);
            used.extend(statuses);
        }
    }
    let components = document.components.get_or_insert_with(Components::new);
    for status in used {
        let name = component(status);
        components.responses.insert(name, problem(status).into());
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.patch,
        &mut item.put,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

/// The statuses of the problems that an operation can answer with.
fn statuses(operation: &Operation) -> BTreeSet<StatusCode> {
    let name = operation.operation_id.as_deref().unwrap_or_default();
    // Every request: limits and internal errors.
    let mut kinds = vec![
        Kind::URL_TOO_LONG,
        Kind::HEADERS_TOO_LARGE,
        Kind::SHARE_EXHAUSTED,
        Kind::INTERNAL,
    ];
    if let Some(request) = RequestType::from_name(name) {
        kinds.extend([
            Kind::UNAUTHENTICATED,
            Kind::COMPANY_SUSPENDED,
            Kind::KEY_RATE_LIMIT,
            Kind::LOG_UNAVAILABLE,
            // An unknown parameter, if nothing else.
            Kind::INVALID_REQUEST,
        ]);
        if request.needs() > Role::Viewer {
            kinds.push(Kind::FORBIDDEN);
        }
        if request.effect() == Effect::Change {
            kinds.push(Kind::READ_ONLY);
        }
        if request.client_type().is_some() {
            kinds.extend([
                Kind::NOT_FOUND,
                Kind::UNPROCESSABLE,
                Kind::DBT_CONFLICT,
                Kind::RATE_LIMIT,
                Kind::CREDENTIALS,
                Kind::BAD_GATEWAY,
                Kind::TIMEOUT,
            ]);
        }
    }
    // A thing in the path, or the account, may not exist for this caller.
    let names_a_thing = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(it) if it.parameter_in == ParameterIn::Path || it.name == "account_id");
    if operation.parameters.iter().flatten().any(names_a_thing) {
        kinds.push(Kind::NOT_FOUND);
    }
    if operation.request_body.is_some() {
        kinds.extend([Kind::BODY_TOO_SLOW, Kind::TOO_LARGE, Kind::MEDIA_TYPE]);
    }
    kinds.into_iter().map(Kind::status).collect()
}

fn add(operation: &mut Operation, statuses: &BTreeSet<StatusCode>) {
    let responses = &mut operation.responses.responses;
    responses.remove("default");
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            add_request_id(response);
        }
    }
    for status in statuses {
        let documented = responses
            .entry(status.as_str().to_owned())
            .or_insert_with(|| Ref::from_response_name(component(*status)).into());
        // An answer that the handler documents with its own body may be a problem too.
        if let RefOr::T(response) = documented {
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build();
            response
                .content
                .entry(PROBLEM_JSON.to_owned())
                .or_insert(content.into());
        }
    }
}

const PROBLEM_JSON: &str = "application/problem+json";

fn component(status: StatusCode) -> String {
    format!("Problem{}", status.as_str())
}

/// The response for all problems of a status.
fn problem(status: StatusCode) -> Response {
    let kinds: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| kind.status() == status)
        .map(|kind| format!("{}: `{}`", kind.title(), kind.path()))
        .collect();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let mut response = ResponseBuilder::new()
        .description(kinds.join("; "))
        .content(PROBLEM_JSON, content)
        .build();
    add_request_id(&mut response);
    let wait = "The number of seconds to wait, from 1, if known.";
    if [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
    ]
    .contains(&status)
    {
        response
            .headers
            .insert("retry-after".to_owned(), header(Type::Integer, wait).into());
    }
    response
}

fn add_request_id(response: &mut Response) {
    let name = "The request's UUID, as in its row, its log lines and its problem.";
    response
        .headers
        .insert("x-request-id".to_owned(), header(Type::String, name).into());
}

fn header(kind: Type, description: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(kind).build()))
        .description(Some(description))
        .build()
}
