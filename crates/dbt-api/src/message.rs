//! The message of an error: dbt's text if the body has one, else a short readable excerpt of the body.
//!
//! Error bodies may be from dbt Cloud, its load balancer or a proxy, so they can have any format.

use serde_json::Value;

/// The longest message of dbt's that is passed on, in characters.
const MESSAGE_MAX_CHARS: usize = 1000;
/// The longest excerpt of a body that is not dbt's JSON, in characters.
const EXCERPT_MAX_CHARS: usize = 300;

/// `status.user_message`, else `status.developer_message`, else the first error of a GraphQL answer, else the page's title,
/// else the beginning of the text. `json` is the body if it is JSON. Without secrets: what a caller sent may be quoted.
pub(crate) fn message(body: &[u8], json: Option<&Value>) -> String {
    let message = of_body(body, json);
    redaction::text(&message).into_owned()
}

fn of_body(body: &[u8], json: Option<&Value>) -> String {
    let vendor = |key| {
        json?
            .get("status")?
            .get(key)?
            .as_str()
            .map(|text| tidy(text, MESSAGE_MAX_CHARS))
    };
    let graphql = || {
        let errors = json?.get("errors")?.as_array()?;
        let first = errors.iter().find_map(|error| error.get("message")?.as_str());
        first.map(|text| tidy(text, MESSAGE_MAX_CHARS))
    };
    ["user_message", "developer_message"]
        .into_iter()
        .filter_map(vendor)
        .chain(std::iter::once_with(graphql).flatten())
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| excerpt(&String::from_utf8_lossy(body)))
}

fn excerpt(text: &str) -> String {
    if let Some(title) = html_title(text) {
        return format!("HTML page: {title}");
    }
    let excerpt = tidy(text, EXCERPT_MAX_CHARS);
    if excerpt.is_empty() {
        "the answer has no text".to_owned()
    } else {
        excerpt
    }
}

/// The title of an HTML page. Recognised by the text, because proxies send wrong content types.
fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase(); // keeps byte positions
    let start = lower.trim_start();
    if !start.starts_with("<!doctype html") && !start.starts_with("<html") {
        return None;
    }
    ["title", "h1"].into_iter().find_map(|tag| {
        let open = lower.find(&format!("<{tag}"))?;
        let inner = open + lower[open..].find('>')? + 1;
        let end = inner + lower[inner..].find('<')?;
        let title = tidy(&text[inner..end], EXCERPT_MAX_CHARS);
        (!title.is_empty()).then_some(title)
    })
}

/// One line: control characters and runs of white space become one space. At most `max_chars` characters, ending in an
/// ellipsis if cut.
fn tidy(text: &str, max_chars: usize) -> String {
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    let mut line = String::new();
    for word in text.split(is_gap).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * max_chars {
            break; // enough, at four bytes per character
        }
    }
    if let Some((last, _)) = line.char_indices().nth(max_chars - 1)
        && line[last..].chars().nth(1).is_some()
    {
        line.truncate(last);
        line.push('…');
    }
    line
}
