//! Work orders: versioned templates, filled once.
//!
//! What people and documents say is data. It is put into the slots in one pass, so it cannot
//! open a slot of its own, and the marks by which chat models tell speakers apart are broken
//! up, so it cannot speak for somebody else.

use std::collections::BTreeSet;

use minijinja::{Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};

use super::document::Digest;
use super::question::Turn;

/// Who speaks in a prompt. After the system's, user and assistant take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The work order.
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub role: Role,
    pub text: String,
}

/// A work order that has been checked: it parses, and uses only variables that exist.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
    version: u32,
    digest: Digest,
    parts: Vec<(Role, String)>,
}

/// What a template may use.
#[derive(Debug, Serialize)]
pub struct Slots<'a> {
    pub sources: Vec<SourceSlot>,
    /// What was asked and answered just before, in a conversation.
    pub earlier: Option<&'a Turn>,
    pub question: &'a str,
}

/// One excerpt, as the model gets to read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceSlot {
    pub number: usize,
    pub title: String,
    pub text: String,
}

/// A slip in a template.
#[derive(Debug, thiserror::Error)]
pub enum Misprint {
    #[error("it must begin with front matter between two lines of ---")]
    NoFrontMatter,
    #[error("its front matter has a slip: {0}")]
    FrontMatter(String),
    #[error("its front matter names the variable {0:?}, which does not exist; there are: {known}", known = Template::VARIABLES.join(", "))]
    UnknownVariable(String),
    #[error("it uses {0:?}, which its front matter does not name under variables")]
    UndeclaredVariable(String),
    #[error("its front matter names {0:?}, which it never uses")]
    UnusedVariable(String),
    #[error("it needs a line `# user`, and may have one `# system` before it")]
    NoUserPart,
    #[error("line {line}: {slip}")]
    Syntax { line: usize, slip: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    name: String,
    version: u32,
    variables: BTreeSet<String>,
}

impl Template {
    /// Every variable a template can use.
    pub const VARIABLES: [&str; 3] = ["sources", "earlier", "question"];

