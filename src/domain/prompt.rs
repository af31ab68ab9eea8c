//! Work orders: versioned templates, filled once.
//!
//! What people and documents say is data. It is put into the slots in one pass, so it cannot
//! open a slot of its own, and the marks by which chat models tell speakers apart are broken
//! up, so it cannot speak for somebody else.

use std::collections::BTreeSet;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};
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

/// A work order that has been checked: it parses, uses only variables that exist, and was filled
/// once with samples.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
    version: u32,
    digest: Digest,
    parts: Vec<Part>,
}

/// What one of them says.
#[derive(Clone, Debug)]
struct Part {
    role: Role,
    text: String,
    /// Lines of the file before its first.
    above: usize,
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
        let first_line = text.len() - body.len();
        let lines_before = text
            .get(..first_line)
            .map_or(0, |head| head.lines().count());
        let parts = parts(body, lines_before)?;
        check_variables(&front, body, lines_before)?;
        let template = Self {
            name: front.name,
            version: front.version,
            digest: Digest::of(text.as_bytes()),
            parts,
        };
        template.rehearse()?;
        Ok(template)
    }

    /// Fills the slots with samples of all that a question can bring: what only filling shows
    /// to be a slip is not left for somebody's question to find.
    fn rehearse(&self) -> Result<(), Misprint> {
        let turn = Turn {
            question: "What was asked before?".to_owned(),
        };
        let source = |number| SourceSlot {
            number,
            title: "A title".to_owned(),
            text: "A text.".to_owned(),
        };
        for earlier in [None, Some(&turn)] {
            for sources in 0..=2 {
                self.compose(&Slots {
                    sources: (1..=sources).map(source).collect(),
                    earlier,
                    question: "What is asked?",
                })?;
            }
        }
        Ok(())
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
            .map(|Part { role, text, above }| {
                let filled = environment
                    .render_str(text, slots)
                    .map_err(|slip| unfilled(&slip, text, *above))?;
                Ok(Message {
                    role: *role,
                    text: tidy_lines(&filled),
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

fn parts(body: &str, lines_before: usize) -> Result<Vec<Part>, Misprint> {
    let mut parts: Vec<Part> = Vec::new();
    for (above, line) in (lines_before + 1..).zip(body.lines()) {
        let role = match line.trim_end() {
            "# system" => Some(Role::System),
            "# user" => Some(Role::User),
            _ => None,
        };
        match (role, parts.last_mut()) {
            (Some(role), _) => parts.push(Part {
                role,
                text: String::new(),
                above,
            }),
            (None, Some(part)) => {
                part.text.push_str(line);
                part.text.push('\n');
            },
            (None, None) if line.trim().is_empty() => {},
            (None, None) => return Err(Misprint::NoUserPart),
        }
    }
    let roles: Vec<_> = parts.iter().map(|part| part.role).collect();
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

/// A slip that filling `part` has shown, with the line it stands in: a field that does not exist
/// has no name in the engine's words.
fn unfilled(slip: &minijinja::Error, part: &str, above: usize) -> Misprint {
    if slip.kind() != ErrorKind::UndefinedError {
        return syntax(slip, above);
    }
    let at = slip.line().unwrap_or(0);
    let line = part.lines().nth(at.saturating_sub(1)).unwrap_or_default();
    Misprint::Syntax {
        line: at + above,
        slip: format!("there is no such value: {}", line.trim()),
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
    fn what_would_fail_at_a_question_fails_when_the_template_is_read() {
        let slip = |body: &str| {
            let file =
                "---\nname: t\nversion: 3\nvariables: [sources, earlier, question]\n---\n";
            let uses = "{% if earlier %}{{ earlier.question }}{% endif %}\n";
            let all = format!("{file}# system\nBe brief.\n# user\n{uses}{body}");
            Template::parse(&all).unwrap_err().to_string()
        };
        let source =
            "{% for source in sources %}\n{{ source.txt }}\n{% endfor %}{{ question }}";
        assert_eq!(
            slip(source),
            "line 11: there is no such value: {{ source.txt }}"
        );
        let included = "{{ question }}{{ sources }}\n{% include \"more.md\" %}";
        assert!(
            slip(included).starts_with("line 11: "),
            "{}",
            slip(included)
        );
        let filtered = "{{ question | shout }}{{ sources }}";
        assert!(
            slip(filtered).starts_with("line 10: "),
            "{}",
            slip(filtered)
        );
        // What is there only sometimes is looked into both times.
        let early = "{{ question }}{{ sources }}{{ earlier.question }}";
        assert!(slip(early).starts_with("line 10: "), "{}", slip(early));
        let first = "{{ question }}{% if not sources %}{{ sources.none }}{% endif %}";
        assert!(slip(first).starts_with("line 10: "), "{}", slip(first));
        let open = "{{ question }}{{ sources }}{% if true %}";
        assert!(slip(open).starts_with("line 10: "), "{}", slip(open));
    }

    #[test]
    fn a_statement_does_not_reach_from_one_part_into_the_next() {
        let slip = template("# system\n{% if true %}\n# user\n{{ question }}{% endif %}");
        let slip = slip.unwrap_err().to_string();
        assert!(slip.starts_with("line 7: "), "{slip}");
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
