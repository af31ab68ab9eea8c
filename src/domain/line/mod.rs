//! Takes passages apart into lines, each with what it says nothing without: the names of a
//! row's columns, what leads a list, the question that a short answer answers, what limits it or
//! takes it back.

mod context;
mod list;
mod wording;

use self::context::{Placed, Shape};
use self::list::List;
use super::analysis;
use super::chunk::Span;
use super::passage::Passage;
use super::sentence;

/// One sentence, list item, table row or code block of a passage.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which passage it stands in, by position.
    pub passage: usize,
    /// As a person reads it, without Markdown's marks.
    pub text: String,
    /// As it stands in the passage.
    pub raw: String,
    /// The headings that stand above it within the passage, outermost first.
    pub under: Vec<String>,
    pub kind: Kind,
}

impl Line {
    /// Whether it is said of it, or by it, that it holds no longer.
    pub fn is_outdated(&self) -> bool {
        wording::is_outdated(&self.text.to_lowercase())
    }
}

/// What a line is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It says something by itself.
    Statement,
    /// A heading, a question, a lone word: it leads to what follows.
    Lead,
    /// A code block; it shows what the statement before it says.
    Code,
}

/// All lines of `passages`, in order.
pub fn lines(passages: &[Passage]) -> Vec<Line> {
    passages
        .iter()
        .enumerate()
        .flat_map(|(number, passage)| lines_of(number, passage))
        .collect()
}

fn lines_of(number: usize, passage: &Passage) -> Vec<Line> {
    let mut reader = Reader::new(number, passage);
    for span in sentence::sentences(&passage.text) {
        reader.take(span);
    }
    context::settle(
        &mut reader.lines,
        passage.heading.last().map(String::as_str),
    );
    let lines = reader.lines.into_iter().map(|placed| placed.line);
    lines.map(|line| marked(passage, line)).collect()
}

/// A line with the heading above it that says that it holds no longer.
fn marked(passage: &Passage, mut line: Line) -> Line {
    if line.kind == Kind::Statement
        && let Some(heading) = outdated(passage, &line.under)
    {
        line.text = after(heading, &line.text);
    }
    line
}

/// What stands above and says that it holds no longer.
fn outdated<'a>(passage: &'a Passage, under: &'a [String]) -> Option<&'a str> {
    let here = under.iter().rev();
    let higher = passage.heading.iter().rev();
    here.chain(higher)
        .chain([&passage.title])
        .map(String::as_str)
        .find(|heading| wording::is_outdated(&heading.to_lowercase()))
}

/// One passage as far as it was read.
struct Reader<'a> {
    number: usize,
    passage: &'a Passage,
    lines: Vec<Placed>,
    /// Where the last line ends.
    end: usize,
    /// Small sections share a passage and keep their heading lines in it: these, with their
    /// levels, stand above what is read now.
    above: Vec<(usize, String)>,
    /// What the columns of the table are called that is being read.
    columns: Option<Vec<String>>,
    list: List,
    /// An answer of one word with its question; the sentence after it goes on with it.
    cut_short: Option<String>,
}

impl<'a> Reader<'a> {
    fn new(number: usize, passage: &'a Passage) -> Self {
        Self {
            number,
            passage,
            lines: Vec::new(),
            end: 0,
            above: Vec::new(),
            columns: None,
            list: List::new(passage),
            cut_short: None,
        }
    }

    fn take(&mut self, span: Span) {
        let raw = self.passage.text.get(span.start..span.end);
        let raw = raw.unwrap_or_default().trim();
        let plain = sentence::plain(raw);
        if plain.is_empty() {
            return;
        }
        stand(&mut self.above, raw, &plain);
        let (text, kind) = self.in_table(raw, plain.clone(), span.end);
        if text.is_empty() {
            return;
        }
        let own = if raw.starts_with('|') {
            text.clone()
        } else {
            plain
        };
        let (text, kind) = self.governed(span.start, raw, (text, kind));
        let shape = self.shape(raw);
        let block = self.block(shape, span.start);
        self.end = span.end;
        let line = Line {
            passage: self.number,
            text,
            raw: raw.to_owned(),
            under: self
                .above
                .iter()
                .map(|(_, heading)| heading.clone())
                .collect(),
            kind,
        };
        self.lines.push(Placed {
            line,
            own,
            shape,
            block,
        });
    }

