//! Block Kit: what Slack takes, and what it says of what it does not take.

use std::collections::BTreeSet;

use serde_json::Value;

use super::refusal::Refusal;

/// Characters over all blocks of a message; more are refused, though the pages say otherwise.
const LONGEST_MESSAGE: usize = 13_200;
const LONGEST_MARKDOWN: usize = 12_000;

/// Where blocks stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    Message,
    Home,
    Modal,
}

/// Checks what was given for `blocks`.
pub(crate) fn check(given: &Value, surface: Surface) -> Result<Vec<Value>, Refusal> {
    let Some(list) = given.as_array() else {
        return Err(Refusal::new("invalid_blocks_format"));
    };
    if list.iter().any(|block| !block["type"].is_string()) {
        return Err(Refusal::new("invalid_blocks_format"));
    }
    let mut checker = Checker::new(surface);
    checker.blocks(list, "/blocks");
    if !checker.slips.is_empty() {
        return Err(Refusal::because("invalid_blocks", &checker.slips));
    }
    if surface == Surface::Message && checker.characters > LONGEST_MESSAGE {
        return Err(Refusal::new("msg_blocks_too_long"));
    }
    Ok(list.clone())
}

/// Looks for slips, each with where it is.
pub(crate) struct Checker {
    surface: Surface,
    pub(crate) slips: Vec<String>,
    characters: usize,
    markdown: usize,
    ids: BTreeSet<String>,
}

/// Least and most characters.
type Lengths = (usize, usize);

impl Checker {
    pub(crate) fn new(surface: Surface) -> Self {
        Self {
            surface,
            slips: Vec::new(),
            characters: 0,
            markdown: 0,
            ids: BTreeSet::new(),
        }
    }

    fn slip(&mut self, what: &str, at: &str) {
        self.slips.push(format!("{what} [json-pointer:{at}]"));
    }

    fn blocks(&mut self, list: &[Value], at: &str) {
        let most = if self.surface == Surface::Message {
            50
        } else {
            100
        };
        if list.len() > most {
            self.slip(&format!("no more than {most} items allowed"), at);
        }
        for (place, block) in list.iter().enumerate() {
            self.block(block, &format!("{at}/{place}"));
        }
        if self.markdown > LONGEST_MARKDOWN {
            let what = format!("must be less than {} characters", LONGEST_MARKDOWN + 1);
            self.slip(&what, at);
        }
        let tables = list.iter().filter(|block| block["type"] == "table");
        if tables.count() > 1 {
            self.slip("only one table is allowed", at);
        }
    }

    fn block(&mut self, block: &Value, at: &str) {
        if let Some(id) = block["block_id"].as_str() {
            self.length(id, &format!("{at}/block_id"), (1, 255));
            if !self.ids.insert(id.to_owned()) {
                self.slip("block_id already exists", &format!("{at}/block_id"));
            }
        }
        match block["type"].as_str().unwrap_or("") {
            "section" => self.section(block, at),
            "context" => self.context(block, at),
            "actions" => self.actions(block, at),
            "divider" => self.fields(block, at, &[]),
            "header" => {
                self.fields(block, at, &["text"]);
                self.plain(&block["text"], &format!("{at}/text"), (1, 150));
            },
            "image" => self.image(block, at),
            "markdown" if self.surface == Surface::Message => self.markdown(block, at),
            "input" => self.input(block, at),
            "rich_text" => {
                self.fields(block, at, &["elements"]);
                self.list(&block["elements"], &format!("{at}/elements"), (0, 100));
            },
            "context_actions" if self.surface == Surface::Message => {
                self.fields(block, at, &["elements"]);
                self.elements(block, at, 5);
            },
            "table" if self.surface == Surface::Message => {
                self.fields(block, at, &["rows", "column_settings"]);
                self.list(&block["rows"], &format!("{at}/rows"), (1, 100));
            },
            kind => self.slip(&format!("unsupported type: {kind}"), &format!("{at}/type")),
        }
    }

    /// What a part may hold beside its type and its id.
    fn fields(&mut self, part: &Value, at: &str, known: &[&str]) {
        let Some(fields) = part.as_object() else {
            return self.slip("must be an object", at);
        };
        let own = ["type", "block_id", "action_id"];
        for name in fields.keys() {
            if !known.contains(&&**name) && !own.contains(&&**name) {
                self.slip(&format!("invalid additional property: {name}"), at);
            }
        }
    }

    fn section(&mut self, block: &Value, at: &str) {
        self.fields(block, at, &["text", "fields", "accessory", "expand"]);
        if block["text"].is_null() && block["fields"].is_null() {
            self.slip("missing required field: text", at);
        }
        if !block["text"].is_null() {
            self.text(&block["text"], &format!("{at}/text"), (1, 3_000));
        }
        if !block["fields"].is_null() {
            let fields = self.list(&block["fields"], &format!("{at}/fields"), (1, 10));
            for (place, field) in fields.iter().enumerate() {
                self.text(field, &format!("{at}/fields/{place}"), (1, 2_000));
            }
        }
        if !block["accessory"].is_null() {
            self.element(&block["accessory"], &format!("{at}/accessory"));
        }
    }

