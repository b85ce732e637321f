//! Documents and requests, and what they do.

use model::GraphqlEffect;
use model::GraphqlEffect::{Changes, CreatesQuery, Reads};

use super::*;
use crate::api::DbtApi;

const LIMITS: GraphqlLimits = GraphqlLimits {
    max_depth: 10,
    max_tokens: 200,
};

fn judged(document: &str, name: Option<&str>) -> Result<GraphqlEffect, RefusedGraphql> {
    LIMITS.judge(DbtApi::SemanticLayer, document, name)
}

#[test]
fn an_operation_is_judged_by_its_type_and_its_root_fields() {
    let create = "createQuery(environmentId: 1) { queryId }";
    for (document, at_semantic_layer) in [
        ("{ metrics { name } }".to_owned(), Reads),
        (
            "query Q($id: BigInt!) { metrics(environmentId: $id) { name } }".to_owned(),
            Reads,
        ),
        (
            "# mutation\nquery { mutation: metrics { createQuery } }".to_owned(),
            Reads,
        ),
        (format!("mutation {{ {create} }}"), CreatesQuery),
        (
            format!("mutation {{ x: {create} y: createDimensionValuesQuery(environmentId: 1) {{ queryId }} }}"),
            CreatesQuery,
        ),
        (
            format!(
                "mutation {{ ...F }} fragment F on Mutation {{ ... {{ ...G }} }} fragment G on Mutation {{ ...F {create} }}"
            ),
            CreatesQuery,
        ),
        (format!("mutation {{ {create} deleteAll }}"), Changes),
        (format!("mutation {{ createQuery: deleteAll {create} }}"), Changes),
        (
            format!("mutation {{ ... on Mutation {{ {create} ...F }} }} fragment F on Mutation {{ deleteAll }}"),
            Changes,
        ),
        (format!("mutation {{ {create} ...Missing }}"), Changes),
        (
            format!(
                "mutation {{ {create} ...F }} fragment F on Mutation {{ createQuery }} fragment F on Mutation {{ deleteAll }}"
            ),
            Changes,
        ),
        ("mutation { ...F } fragment F on Mutation { ...F }".to_owned(), Changes),
        ("mutation { compileSql(environmentId: 1) { sql } }".to_owned(), Changes),
    ] {
        assert_eq!(judged(&document, None), Ok(at_semantic_layer), "{document}");
        let at_discovery = LIMITS.judge(DbtApi::Metadata, &document, None).unwrap();
        assert_eq!(at_discovery == Reads, at_semantic_layer == Reads, "{document}");
        assert_ne!(at_discovery, CreatesQuery, "{document}");
    }
}

#[test]
fn of_several_operations_the_named_one_counts_and_without_a_name_the_strongest() {
    let document = "query A { a } mutation B { deleteAll } mutation C { createQuery }";
    for (name, effect) in [
        (None, Changes),
        (Some(""), Changes),
        (Some("A"), Reads),
        (Some("B"), Changes),
        (Some("C"), CreatesQuery),
    ] {
        assert_eq!(judged(document, name), Ok(effect), "{name:?}");
    }
    assert_eq!(
        judged(document, Some("a")),
        Err(RefusedGraphql::UnknownOperation("a".to_owned()))
    );
    // Two operations of one name: either may run.
    assert_eq!(judged("query A { a } mutation A { b }", Some("A")), Ok(Changes));
}

#[test]
fn what_is_no_operation_is_refused() {
    let deep = format!("query {}{}", "{ a ".repeat(50), "}".repeat(50));
    let long = format!("query {{ {} }}", "a ".repeat(500));
    for document in [&deep, &long] {
        assert!(matches!(judged(document, None), Err(RefusedGraphql::TooLarge(_))));
    }
    for document in ["query {", "select 1", "{ }", "{ a } }"] {
        assert!(
            matches!(judged(document, None), Err(RefusedGraphql::Syntax { .. })),
            "{document}"
        );
    }
    assert!(judged("", None).is_err());
    assert_eq!(judged("fragment F on Q { a }", None), Err(RefusedGraphql::NoOperation));
    assert_eq!(judged("subscription { a }", None), Err(RefusedGraphql::Subscription));
    assert_eq!(
        judged("query A { a } subscription B { a }", None),
        Err(RefusedGraphql::Subscription)
    );
    assert_eq!(judged("query A { a } subscription B { a }", Some("A")), Ok(Reads));
}

