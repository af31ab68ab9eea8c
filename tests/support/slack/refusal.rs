//! How Slack says no: status 200, `ok: false`, and a word.

use serde_json::{Map, Value, json};

#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) error: String,
    more: Map<String, Value>,
}

impl Refusal {
    pub(crate) fn new(error: &str) -> Self {
        Self {
            error: error.to_owned(),
            more: Map::new(),
        }
    }

    /// With what was wrong, as Slack's checks of forms write it.
    pub(crate) fn because(error: &str, slips: &[String]) -> Self {
        let mut refusal = Self::new(error);
        if error == "invalid_blocks" {
            refusal.more.insert("errors".to_owned(), json!(slips));
        }
        let messages: Vec<String> =
            slips.iter().map(|slip| format!("[ERROR] {slip}")).collect();
        refusal.more.insert(
            "response_metadata".to_owned(),
            json!({ "messages": messages }),
        );
        refusal
    }

    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.more.insert(key.to_owned(), value);
        self
    }

    /// The same under another word.
    pub(crate) fn named(mut self, error: &str) -> Self {
        error.clone_into(&mut self.error);
        self.more.remove("errors");
        self
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = self.more.clone();
        body.insert("ok".to_owned(), json!(false));
        body.insert("error".to_owned(), json!(self.error));
        Value::Object(body)
    }
}

pub(crate) fn refuse<T>(error: &str) -> Result<T, Refusal> {
    Err(Refusal::new(error))
}