    /// Reads a template and finds its slips now rather than at the first question.
    pub fn parse(file: &str) -> Result<Self, Misprint> {
        let text = file.replace("\r\n", "\n");
        let (front, body) = text
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---\n"))
            .ok_or(Misprint::NoFrontMatter)?;
        let front = front_matter(front)?;
        let parts = parts(body)?;
        let first_line = text.len() - body.len();
        let lines_before = text
            .get(..first_line)
            .map_or(0, |head| head.lines().count());
        check_variables(&front, body, lines_before)?;
        Ok(Self {
            name: front.name,
            version: front.version,
            digest: Digest::of(text.as_bytes()),
            parts,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn version(&self) -> u32 {
        self.version
    }

    /// The digest of the file, line ends aside.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Fills the slots.
    pub fn compose(&self, slots: &Slots<'_>) -> Result<Vec<Message>, Misprint> {
        let environment = environment();
        self.parts
            .iter()
            .map(|(role, part)| {
                let text = environment
                    .render_str(part, slots)
                    .map_err(|slip| syntax(&slip, 0))?;
                Ok(Message {
                    role: *role,
                    text: tidy_lines(&text),
                })
            })
            .collect()
    }
}

/// Reads the three keys; a real YAML parser would be a dependency for three lines.
fn front_matter(text: &str) -> Result<FrontMatter, Misprint> {
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let slip = || Misprint::FrontMatter(format!("{line:?} is not `key: value`"));
        let (key, value) = line.split_once(':').ok_or_else(slip)?;
        let value = value.trim();
        let quoted = |word: &str| format!("{:?}", word.trim());
        let value = match value
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'))
        {
            Some(list) => {
                let words: Vec<_> = list
                    .split(',')
                    .filter(|word| !word.trim().is_empty())
                    .map(quoted)
                    .collect();
                format!("[{}]", words.join(", "))
            },
            None if value.parse::<u32>().is_ok() => value.to_owned(),
            None => quoted(value),
        };
        lines.push(format!("{} = {value}", key.trim()));
    }
    toml::from_str(&lines.join("\n"))
        .map_err(|slip| Misprint::FrontMatter(slip.message().to_owned()))
}

fn parts(body: &str) -> Result<Vec<(Role, String)>, Misprint> {
    let mut parts: Vec<(Role, String)> = Vec::new();
    for line in body.lines() {
        let role = match line.trim_end() {
            "# system" => Some(Role::System),
            "# user" => Some(Role::User),
            _ => None,
        };
        match (role, parts.last_mut()) {
            (Some(role), _) => parts.push((role, String::new())),
            (None, Some((_, part))) => {
                part.push_str(line);
                part.push('\n');
            },
            (None, None) if line.trim().is_empty() => {},
            (None, None) => return Err(Misprint::NoUserPart),
        }
    }
    let roles: Vec<_> = parts.iter().map(|(role, _)| *role).collect();
    match roles.as_slice() {
        [Role::User] | [Role::System, Role::User] => Ok(parts),
        _ => Err(Misprint::NoUserPart),
    }
}

fn check_variables(
    front: &FrontMatter,
    body: &str,
    lines_before: usize,
) -> Result<(), Misprint> {
    if let Some(odd) = front
        .variables
        .iter()
        .find(|name| !Template::VARIABLES.contains(&name.as_str()))
    {
        return Err(Misprint::UnknownVariable(odd.clone()));
    }
    let environment = environment();
    let template = environment
        .template_from_str(body)
        .map_err(|slip| syntax(&slip, lines_before))?;
    let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
    if let Some(odd) = used.difference(&front.variables).next() {
        return Err(Misprint::UndeclaredVariable(odd.clone()));
    }
    match front.variables.difference(&used).next() {
        Some(idle) => Err(Misprint::UnusedVariable(idle.clone())),
        None => Ok(()),
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment
}

fn syntax(slip: &minijinja::Error, lines_before: usize) -> Misprint {
    Misprint::Syntax {
        line: slip.line().unwrap_or(0) + lines_before,
        slip: slip
            .detail()
            .map_or_else(|| slip.kind().to_string(), str::to_owned),
    }
}

/// Blank lines that a loop or a condition leaves behind cost tokens and say nothing.
fn tidy_lines(text: &str) -> String {
    text.lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Takes the power out of the marks by which chat models tell speakers apart.
///
/// ```
/// assert_eq!(saseo::domain::prompt::defused("x<|im_end|>y</s>[INST]"), "x< |im_end|>y< /s>[ INST]");
/// ```
pub fn defused(text: &str) -> String {
    let mut safe = text
        .replace("<|", "< |")
        .replace("[INST", "[ INST")
        .replace("[/INST", "[ /INST");
    for mark in [
        "s>",
        "/s>",
        "bos>",
        "eos>",
        "start_of_turn>",
        "end_of_turn>",
        "think>",
        "/think>",
    ] {
        safe = safe.replace(&format!("<{mark}"), &format!("< {mark}"));
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(body: &str) -> Result<Template, Misprint> {
        Template::parse(&format!(
            "---\nname: t\nversion: 3\nvariables: [question]\n---\n{body}"
        ))
    }

    #[test]
    fn a_slip_is_found_when_the_template_is_read() {
        let slip = |body: &str| template(body).unwrap_err().to_string();
        assert_eq!(
            slip("# user\n{{ questoin }}"),
            "it uses \"questoin\", which its front matter does not name under variables"
        );
        assert!(
            slip("# user\n{{ question").starts_with("line 7: "),
            "{}",
            slip("# user\n{{ question")
        );
        assert_eq!(
            slip("{{ question }}"),
            "it needs a line `# user`, and may have one `# system` before it"
        );
        assert_eq!(
            slip("# user\nhello"),
            "its front matter names \"question\", which it never uses"
        );
        assert_eq!(
            Template::parse("---\nname: t\nversion: 1\nvariables: [weather]\n---\n# user\nx")
                .unwrap_err()
                .to_string(),
            "its front matter names the variable \"weather\", which does not exist; there are: sources, earlier, question"
        );
        assert!(
            Template::parse("---\nname: t\nversoin: 1\nvariables: []\n---\n# user\nx")
                .unwrap_err()
                .to_string()
                .contains("versoin")
        );
    }

    #[test]
    fn what_people_say_never_opens_a_slot() {
        let template = template("# system\nBe brief.\n# user\nQ: {{ question }}\n").unwrap();
        let slots = Slots {
            sources: Vec::new(),
            earlier: None,
            question: "{{ 7 * 7 }} {% x %}",
        };
        let messages = template.compose(&slots).unwrap();
        assert_eq!(
            messages,
            [
                Message {
                    role: Role::System,
                    text: "Be brief.".to_owned()
                },
                Message {
                    role: Role::User,
                    text: "Q: {{ 7 * 7 }} {% x %}".to_owned()
                },
            ]
        );
    }

    #[test]
    fn the_shipped_work_orders_parse_and_name_their_language() {
        for file in [
            include_str!("../../prompts/answer.md"),
            include_str!("../../prompts/answer.ko.md"),
        ] {
            let template = Template::parse(file).unwrap();
            let turn = Turn {
                question: "before".into(),
            };
            let source = SourceSlot {
                number: 1,
                title: "T".into(),
                text: "fact".into(),
            };
            let slots = Slots {
                sources: vec![source],
                earlier: Some(&turn),
                question: "why",
            };
            let messages = template.compose(&slots).unwrap();
            assert_eq!(messages.len(), 2, "{}", template.name());
            let user = messages.last().unwrap();
            assert!(
                user.text.contains("[1] T: fact") && user.text.contains("before"),
                "{user:?}"
            );
        }
    }
}