fn request(content_type: &str, body: &str, query: &str) -> Result<GraphqlEffect, RefusedGraphql> {
    let request = GraphqlRequest {
        is_post: true,
        query: Some(query),
        content_type: Some(content_type),
        body: body.as_bytes(),
    };
    request.judge(DbtApi::SemanticLayer, &LIMITS)
}

const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_request_is_judged_by_all_its_documents_in_every_form() {
    for (content_type, body, query, effect) in [
        (JSON, r#"{"query": "{ a }"}"#, "", Reads),
        (
            JSON,
            r#"{"query": "mutation { a }", "variables": {"query": "{ a }"}}"#,
            "",
            Changes,
        ),
        (JSON, r#"{"\u0071uery": "mutation { createQuery }"}"#, "", CreatesQuery),
        (
            JSON,
            r#"{"query": "query A { a } mutation B { b }", "operationName": "A"}"#,
            "",
            Reads,
        ),
        (
            JSON,
            r#"{"query": "query A { a } mutation B { b }", "operationName": null}"#,
            "",
            Changes,
        ),
        (JSON, r#" [{"query": "{ a }"}, {"query": "{ b }"}]"#, "", Reads),
        (
            JSON,
            r#"[{"query": "{ a }"}, {"query": "mutation { b }"}]"#,
            "",
            Changes,
        ),
        (JSON, r#"{"query": "{ a }"}"#, "query=mutation+%7B+b+%7D", Changes),
        ("text/plain", r#"{"query": "mutation { b }"}"#, "", Changes),
        ("application/graphql", "mutation { b }", "operationName=x", Changes),
        (FORM, "query=mutation%20%7B%20b%20%7D", "", Changes),
        (FORM, "query=query+A+{a}+mutation+B+{b}&operationName=A", "", Reads),
        (
            FORM,
            "query=query+A+{a}+mutation+B+{b}&operationName=A&operationName=B",
            "",
            Changes,
        ),
        (JSON, "", "query={a}", Reads),
    ] {
        assert_eq!(
            request(content_type, body, query),
            Ok(effect),
            "{content_type} {body} {query}"
        );
    }
}

#[test]
fn a_request_that_cannot_be_judged_is_refused() {
    for (content_type, body, query) in [
        (JSON, "", ""),
        (JSON, "[]", ""),
        (JSON, "{}", ""),
        (JSON, r#"{"query": null}"#, ""),
        (
            JSON,
            r#"{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}}"#,
            "",
        ),
        (JSON, "", "extensions=%7B%7D"),
        (JSON, r#"{"query": "{ a }", "query": "mutation { b }"}"#, ""),
        (
            JSON,
            r#"{"query": "{ a }", "operationName": "A", "operationName": "B"}"#,
            "",
        ),
        (JSON, r#"[{"query": "{ a }"}, {}]"#, ""),
        (JSON, r#"{"query": "{ a }"} {"query": "mutation { b }"}"#, ""),
        (JSON, r#"{"query": {"a": 1}}"#, ""),
        (JSON, "\u{feff}{\"query\": \"{ a }\"}", ""),
        (JSON, "not json", ""),
        (FORM, "variables={}", ""),
        ("multipart/form-data; boundary=x", "--x", ""),
        ("application/graphql", "", ""),
    ] {
        assert!(
            request(content_type, body, query).is_err(),
            "{content_type} {body} {query}"
        );
    }
    let read = GraphqlRequest {
        is_post: false,
        query: Some("account_id=1"),
        content_type: None,
        body: b"",
    };
    assert_eq!(read.judge(DbtApi::Metadata, &LIMITS), Ok(Reads), "nothing is executed");
}