    fn context(&mut self, block: &Value, at: &str) {
        self.fields(block, at, &["elements"]);
        let elements = self.list(&block["elements"], &format!("{at}/elements"), (1, 10));
        for (place, element) in elements.iter().enumerate() {
            let at = format!("{at}/elements/{place}");
            if element["type"] == "image" {
                self.image(element, &at);
            } else {
                self.text(element, &at, (1, 3_000));
            }
        }
    }

    fn actions(&mut self, block: &Value, at: &str) {
        self.fields(block, at, &["elements"]);
        self.elements(block, at, 25);
    }

    fn elements(&mut self, block: &Value, at: &str, most: usize) {
        let at = format!("{at}/elements");
        let elements = self.list(&block["elements"], &at, (1, most));
        let mut ids = BTreeSet::new();
        for (place, element) in elements.iter().enumerate() {
            let at = format!("{at}/{place}");
            self.element(element, &at);
            let id = element["action_id"].as_str();
            if id.is_some_and(|id| !ids.insert(id)) {
                self.slip("action_id already exists", &format!("{at}/action_id"));
            }
        }
    }

    fn image(&mut self, block: &Value, at: &str) {
        self.fields(block, at, &["image_url", "slack_file", "alt_text", "title"]);
        if block["slack_file"].is_null() {
            self.words(block, "image_url", at, (1, 3_000));
        }
        self.words(block, "alt_text", at, (1, 2_000));
    }

    fn markdown(&mut self, block: &Value, at: &str) {
        self.fields(block, at, &["text"]);
        let text = self.words(block, "text", at, (1, LONGEST_MARKDOWN));
        self.markdown += text;
        self.characters += text;
    }

    fn input(&mut self, block: &Value, at: &str) {
        let known = ["label", "element", "hint", "optional", "dispatch_action"];
        self.fields(block, at, &known);
        self.plain(&block["label"], &format!("{at}/label"), (1, 2_000));
        if !block["hint"].is_null() {
            self.plain(&block["hint"], &format!("{at}/hint"), (1, 2_000));
        }
        self.element(&block["element"], &format!("{at}/element"));
    }
}

/// Elements and texts.
impl Checker {
    fn element(&mut self, element: &Value, at: &str) {
        if let Some(id) = element["action_id"].as_str() {
            self.length(id, &format!("{at}/action_id"), (1, 255));
        }
        match element["type"].as_str().unwrap_or("") {
            "button" => self.button(element, at),
            "feedback_buttons" => {
                self.fields(element, at, &["positive_button", "negative_button"]);
                for name in ["positive_button", "negative_button"] {
                    let (button, at) = (&element[name], format!("{at}/{name}"));
                    self.fields(button, &at, &["text", "value", "accessibility_label"]);
                    self.plain(&button["text"], &format!("{at}/text"), (1, 75));
                    self.words(button, "value", &at, (0, 2_000));
                }
            },
            "plain_text_input" => self.text_input(element, at),
            "static_select" | "multi_static_select" => {
                self.options(element, at, 100);
                self.placeholder(element, at);
            },
            "overflow" => self.options(element, at, 5),
            "checkboxes" | "radio_buttons" => self.options(element, at, 10),
            "image" => self.image(element, at),
            "external_select"
            | "users_select"
            | "conversations_select"
            | "channels_select"
            | "multi_users_select"
            | "multi_conversations_select"
            | "multi_channels_select"
            | "datepicker" => self.placeholder(element, at),
            "timepicker" | "datetimepicker" | "file_input" | "icon_button" | "number_input"
            | "email_text_input" | "url_text_input" | "rich_text_input" => {},
            kind => self.slip(&format!("unsupported type: {kind}"), &format!("{at}/type")),
        }
    }

    fn button(&mut self, button: &Value, at: &str) {
        let known = [
            "text",
            "url",
            "value",
            "style",
            "confirm",
            "accessibility_label",
        ];
        self.fields(button, at, &known);
        self.plain(&button["text"], &format!("{at}/text"), (1, 75));
        for (key, most) in [
            ("value", 2_000),
            ("url", 3_000),
            ("accessibility_label", 75),
        ] {
            if !button[key].is_null() {
                self.words(button, key, at, (0, most));
            }
        }
        let style = &button["style"];
        if !style.is_null() && style != "primary" && style != "danger" {
            self.slip("must be a valid enum value", &format!("{at}/style"));
        }
    }

    fn text_input(&mut self, element: &Value, at: &str) {
        let known = [
            "placeholder",
            "initial_value",
            "multiline",
            "min_length",
            "max_length",
            "dispatch_action_config",
            "focus_on_load",
        ];
        self.fields(element, at, &known);
        self.placeholder(element, at);
        if element["max_length"]
            .as_u64()
            .is_some_and(|most| most > 3_000)
        {
            self.slip("must be less than 3001", &format!("{at}/max_length"));
        }
    }

