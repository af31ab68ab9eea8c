//! How Discord says no: a status, a code of its own, and for a form what is wrong where.

use serde_json::{Map, Value, json};

#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: u32,
    pub(crate) message: String,
    pub(crate) errors: Option<Value>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: u32, message: &str) -> Self {
        Self {
            status,
            code,
            message: message.to_owned(),
            errors: None,
        }
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "message": self.message, "code": self.code });
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        body
    }
}

pub(crate) fn not_found() -> Refusal {
    Refusal::new(404, 0, "404: Not Found")
}

pub(crate) fn unauthorized() -> Refusal {
    Refusal::new(401, 0, "401: Unauthorized")
}

pub(crate) fn unknown(code: u32) -> Refusal {
    let what = match code {
        10002 => "Unknown Application",
        10003 => "Unknown Channel",
        10004 => "Unknown Guild",
        10007 => "Unknown Member",
        10008 => "Unknown Message",
        10013 => "Unknown User",
        10014 => "Unknown Emoji",
        10015 => "Unknown Webhook",
        10062 => "Unknown interaction",
        10063 => "Unknown application command",
        _ => "Unknown",
    };
    Refusal::new(404, code, what)
}

pub(crate) fn missing_access() -> Refusal {
    Refusal::new(403, 50001, "Missing Access")
}

pub(crate) fn missing_permissions() -> Refusal {
    Refusal::new(403, 50013, "Missing Permissions")
}

pub(crate) fn empty_message() -> Refusal {
    Refusal::new(400, 50006, "Cannot send an empty message")
}

/// What is wrong in a form, by where it stands (`embeds.0.title`).
#[derive(Default)]
pub(crate) struct Form {
    errors: Map<String, Value>,
}

impl Form {
    pub(crate) fn slip(&mut self, path: &str, code: &str, message: &str) {
        let mut at = &mut self.errors;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            at = at
                .entry(part)
                .or_insert_with(|| json!({}))
                .as_object_mut()
                .unwrap();
        }
        let slips = at.entry("_errors").or_insert_with(|| json!([]));
        slips
            .as_array_mut()
            .unwrap()
            .push(json!({ "code": code, "message": message }));
    }

    pub(crate) fn required(&mut self, path: &str) {
        self.slip(path, "BASE_TYPE_REQUIRED", "This field is required");
    }

    /// A text of `least` to `most` characters.
    pub(crate) fn length(&mut self, path: &str, text: &str, (least, most): (usize, usize)) {
        let length = text.chars().count();
        if length > most {
            let message = format!("Must be {most} or fewer in length.");
            self.slip(path, "BASE_TYPE_MAX_LENGTH", &message);
        } else if length < least && length == 0 {
            self.required(path);
        } else if length < least {
            let message = format!("Must be between {least} and {most} in length.");
            self.slip(path, "BASE_TYPE_BAD_LENGTH", &message);
        }
    }

    /// The text at `key` of `holder`, if there is one; its length is checked.
    pub(crate) fn text<'a>(
        &mut self,
        (holder, key): (&'a Value, &str),
        path: &str,
        limits: (usize, usize),
    ) -> Option<&'a str> {
        let found = holder.get(key).filter(|found| !found.is_null())?;
        let path = format!("{path}.{key}");
        let Some(text) = found.as_str() else {
            self.slip(
                &path,
                "BASE_TYPE_BAD_TYPE",
                "Could not interpret as string.",
            );
            return None;
        };
        self.length(&path, text, limits);
        Some(text)
    }

    /// The list at `key` of `holder`, empty if there is none; it may hold `most`.
    pub(crate) fn list<'a>(
        &mut self,
        (holder, key): (&'a Value, &str),
        path: &str,
        most: usize,
    ) -> &'a [Value] {
        let Some(found) = holder.get(key).filter(|found| !found.is_null()) else {
            return &[];
        };
        let path = format!("{path}.{key}");
        let Some(list) = found.as_array() else {
            self.slip(
                &path,
                "LIST_TYPE_CONVERT",
                "Only iterables may be used in a ListType",
            );
            return &[];
        };
        if list.len() > most {
            let message = format!("Must be {most} or fewer in length.");
            self.slip(&path, "BASE_TYPE_MAX_LENGTH", &message);
        }
        list
    }

    pub(crate) fn done(self) -> Result<(), Refusal> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let mut refusal = Refusal::new(400, 50035, "Invalid Form Body");
        refusal.errors = Some(Value::Object(self.errors));
        Err(refusal)
    }
}