    fn shape(&self, raw: &str) -> Shape {
        if raw.starts_with('#') {
            Shape::Heading
        } else if raw.starts_with('|') {
            Shape::Row
        } else if raw.starts_with("```") || raw.starts_with("~~~") {
            Shape::Code
        } else if self.list.item.is_some() {
            Shape::Item
        } else {
            Shape::Prose
        }
    }

    /// The number of the block in which a line stands that begins at `start`.
    fn block(&self, shape: Shape, start: usize) -> usize {
        let Some(last) = self.lines.last() else {
            return 0;
        };
        let gap = self.passage.text.get(self.end..start).unwrap_or_default();
        let goes_on = match shape {
            Shape::Heading | Shape::Code => false,
            Shape::Item | Shape::Row => true,
            Shape::Prose => gap.matches('\n').count() < 2,
        };
        last.block + usize::from(!goes_on || last.shape != shape)
    }

    /// A row of a table with the names of its columns; any other line as it is.
    fn in_table(&mut self, raw: &str, plain: String, end: usize) -> (String, Kind) {
        let kind = kind(raw, &plain);
        if !raw.starts_with('|') {
            self.columns = None;
            return (plain, kind);
        }
        if let Some(columns) = &self.columns {
            return (row(columns, raw), Kind::Statement);
        }
        if heads_a_table(self.passage.text.get(end..).unwrap_or_default()) {
            self.columns = Some(sentence::cells(raw));
            return (plain, Kind::Lead);
        }
        (plain, kind)
    }

    /// A line with what it says nothing without: what leads its list, or what it replies to.
    fn governed(
        &mut self,
        start: usize,
        raw: &str,
        (text, kind): (String, Kind),
    ) -> (String, Kind) {
        let carried = self.list.carry((&self.passage.text, start), raw, &text);
        if let Some((led, says)) = carried {
            let states = says && kind == Kind::Lead && !led.ends_with(LEADING);
            return (led, if states { Kind::Statement } else { kind });
        }
        if raw.starts_with(['#', '|']) || kind == Kind::Code {
            self.cut_short = None;
            return (text, kind);
        }
        self.reply(text, kind)
    }

    /// A line with the question it answers, if it answers one, or with the word that it goes
    /// on with.
    fn reply(&mut self, text: String, kind: Kind) -> (String, Kind) {
        if let Some(short) = self.cut_short.take() {
            if let Some(last) = self.lines.last_mut() {
                last.line.kind = Kind::Lead;
            }
            return (format!("{short} {text}"), Kind::Statement);
        }
        let Some(answer) = answers(&text) else {
            return (text, kind);
        };
        let Some(question) = self.question() else {
            return (text, Kind::Lead);
        };
        let text = after(question, &text);
        self.cut_short = (answer == Answers::Only).then(|| text.clone());
        (text, Kind::Statement)
    }

    /// What was asked directly before, or else the heading.
    fn question(&self) -> Option<&str> {
        let before = self.lines.last().map(|last| last.line.text.as_str());
        let heading = self.above.last().map(|(_, heading)| heading);
        before
            .filter(|before| before.ends_with('?'))
            .or(heading.or(self.passage.heading.last()).map(String::as_str))
    }
}

/// What ends like this leads to what follows.
const LEADING: [char; 3] = ['?', ':', '：'];

/// Takes in a line that others stand under.
fn stand(above: &mut Vec<(usize, String)>, raw: &str, text: &str) {
    let level = match raw.chars().take_while(|c| *c == '#').count() {
        // As deep as no heading goes.
        0 if asks(text) => ASKED,
        0 => return,
        level => level,
    };
    above.retain(|(higher, _)| *higher < level);
    above.push((level, text.to_owned()));
}

/// The level of a question that is no heading: "Q: …".
const ASKED: usize = 7;

fn asks(text: &str) -> bool {
    ["Q:", "Q.", "질문:"]
        .iter()
        .any(|mark| text.starts_with(mark))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// There is no more than the one word.
    Only,
    More,
}

