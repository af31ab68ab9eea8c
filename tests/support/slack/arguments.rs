//! What was given with a call: a form, a query or JSON, read as Slack reads it.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::methods::Method;
use super::refusal::{Refusal, refuse};

/// The arguments of a call, without its token.
pub(crate) struct Arguments(pub(crate) Map<String, Value>);

/// A call as it was read, and what Slack says beside its answer.
pub(crate) struct Read {
    pub(crate) arguments: Arguments,
    pub(crate) token: Option<String>,
    pub(crate) warning: Option<&'static str>,
}

impl Read {
    fn empty() -> Self {
        Self {
            arguments: Arguments(Map::new()),
            token: None,
            warning: None,
        }
    }
}

/// Reads a call of `method`; a form is accepted everywhere, JSON where Slack takes it.
pub(crate) fn read(
    method: Option<&Method>,
    headers: &HeaderMap,
    query: &BTreeMap<String, String>,
    bytes: &[u8],
) -> Result<Read, Refusal> {
    let mut read = Read::empty();
    // A token in the address is not looked at.
    let given = query.iter().filter(|(key, _)| *key != "token");
    for (key, value) in given {
        read.arguments.0.insert(key.clone(), json!(value));
    }
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if bytes.is_empty() {
        return Ok(read);
    }
    let plain = kind.split(';').next().unwrap_or("").trim();
    match plain {
        "application/x-www-form-urlencoded" => {
            for (key, value) in url::form_urlencoded::parse(bytes) {
                read.arguments.0.insert(key.into_owned(), json!(value));
            }
            let token = read.arguments.0.remove("token");
            read.token = token.and_then(|token| token.as_str().map(str::to_owned));
        },
        "application/json" => {
            let body: Value =
                serde_json::from_slice(bytes).map_err(|_| Refusal::new("invalid_json"))?;
            let Value::Object(body) = body else {
                return refuse("json_not_object");
            };
            // A method that takes no JSON sees an empty call.
            if method.is_none_or(|method| method.json) {
                read.arguments.0.extend(body);
            }
            // A token in JSON is not looked at.
            read.arguments.0.remove("token");
            read.warning =
                (!kind.to_lowercase().contains("charset")).then_some("missing_charset");
        },
        "" => return refuse("missing_post_type"),
        _ => return refuse("invalid_post_type"),
    }
    Ok(read)
}

impl Arguments {
    /// The text at `key`; nothing if there is none.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// The text at `key`, which the method needs.
    pub(crate) fn needed(&self, key: &str) -> Result<&str, Refusal> {
        self.text(key)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| missing(key))
    }

    /// Whether `key` is set, as forms and JSON say it.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        match self.0.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => Some(matches!(&**text, "true" | "1")),
            Value::Number(number) => Some(number.as_u64() == Some(1)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    pub(crate) fn number(&self, key: &str) -> Option<usize> {
        let found = self.0.get(key)?;
        let number = found
            .as_u64()
            .and_then(|number| usize::try_from(number).ok());
        number.or_else(|| found.as_str()?.parse().ok())
    }

    /// What stands at `key`: JSON itself, or a text that holds it. `Err` if it holds none.
    pub(crate) fn json(&self, key: &str) -> Result<Option<Value>, ()> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(drop),
            Some(found) => Ok(Some(found.clone())),
        }
    }

    /// Refuses what is no text where a text belongs.
    pub(crate) fn check(&self, method: &Method) -> Result<(), Refusal> {
        let mut slips: Vec<String> = method
            .required
            .iter()
            .filter(|key| self.0.get(**key).is_none_or(|it| it.is_null() || it == ""))
            .map(|key| format!("missing required field: {key}"))
            .collect();
        let texts = [
            "channel",
            "channel_id",
            "ts",
            "thread_ts",
            "text",
            "markdown_text",
            "user",
            "user_id",
            "recipient_user_id",
            "recipient_team_id",
            "trigger_id",
            "latest",
            "oldest",
        ];
        for key in texts {
            if self
                .0
                .get(key)
                .is_some_and(|it| !it.is_string() && !it.is_null())
            {
                slips.push(format!("must be a string [json-pointer:/{key}]"));
            }
        }
        if slips.is_empty() {
            Ok(())
        } else {
            Err(Refusal::because("invalid_arguments", &slips))
        }
    }
}

pub(crate) fn missing(key: &str) -> Refusal {
    let slip = format!("missing required field: {key}");
    Refusal::because("invalid_arguments", &[slip])
}
