//! What governs the items of a list: the sentence or the heading that leads to them.

use super::after;
use crate::domain::passage::Passage;
use crate::domain::sentence;

/// What governs the items of a list: alone, an item of things forbidden reads like advice.
#[derive(Default)]
pub(super) struct List {
    /// What stands directly before, if a list that began now would go on with it.
    before: Option<Opening>,
    /// What governs items that stand further in than this many blanks less one, outermost first.
    leads: Vec<(usize, Opening)>,
    /// The item as far as it was read, with its lead.
    pub(super) item: Option<String>,
}

#[derive(Clone)]
struct Opening {
    text: String,
    /// Whether it is a sentence; a heading only names what stands below.
    says: bool,
}

impl List {
    /// The passage's own heading stands directly above its text.
    pub(super) fn new(passage: &Passage) -> Self {
        let heading = passage.heading.last().map(|text| Opening {
            text: text.clone(),
            says: false,
        });
        Self {
            before: heading,
            ..Self::default()
        }
    }

    /// The line with what governs it, and whether that is a sentence; `None` for a line that
    /// stands by itself.
    pub(super) fn carry(
        &mut self,
        (page, start): (&str, usize),
        raw: &str,
        text: &str,
    ) -> Option<(String, bool)> {
        let gap = page.get(..start).unwrap_or_default();
        let indent = gap.rsplit('\n').next().unwrap_or_default();
        let indent = if indent.trim().is_empty() {
            indent.len()
        } else {
            0
        };
        if sentence::is_item(raw) {
            return self.begin(indent, text);
        }
        if raw.starts_with("```") || raw.starts_with("~~~") {
            self.before = None;
            return None;
        }
        let apart = gap
            .get(gap.trim_end().len()..)
            .is_some_and(|blank| blank.matches('\n').count() > 1);
        let goes_on = (!apart || indent > 1) && !raw.starts_with(['#', '|']);
        if let Some(begun) = self.item.as_mut().filter(|_| goes_on) {
            if begun.is_empty() {
                return None;
            }
            *begun = format!("{begun} {text}");
            return Some((begun.clone(), true));
        }
        let heads = raw.starts_with('#');
        let before = (heads || leads(text)).then(|| Opening {
            text: text.to_owned(),
            says: !heads,
        });
        *self = Self {
            before,
            ..Self::default()
        };
        None
    }

    /// An item begins.
    fn begin(&mut self, indent: usize, text: &str) -> Option<(String, bool)> {
        if let Some(opening) = self.before.take() {
            self.leads = vec![(0, opening)];
        }
        self.leads.retain(|(at, _)| *at <= indent);
        let lead = self.leads.last().map(|(_, opening)| opening.clone());
        let carried = lead.map(|lead| (after(&lead.text, text), lead.says));
        let whole = carried.as_ref().map(|(whole, _)| whole.clone());
        if text.ends_with([':', '：']) {
            let text = whole.clone().unwrap_or_else(|| text.to_owned());
            self.leads.push((indent + 1, Opening { text, says: true }));
        }
        self.item = Some(whole.unwrap_or_default());
        carried
    }
}

/// Whether a sentence goes on with the list that stands directly after it.
fn leads(text: &str) -> bool {
    const POINTING: [&str; 5] = ["follow", "below", "these", "다음", "아래"];
    let lower = text.to_lowercase();
    !text.ends_with(['.', '!', '…', '。', '！', '"', ')'])
        || POINTING.iter().any(|word| lower.contains(word))
}