/// Whether a line answers what was asked before it, so that it says nothing without that.
fn answers(text: &str) -> Option<Answers> {
    const MARKS: [&str; 3] = ["A:", "A. ", "답변:"];
    const WORDS: [&str; 6] = ["yes", "no", "네", "예", "아니요", "아니오"];
    let marked = MARKS.iter().find_map(|mark| text.strip_prefix(mark));
    let said = marked.unwrap_or(text).trim().to_lowercase();
    let word: String = said.chars().take_while(|c| c.is_alphanumeric()).collect();
    let rest = said.get(word.len()..).unwrap_or_default();
    let is_word = WORDS.contains(&word.as_str()) && !rest.starts_with(['-', '\'', '’']);
    let is_only = is_word && !rest.contains(char::is_alphanumeric);
    if is_only {
        Some(Answers::Only)
    } else {
        (is_word || marked.is_some()).then_some(Answers::More)
    }
}

fn after(lead: &str, text: &str) -> String {
    let bare = lead.trim_end_matches([':', '：', '.', '。', ' ']);
    let colon = if bare.ends_with(['?', '!', '？', '！']) {
        ""
    } else {
        ":"
    };
    format!("{bare}{colon} {text}")
}

/// Whether what follows a row is the line of dashes that makes it the head of a table.
fn heads_a_table(after: &str) -> bool {
    let next = after.trim_start().lines().next().unwrap_or_default();
    next.contains("--") && next.chars().all(|c| "|-: ".contains(c))
}

/// A row of a table, each cell with what its column is called: alone it says too little. It
/// ends like a sentence, for others stand after it.
fn row(columns: &[String], raw: &str) -> String {
    let named: Vec<String> = sentence::cells(raw)
        .into_iter()
        .enumerate()
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(at, cell)| match columns.get(at) {
            Some(column) if !column.is_empty() => format!("{column}: {cell}"),
            _ => cell,
        })
        .collect();
    let text = named.join("; ");
    let ended = text.is_empty() || text.ends_with(['.', '!', '?', '…', '。', '！', '？']);
    format!("{text}{}", if ended { "" } else { "." })
}