    fn placeholder(&mut self, element: &Value, at: &str) {
        if !element["placeholder"].is_null() {
            let at = format!("{at}/placeholder");
            self.plain(&element["placeholder"], &at, (1, 150));
        }
    }

    fn options(&mut self, element: &Value, at: &str, most: usize) {
        if element["options"].is_null() && !element["option_groups"].is_null() {
            return;
        }
        let at = format!("{at}/options");
        let options = self.list(&element["options"], &at, (1, most));
        for (place, option) in options.iter().enumerate() {
            let at = format!("{at}/{place}");
            self.text(&option["text"], &format!("{at}/text"), (1, 75));
            self.words(option, "value", &at, (1, 150));
        }
    }

    /// A text object that is plain.
    pub(crate) fn plain(&mut self, text: &Value, at: &str, lengths: Lengths) {
        if text["type"] == "mrkdwn" {
            self.slip("must be a valid enum value", &format!("{at}/type"));
        }
        self.text(text, at, lengths);
    }

    fn text(&mut self, text: &Value, at: &str, lengths: Lengths) {
        match text["type"].as_str() {
            Some("plain_text") => self.fields(text, at, &["text", "emoji"]),
            Some("mrkdwn") => self.fields(text, at, &["text", "verbatim"]),
            _ => return self.slip("failed to match all allowed schemas", at),
        }
        let before = self.slips.len();
        self.characters += self.words(text, "text", at, lengths);
        if self.slips.len() > before {
            // Slack says both, the general first.
            let what = format!("failed to match all allowed schemas [json-pointer:{at}]");
            self.slips.insert(before, what);
        }
    }

    /// The text at `key`, which must be there; how many characters it has.
    fn words(&mut self, part: &Value, key: &str, at: &str, lengths: Lengths) -> usize {
        let Some(text) = part[key].as_str() else {
            self.slip(&format!("missing required field: {key}"), at);
            return 0;
        };
        self.length(text, &format!("{at}/{key}"), lengths);
        text.chars().count()
    }

    pub(crate) fn length(&mut self, text: &str, at: &str, (least, most): Lengths) {
        let length = text.chars().count();
        if length > most {
            self.slip(&format!("must be less than {} characters", most + 1), at);
        } else if length < least {
            self.slip(&format!("must be more than {} characters", least - 1), at);
        }
    }

    fn list<'a>(&mut self, list: &'a Value, at: &str, (least, most): Lengths) -> &'a [Value] {
        let Some(list) = list.as_array() else {
            self.slip("must be an array", at);
            return &[];
        };
        if list.len() > most {
            self.slip(&format!("no more than {most} items allowed"), at);
        } else if list.len() < least {
            self.slip(&format!("no fewer than {least} items required"), at);
        }
        list
    }
}

/// Every part of `blocks` that can be pressed or filled in, with the id of its block.
pub(crate) fn parts(blocks: &[Value]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for block in blocks {
        let id = block["block_id"].as_str().unwrap_or("").to_owned();
        let elements = block["elements"].as_array().into_iter().flatten();
        let others = [&block["accessory"], &block["element"]];
        for part in elements
            .chain(others)
            .filter(|part| part["action_id"].is_string())
        {
            if part["type"] == "feedback_buttons" {
                found.extend(halves(part).map(|half| (id.clone(), half)));
            } else {
                found.push((id.clone(), part.clone()));
            }
        }
    }
    found
}

/// The two buttons of a pair for feedback.
fn halves(pair: &Value) -> [Value; 2] {
    ["positive_button", "negative_button"].map(|half| {
        let mut button = pair[half].clone();
        button["type"] = "feedback_buttons".into();
        button["action_id"] = pair["action_id"].clone();
        button
    })
}

/// What blocks say, a line for each text.
pub(crate) fn words(blocks: &[Value]) -> String {
    let mut lines = Vec::new();
    for block in blocks {
        let inner = block["fields"].as_array().into_iter().flatten();
        let elements = block["elements"].as_array().into_iter().flatten();
        let text = &block["text"];
        let text = text.as_str().or_else(|| text["text"].as_str());
        let label = block["label"]["text"].as_str();
        lines.extend(text.or(label).map(str::to_owned));
        let shown =
            |part: &&Value| matches!(part["type"].as_str(), Some("mrkdwn" | "plain_text"));
        let parts = inner.chain(elements).filter(shown);
        lines.extend(parts.filter_map(|part| part["text"].as_str().map(str::to_owned)));
        if block["type"] == "rich_text" {
            lines.push(rich(&block["elements"]));
        }
    }
    lines.join("\n")
}

fn rich(part: &Value) -> String {
    match part {
        Value::Array(list) => list.iter().map(rich).collect(),
        Value::Object(_) => match part["type"].as_str() {
            Some("text") => part["text"].as_str().unwrap_or("").to_owned(),
            Some("user") => format!("<@{}>", part["user_id"].as_str().unwrap_or("")),
            // People see its words; without any, the address.
            Some("link") => {
                let shown = part["text"].as_str().or(part["url"].as_str());
                shown.unwrap_or("").to_owned()
            },
            _ => rich(&part["elements"]),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => String::new(),
    }
}
