//! Query strings, with lists and related objects in every spelling that dbt Cloud's clients use.

use serde_json::Value;

use crate::refusal::Refusal;
use crate::switches::{Strictness, Switches};

/// The decoded pairs of a query string, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        Self {
            pairs: serde_urlencoded::from_str(raw.unwrap_or_default()).unwrap_or_default(),
        }
    }

    /// The last value of a parameter, as Django reads it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The query without that parameter.
    pub(crate) fn without(&self, name: &str) -> Self {
        let pairs = self.pairs.iter().filter(|(key, _)| key != name).cloned();
        Self { pairs: pairs.collect() }
    }

    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.get(name).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => text
                .trim()
                .parse()
                .map(Some)
                .map_err(|_| Refusal::field(name, "Enter a whole number.")),
        }
    }

    /// Every value of a list parameter: repeated keys, one JSON list, or commas.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        let mut found = None;
        for (_, value) in self.pairs.iter().filter(|(key, _)| key == name) {
            let values: &mut Vec<String> = found.get_or_insert_default();
            match serde_json::from_str::<Vec<Value>>(value) {
                Ok(items) => values.extend(items.iter().map(plain)),
                Err(_) => values.extend(loose_list(value)),
            }
        }
        found
    }

    /// `include_related` in all five spellings that clients use.
    pub(crate) fn related(&self, known: &[&str], switches: &Switches) -> Result<Related, Refusal> {
        let requested = self.list("include_related").unwrap_or_default();
        if switches.unknown_related == Strictness::Refuse
            && let Some(unknown) = requested.iter().find(|name| !known.contains(&name.as_str()))
        {
            return Err(Refusal::field(
                "include_related",
                format!("'{unknown}' is not a valid related resource."),
            ));
        }
        Ok(Related(requested))
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// `a,b`, `[a]`, `['a','b']`.
fn loose_list(text: &str) -> impl Iterator<Item = String> + '_ {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    inner
        .split(',')
        .map(|part| part.trim().trim_matches(['\'', '"']).to_owned())
        .filter(|part| !part.is_empty())
}

/// The related objects that a caller requested.
#[derive(Clone, Debug, Default)]
pub(crate) struct Related(Vec<String>);

impl Related {
    pub(crate) fn requested(query: &Query) -> Self {
        Self(query.list("include_related").unwrap_or_default())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|related| related == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_parameters_are_read_in_every_spelling() {
        for raw in [
            "status__in=%5B10%2C20%5D",
            "status__in=10&status__in=20",
            "status__in=10,20",
            "status__in=%5B%2210%22,%2220%22%5D",
        ] {
            assert_eq!(
                Query::parse(Some(raw)).list("status__in").as_deref(),
                Some(&["10".to_owned(), "20".to_owned()][..]),
                "{raw}"
            );
        }
    }

    #[test]
    fn related_objects_are_read_in_all_five_spellings() {
        for raw in [
            "include_related=job,run_steps",
            "include_related=%5B%22job%22,%20%22run_steps%22%5D",
            "include_related=%5B'job','run_steps'%5D",
            "include_related=%5Bjob,run_steps%5D",
            "include_related=job&include_related=run_steps",
        ] {
            let related = Query::parse(Some(raw))
                .related(&["job"], &Switches::default())
                .expect("read");
            assert!(
                related.has("job") && related.has("run_steps") && !related.has("trigger"),
                "{raw}"
            );
        }
        let strict = Switches {
            unknown_related: Strictness::Refuse,
            ..Switches::default()
        };
        assert!(
            Query::parse(Some("include_related=jobb"))
                .related(&["job"], &strict)
                .is_err()
        );
    }
}
