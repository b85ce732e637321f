//! Types of settings that are written as text. Their errors never quote the text, which may hold a secret.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::{HeaderName, HeaderValue};
use ipnet::{AddrParseError, IpNet};
use model::{Effect, RequestType};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, de};
use url::Url;

/// A required value.
#[derive(Debug)]
pub(crate) struct Parsed<T>(pub(crate) T);

/// A value that may be unset: an empty text.
#[derive(Debug)]
pub(crate) struct Optional<T>(pub(crate) Option<T>);

/// Comma-separated values.
#[derive(Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

/// Implements `Deserialize` by a function from `&str`.
macro_rules! from_text {
    ($type:ident, $parse:expr) => {
        impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for $type<T> {
            fn deserialize<D: Deserializer<'de>>(setting: D) -> Result<Self, D::Error> {
                let parse: fn(&str) -> Result<_, T::Err> = $parse;
                parse(&String::deserialize(setting)?)
                    .map(Self)
                    .map_err(de::Error::custom)
            }
        }
    };
}

from_text!(Parsed, |text| text.parse());
from_text!(Optional, |text| set(text).map(str::parse).transpose());
from_text!(List, |text| text.split(',').filter_map(set).map(str::parse).collect());

/// The text without surrounding spaces; `None` when it is empty.
pub(crate) fn set(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// A network such as `10.0.0.0/8`, or a single address such as `::1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IpNetwork(pub(crate) IpNet);

impl FromStr for IpNetwork {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| text.parse()).map(Self)
    }
}

/// An `http://` or `https://` address without user, query and fragment.
#[derive(Debug)]
pub(crate) struct WebAddress(pub(crate) Url);

impl FromStr for WebAddress {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let url = Url::parse(text)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        ensure!(
            matches!(url.scheme(), "http" | "https") && !has_user && url.query().is_none() && url.fragment().is_none(),
            "must be an http:// or https:// address without user, query and fragment"
        );
        Ok(Self(url))
    }
}

/// A web address without a path.
#[derive(Debug)]
pub(crate) struct Origin(pub(crate) Url);

impl FromStr for Origin {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let WebAddress(url) = text.parse()?;
        ensure!(url.path() == "/", "must be an origin, without a path");
        Ok(Self(url))
    }
}

/// For how long the answers of a request type are fresh: `get_run=1000`, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FreshFor {
    pub(crate) request_type: &'static str,
    pub(crate) duration: Duration,
}

impl FromStr for FreshFor {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, millis) = text
            .split_once('=')
            .context("must be written as request_type=milliseconds")?;
        let request_type = RequestType::from_name(name.trim())
            .filter(|known| known.effect() == Effect::Read && known.client_type().is_some())
            .context("must name request types that read from dbt Cloud, such as get_run")?;
        let millis = millis.trim().parse().ok().filter(|millis| *millis <= 60_000);
        Ok(Self {
            request_type: request_type.as_str(),
            duration: Duration::from_millis(millis.context("must be milliseconds from 0 to 60000")?),
        })
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// For machines.
    Json,
}

/// Reads headers written as `name=value, name=value` with percent-encoded values; `None` if any is not valid.
pub(crate) fn header_list(text: &str) -> Option<HashMap<String, String>> {
    let header = |text: &str| {
        let (name, value) = text.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let is_valid = HeaderName::try_from(name.trim()).is_ok() && HeaderValue::try_from(&*value).is_ok();
        is_valid.then(|| (name.trim().to_owned(), value.into_owned()))
    };
    text.split(',').filter_map(set).map(header).collect()
}
