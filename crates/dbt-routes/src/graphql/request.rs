//! The documents of a relayed request: in its query and in its body, in every form that a GraphQL server may accept.

use model::GraphqlEffect;
use serde::Deserialize;
use url::form_urlencoded;

use super::{GraphqlLimits, RefusedGraphql};
use crate::api::DbtApi;

/// A request to a GraphQL API, as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct GraphqlRequest<'a> {
    /// Whether the method is POST, which needs a document.
    pub is_post: bool,
    /// The query of the URL.
    pub query: Option<&'a str>,
    /// The header `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// A document with the name of its operation.
struct Asked {
    document: String,
    operation_name: Option<String>,
}

/// The body in JSON. A field that is there twice is an error: two parsers may take different ones.
#[derive(Deserialize)]
struct BodyWire {
    query: Option<String>,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
}

impl GraphqlRequest<'_> {
    /// The strongest effect of all its documents.
    ///
    /// # Errors
    /// [`RefusedGraphql`] where one of them cannot be judged.
    pub fn judge(&self, api: DbtApi, limits: &GraphqlLimits) -> Result<GraphqlEffect, RefusedGraphql> {
        let mut asked = form(self.query.unwrap_or_default().as_bytes())?;
        if !self.body.is_empty() {
            asked.extend(self.in_body()?);
        } else if self.is_post && asked.is_empty() {
            return Err(RefusedGraphql::NoDocument);
        }
        let mut strongest = GraphqlEffect::Reads;
        for Asked {
            document,
            operation_name,
        } in asked
        {
            strongest = strongest.max(limits.judge(api, &document, operation_name.as_deref())?);
        }
        Ok(strongest)
    }

    fn in_body(&self) -> Result<Vec<Asked>, RefusedGraphql> {
        let kind = self.content_type.unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let unreadable = |why: &dyn ToString| RefusedGraphql::Body(why.to_string());
        match kind.as_str() {
            "application/graphql" => {
                let document = std::str::from_utf8(self.body).map_err(|error| unreadable(&error))?;
                Ok(vec![Asked {
                    document: document.to_owned(),
                    // One that is named in the URL selects among these: all of them count.
                    operation_name: None,
                }])
            }
            "application/x-www-form-urlencoded" => match form(self.body)? {
                asked if asked.is_empty() => Err(RefusedGraphql::NoDocument),
                asked => Ok(asked),
            },
            kind if kind.starts_with("multipart/") => Err(unreadable(&"multipart is not relayed")),
            // Whatever the header says, the body counts.
            _ => {
                let is_list = self.body.trim_ascii_start().starts_with(b"[");
                let requests: Vec<BodyWire> = if is_list {
                    serde_json::from_slice(self.body).map_err(|error| unreadable(&error))?
                } else {
                    vec![serde_json::from_slice(self.body).map_err(|error| unreadable(&error))?]
                };
                if requests.is_empty() {
                    return Err(RefusedGraphql::NoDocument);
                }
                requests.into_iter().map(BodyWire::asked).collect()
            }
        }
    }
}

impl BodyWire {
    fn asked(self) -> Result<Asked, RefusedGraphql> {
        Ok(Asked {
            document: self.query.ok_or(RefusedGraphql::NoDocument)?,
            operation_name: self.operation_name,
        })
    }
}

/// The documents of a form or of a URL's query; none is no error unless something else stands for one.
fn form(text: &[u8]) -> Result<Vec<Asked>, RefusedGraphql> {
    const INSTEAD: [&str; 4] = ["extensions", "id", "documentId", "operations"];
    let (mut documents, mut names, mut has_other) = (Vec::new(), Vec::new(), false);
    for (name, value) in form_urlencoded::parse(text) {
        match &*name {
            "query" => documents.push(value.into_owned()),
            "operationName" => names.push(value.into_owned()),
            other => has_other |= INSTEAD.contains(&other),
        }
    }
    if documents.is_empty() && has_other {
        return Err(RefusedGraphql::NoDocument);
    }
    // Of several, any may be taken.
    let name = names.pop().filter(|_| names.is_empty());
    let asked = |document| Asked {
        document,
        operation_name: name.clone(),
    };
    Ok(documents.into_iter().map(asked).collect())
}