fn kind(raw: &str, plain: &str) -> Kind {
    /// Fewer content terms than this say nothing by themselves.
    const FEWEST_TERMS: usize = 2;
    if raw.starts_with("```") || raw.starts_with("~~~") {
        Kind::Code
    } else if raw.starts_with('#')
        || plain.ends_with(LEADING)
        || analysis::content_terms(plain).len() < FEWEST_TERMS
    {
        Kind::Lead
    } else {
        Kind::Statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_table_says_what_its_columns_are() {
        let text = "| Plan | Response time |\n|---|---|\n| Gold | 4 hours |\n| Silver | 1 day |\n\nAsk us about others.";
        let said: Vec<_> = lines_of(0, &page(text))
            .into_iter()
            .map(|l| (l.text, l.kind))
            .collect();
        assert_eq!(
            said,
            [
                ("Plan | Response time".to_owned(), Kind::Lead),
                (
                    "Plan: Gold; Response time: 4 hours.".to_owned(),
                    Kind::Statement
                ),
                (
                    "Plan: Silver; Response time: 1 day.".to_owned(),
                    Kind::Statement
                ),
                ("Ask us about others.".to_owned(), Kind::Statement),
            ]
        );
    }

    #[test]
    fn a_row_leaves_out_empty_cells_and_keeps_escaped_pipes() {
        let text = "| Plan | Price | Note | |\n|---|---|---|---|\n| Basic | $10 | | |\n|Pro||use `a \\| b`|new|\n| | | |\n";
        let rows = lines_of(0, &page(text)).into_iter().skip(1);
        assert_eq!(
            rows.map(|l| l.text).collect::<Vec<_>>(),
            [
                "Plan: Basic; Price: $10.",
                "Plan: Pro; Note: use a | b; new."
            ]
        );
    }

    #[test]
    fn a_short_answer_carries_its_question() {
        let check = |text: &str, expected: &[&str]| {
            let lines = lines_of(0, &page(text));
            let said = lines.into_iter().filter(|l| l.kind == Kind::Statement);
            assert_eq!(said.map(|l| l.text).collect::<Vec<_>>(), expected);
        };
        check(
            "## Can I use the API from a browser?\n\nNo. CORS is not enabled.\n\n## Is there a sandbox?\n\nYes, at sandbox.acme.test.\n\n## 환불이 되나요?\n\n아니요.",
            &[
                "Can I use the API from a browser? No. CORS is not enabled.",
                "Is there a sandbox? Yes, at sandbox.acme.test.",
                "환불이 되나요? 아니요.",
            ],
        );
        check(
            "Q: Can I use the API from a browser?\n\nA: No. CORS is not enabled.\n\nQ: What is the sandbox?\n\nA: A server for tests.",
            &[
                "Q: Can I use the API from a browser? A: No. CORS is not enabled.",
                "Q: What is the sandbox? A: A server for tests.",
            ],
        );
        check("Yes, at sandbox.acme.test.", &[]);
        check("No-one may copy the key.", &["No-one may copy the key."]);
    }

    #[test]
    fn an_item_carries_what_governs_its_list() {
        let check = |text: &str, expected: &[&str]| {
            let lines = lines_of(0, &page(text));
            let items = lines.into_iter().filter(|l| l.kind == Kind::Statement);
            assert_eq!(items.map(|l| l.text).collect::<Vec<_>>(), expected);
        };
        check(
            "## Never do this\n\n- Share your password by e-mail.\n- Write it down on paper. Never.\n\nAsk the security team.",
            &[
                "Never do this: Share your password by e-mail.",
                "Never do this: Write it down on paper.",
                "Never do this: Write it down on paper. Never.",
                "Ask the security team.",
            ],
        );
        check(
            "다음 행동은 금지합니다\n\n- 비밀번호를 메일로 보내기",
            &[
                "다음 행동은 금지합니다",
                "다음 행동은 금지합니다: 비밀번호를 메일로 보내기",
            ],
        );
        check(
            "Only if the finance team agrees:\n\n1. Hotels\n2. Flights to:\n   - far places\n\n3. Taxis at night",
            &[
                "Only if the finance team agrees: Hotels",
                "Only if the finance team agrees: Flights to: far places",
                "Only if the finance team agrees: Taxis at night",
            ],
        );
        check(
            "## Days\n\nThere are 15 days.\n\n- Unused days expire in March.",
            &["There are 15 days.", "Unused days expire in March."],
        );
    }

    #[test]
    fn what_holds_no_longer_says_so() {
        let said = |text: &str, title: &str| {
            let page = Passage {
                title: title.into(),
                ..page(text)
            };
            lines_of(0, &page).pop().unwrap().text
        };
        assert_eq!(
            said(
                "## 예전 규정 (2023년 폐지)\n\n재택근무는 주 3일까지입니다.",
                "근무"
            ),
            "예전 규정 (2023년 폐지): 재택근무는 주 3일까지입니다."
        );
        assert_eq!(
            said("Push the red button twice.", "[Deprecated] Deploying"),
            "[Deprecated] Deploying: Push the red button twice."
        );
        assert_eq!(
            said("## Now\n\nPush it once.", "Deploying"),
            "Push it once."
        );
    }

    #[test]
    fn an_item_stays_as_it_stands() {
        let lines = lines_of(
            0,
            &page("### Colour printing is not possible for\n- visitors of the sales office"),
        );
        let item = lines.last().unwrap();
        assert_eq!(
            item.text,
            "Colour printing is not possible for: visitors of the sales office"
        );
        assert_eq!(item.raw, "- visitors of the sales office");
    }

    #[test]
    fn a_line_knows_the_headings_above_it_in_its_passage() {
        let lines = lines_of(
            0,
            &page(
                "## Days\n\nThere are 15 days.\n\n## Carrying over\n\nThey do not carry over.",
            ),
        );
        assert_eq!(lines.last().unwrap().under, ["Carrying over"]);
        assert_eq!(lines.get(1).unwrap().under, ["Days"]);
    }

    pub(super) fn page(text: &str) -> Passage {
        use super::super::document::{CollectionName, Digest};
        use super::super::language::Language;
        use super::super::passage::Scores;
        Passage {
            title: "Page".into(),
            uri: "page.md".into(),
            collection: CollectionName::default(),
            language: Language::English,
            modified: None,
            heading: Vec::new(),
            text: text.into(),
            document: Digest::of(b""),
            span: Span {
                start: 0,
                end: text.len(),
            },
            scores: Scores::default(),
        }
    }
}
