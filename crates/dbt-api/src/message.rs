//! The words of an error: dbt's own where the body has them, else something short and readable from whatever came.
//!
//! Bodies of errors come from dbt Cloud, from its load balancer and from proxies between, so nothing about them is
//! taken for granted. Called by `response.rs` alone.

use serde_json::Value;

/// The longest text of dbt's that is passed on, in characters.
const MESSAGE_MAX_CHARS: usize = 1000;
/// The longest excerpt of a body that is not dbt's JSON, in characters.
const EXCERPT_MAX_CHARS: usize = 300;

/// `status.user_message`, else `status.developer_message`, else the page's title, else the beginning of the text.
/// `json` is the body as JSON, where it is that.
pub(crate) fn message(body: &[u8], json: Option<&Value>) -> String {
    let vendor = |key| {
        json?
            .get("status")?
            .get(key)?
            .as_str()
            .map(|text| tidy(text, MESSAGE_MAX_CHARS))
    };
    ["user_message", "developer_message"]
        .into_iter()
        .filter_map(vendor)
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| excerpt(&String::from_utf8_lossy(body)))
}

fn excerpt(text: &str) -> String {
    if let Some(title) = html_title(text) {
        return format!("HTML page: {title}");
    }
    let excerpt = tidy(text, EXCERPT_MAX_CHARS);
    if excerpt.is_empty() {
        "no text came with it".to_owned()
    } else {
        excerpt
    }
}

/// What an HTML page says on top. By the text and not the content type, which proxies get wrong.
fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase(); // ASCII only, so that positions stay the same
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

/// One line: control characters and runs of white space become one space; at most `max_chars` characters, the last
/// one an ellipsis where something was cut.
fn tidy(text: &str, max_chars: usize) -> String {
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    let mut line = String::new();
    for word in text.split(is_gap).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * max_chars {
            break; // enough even if every character takes four bytes
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
