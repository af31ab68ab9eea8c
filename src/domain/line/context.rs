//! Gives each line what its neighbours say about it: that it is wrong, that it holds no longer,
//! that it holds only sometimes.
//!
//! People read a page from above; saseo quotes one line of it. A sentence that is taken back in
//! the next one must therefore never stand alone.

use super::super::sentence;
use super::wording::{self, Limit, Reach};
use super::{Kind, LEADING, Line, after};

/// A line with its place among the others.
pub(super) struct Placed {
    pub(super) line: Line,
    /// What it says itself, without what it carries.
    pub(super) own: String,
    pub(super) shape: Shape,
    /// Lines of one paragraph, list or table share it.
    pub(super) block: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Heading,
    Prose,
    Item,
    Row,
    Code,
}

/// Lets the lines of a passage, which stands under `heading`, carry what bears on them.
pub(super) fn settle(placed: &mut [Placed], heading: Option<&str>) {
    govern(placed);
    limit(placed, heading);
    take_back(placed);
}

// ---- What stands above ----

/// A sentence or mark that bears on what follows it.
struct Ruling {
    lead: String,
    until: Until,
    /// Where it stands itself.
    block: usize,
    /// Whether it ruled a list, a table or code.
    ruled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The item that it begins.
    ItemEnd,
    /// The block in which it stands.
    BlockEnd,
    /// The block after it.
    NextEnd,
    /// The next heading, unless a paragraph ends it: one after its list, table or code, or one
    /// that introduces something else.
    Heading,
}

fn govern(placed: &mut [Placed]) {
    let mut ruling: Option<Ruling> = None;
    let stands = stands(placed);
    for (placed, stands) in placed.iter_mut().zip(stands) {
        ruling = ruling.filter(|ruling| still(ruling, placed, stands));
        if let Some(ruling) = &mut ruling {
            ruled(ruling, placed);
        }
        if let Some(next) = begun(placed, stands) {
            if is_mark(&placed.own) {
                placed.line.kind = Kind::Lead;
            }
            ruling = Some(next);
        }
    }
}

/// Where in its block a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Alone,
    First,
    Within,
    Last,
}

fn stands(placed: &[Placed]) -> Vec<Stands> {
    let block = |at: usize| placed.get(at).map(|line| line.block);
    let stands = placed.iter().enumerate().map(|(at, line)| {
        let here = Some(line.block);
        let begins = at == 0 || block(at - 1) != here;
        let ends = block(at + 1) != here;
        match (begins, ends) {
            (true, true) => Stands::Alone,
            (true, false) => Stands::First,
            (false, true) => Stands::Last,
            (false, false) => Stands::Within,
        }
    });
    stands.collect()
}

/// Whether what was said still bears on a line.
fn still(ruling: &Ruling, placed: &Placed, stands: Stands) -> bool {
    if placed.shape == Shape::Heading {
        return false;
    }
    match ruling.until {
        Until::ItemEnd => placed.shape == Shape::Item && !begins_item(placed),
        Until::BlockEnd => placed.block == ruling.block,
        Until::NextEnd => placed.block <= ruling.block + 1,
        Until::Heading => {
            let begins = matches!(stands, Stands::Alone | Stands::First);
            let prose = placed.shape == Shape::Prose && begins;
            !(prose && (ruling.ruled || wording::turns_away(&placed.own)))
        },
    }
}

fn ruled(ruling: &mut Ruling, placed: &mut Placed) {
    ruling.ruled |= matches!(placed.shape, Shape::Item | Shape::Row | Shape::Code);
    let line = &mut placed.line;
    let bare = ruling.lead.trim_end_matches([':', '：', '.', '。', ' ']);
    if placed.shape == Shape::Code {
        return;
    }
    if !line.text.contains(bare) {
        line.text = after(&ruling.lead, &line.text);
    }
    let states = placed.shape == Shape::Item && !line.text.ends_with(LEADING);
    if states && line.kind == Kind::Lead {
        line.kind = Kind::Statement;
    }
}

/// What a line says about those after it.
fn begun(placed: &Placed, stands: Stands) -> Option<Ruling> {
    let block = placed.block;
    let (lead, until) = match placed.shape {
        Shape::Prose => marked(placed, stands).or_else(|| led(placed, stands))?,
        Shape::Item if begins_item(placed) => {
            let (mark, _) = wording::mark(&placed.own)?;
            (mark, Until::ItemEnd)
        },
        Shape::Item | Shape::Heading | Shape::Row | Shape::Code => return None,
    };
    Some(Ruling {
        lead: lead.to_owned(),
        until,
        block,
        ruled: false,
    })
}

/// The mark at the beginning of a block; one that is all of it marks what follows.
fn marked(placed: &Placed, stands: Stands) -> Option<(&str, Until)> {
    let (mark, _) = wording::mark(&placed.own)?;
    match stands {
        Stands::Alone if is_mark(&placed.own) => Some((mark, Until::Heading)),
        Stands::Alone | Stands::First => Some((mark, Until::BlockEnd)),
        Stands::Within | Stands::Last => None,
    }
}

/// Whether it is a mark and no more.
fn is_mark(own: &str) -> bool {
    wording::mark(own).is_some_and(|(_, rest)| !rest.contains(char::is_alphanumeric))
}

fn led(placed: &Placed, stands: Stands) -> Option<(&str, Until)> {
    let ends = matches!(stands, Stands::Alone | Stands::Last);
    let until = if wording::condemns(&placed.own) {
        if ends {
            Until::Heading
        } else {
            Until::BlockEnd
        }
    } else if ends && wording::conditions(&placed.own) {
        Until::NextEnd
    } else {
        return None;
    };
    Some((&placed.own, until))
}

fn begins_item(placed: &Placed) -> bool {
    sentence::is_item(&placed.line.raw)
}

// ---- What stands below ----

/// Joins sentences that limit others to them, the last first: one may limit another that limits.
fn limit(placed: &mut [Placed], heading: Option<&str>) {
    let limits: Vec<_> = placed.iter().map(limits).collect();
    for (at, limit) in limits.into_iter().enumerate().rev() {
        let (Some(limit), Some((before, [limiting, ..]))) =
            (limit, placed.split_at_mut_checked(at))
        else {
            continue;
        };
        if let Some(limited) = limited(before, limiting) {
            join(limited, &limiting.own);
            limiting.line.kind = Kind::Lead;
        } else if limit == Limit::PointsBack {
            let above = before.last().filter(|last| last.shape == Shape::Heading);
            let above = above.map(|above| above.own.as_str()).or(heading);
            point(&mut limiting.line, above);
        }
    }
}

fn limits(placed: &Placed) -> Option<Limit> {
    match placed.shape {
        Shape::Prose | Shape::Item => wording::limits(&placed.own),
        Shape::Heading | Shape::Row | Shape::Code => None,
    }
}

/// What a line limits: the sentence before it, or what code that stands between shows; if it
/// begins a paragraph, the whole paragraph, list or table before.
fn limited<'a>(before: &'a mut [Placed], limiting: &Placed) -> Option<&'a mut [Placed]> {
    let last = before.iter().rposition(|line| line.shape != Shape::Code)?;
    let (shape, block) = before.get(last).map(|line| (line.shape, line.block))?;
    if shape == Shape::Heading {
        return None;
    }
    let whole =
        limiting.shape == Shape::Prose && block != limiting.block && last + 1 == before.len();
    let first = before
        .iter()
        .position(|line| line.block == block)
        .filter(|_| whole)
        .unwrap_or(last);
    before.get_mut(first..=last)
}

fn join(limited: &mut [Placed], limit: &str) {
    for placed in limited {
        let Placed {
            line, own, shape, ..
        } = placed;
        if *shape == Shape::Row && line.kind == Kind::Lead {
            continue;
        }
        let said = line.text.trim_end();
        let open = said.ends_with(|c: char| c.is_alphanumeric() || c == ')');
        line.text = format!("{said}{} {limit}", if open { "." } else { "" });
        line.kind = Kind::Statement;
        own.push(' ');
        own.push_str(limit);
    }
}

/// A sentence that points back at a heading, or at nothing.
fn point(line: &mut Line, heading: Option<&str>) {
    match heading {
        Some(heading) => {
            line.text = after(heading, &line.text);
            line.kind = Kind::Statement;
        },
        None => line.kind = Kind::Lead,
    }
}

/// A sentence that takes back the whole page stands by all that is said there.
fn take_back(placed: &mut [Placed]) {
    let notice = placed.iter().find_map(|placed| {
        let reach = wording::takes_back_the_page(&placed.own)?;
        let said = placed.shape != Shape::Heading && placed.shape != Shape::Code;
        said.then(|| (reach, placed.own.clone(), placed.line.under.clone()))
    });
    let Some((reach, notice, under)) = notice else {
        return;
    };
    let bare = notice.trim_end_matches(['.', '。', ' ', '!']);
    for Placed { line, .. } in placed {
        let reached = reach == Reach::Passage || line.under.starts_with(&under);
        if reached && line.kind == Kind::Statement && !line.text.contains(bare) {
            line.text = after(&notice, &line.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines_of;
    use super::super::tests::page;
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let said = lines_of(0, &page(text))
            .into_iter()
            .filter(|line| line.kind == Kind::Statement)
            .map(|line| line.text);
        assert_eq!(said.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_sentence_is_not_said_without_the_next_one_that_limits_it() {
        check(
            "You may expense taxis. However, only after 22:00 and with a manager's approval.",
            &[
                "You may expense taxis. However, only after 22:00 and with a manager's approval.",
            ],
        );
        check(
            "구내식당은 11시 30분부터 엽니다. 금요일에는 열지 않습니다.",
            &["구내식당은 11시 30분부터 엽니다. 금요일에는 열지 않습니다."],
        );
        check(
            "Passwords are changed every 180 days. Service accounts are exempt.",
            &["Passwords are changed every 180 days. Service accounts are exempt."],
        );
        check(
            "첨부 파일은 10MB까지 보낼 수 있습니다. 단, 외부로는 보낼 수 없습니다.",
            &["첨부 파일은 10MB까지 보낼 수 있습니다. 단, 외부로는 보낼 수 없습니다."],
        );
        check(
            "Some people say \"Tips are reimbursed at 15 percent.\" This is false.",
            &["Some people say \"Tips are reimbursed at 15 percent.\" This is false."],
        );
        check(
            "택시비는 모두 환급된다고 합니다. 이는 사실이 아닙니다.",
            &["택시비는 모두 환급된다고 합니다. 이는 사실이 아닙니다."],
        );
        check(
            "Guests may park here. But not at night. Unless they work nights.",
            &["Guests may park here. But not at night. Unless they work nights."],
        );
        check(
            "Can I expense taxis?\n\nOnly with a manager's approval.",
            &["Can I expense taxis? Only with a manager's approval."],
        );
    }

    #[test]
    fn a_claim_is_not_said_without_its_verdict() {
        for (claim, verdict) in [
            ("Tips are reimbursed.", "False."),
            ("Tips are reimbursed.", "Wrong!"),
            ("Tips are reimbursed.", "This is no longer the case."),
            ("팁은 환급됩니다.", "사실이 아닙니다."),
            ("팁은 환급됩니다.", "틀렸습니다."),
        ] {
            let text = format!("{claim} {verdict}");
            check(&text, &[&text]);
        }
    }

    #[test]
    fn a_paragraph_that_limits_limits_all_of_the_one_before() {
        check(
            "## Taxis\n\nYou may expense taxis. Keep the receipt.\n\nHowever, only after 22:00.",
            &[
                "You may expense taxis. However, only after 22:00.",
                "Keep the receipt. However, only after 22:00.",
            ],
        );
        check(
            "- 호텔 숙박비\n- 기차 승차권\n\n다만 승인이 필요합니다.",
            &[
                "호텔 숙박비. 다만 승인이 필요합니다.",
                "기차 승차권. 다만 승인이 필요합니다.",
            ],
        );
        check(
            "| 요금제 | 가격 |\n|---|---|\n| 기본 | 10유로 |\n\n단, 부가세는 별도입니다.",
            &["요금제: 기본; 가격: 10유로. 단, 부가세는 별도입니다."],
        );
    }

    #[test]
    fn an_item_is_not_said_without_what_limits_it_and_only_it() {
        check(
            "- Taxis at night are paid. Only if nobody else drives.\n- Hotels are paid.\n- Except luxury hotels abroad.",
            &[
                "Taxis at night are paid. Only if nobody else drives.",
                "Hotels are paid. Except luxury hotels abroad.",
            ],
        );
    }

    #[test]
    fn a_sentence_that_limits_nothing_stays_as_it_stands() {
        check(
            "## Days\n\nButter is in the fridge. Notes go into the wiki. 단순한 오류는 다시 시도하세요. 단어장은 위키에 있습니다. Not there?",
            &[
                "Butter is in the fridge.",
                "Notes go into the wiki.",
                "단순한 오류는 다시 시도하세요.",
                "단어장은 위키에 있습니다.",
            ],
        );
        check(
            "## Guests\n\nOnly if announced may guests enter.",
            &["Only if announced may guests enter."],
        );
    }

    #[test]
    fn what_takes_back_points_at_its_heading_or_says_nothing() {
        check(
            "## Tips are reimbursed at 15 percent\n\nThis is not true.",
            &["Tips are reimbursed at 15 percent: This is not true."],
        );
        check("이는 사실이 아닙니다.", &[]);
    }

    #[test]
    fn a_paragraph_carries_the_sentence_that_says_it_is_wrong() {
        check(
            "다음은 잘못된 예시입니다.\n\n고객에게 비밀번호를 이메일로 보내도 됩니다.\n\n메모로 남겨도 됩니다.\n\n## 그 밖에\n\n보안팀에 물어보세요.",
            &[
                "다음은 잘못된 예시입니다.",
                "다음은 잘못된 예시입니다: 고객에게 비밀번호를 이메일로 보내도 됩니다.",
                "다음은 잘못된 예시입니다: 메모로 남겨도 됩니다.",
                "보안팀에 물어보세요.",
            ],
        );
        for lead in ["The following is wrong:", "Bad example:", "Do not write:"] {
            let text = format!(
                "{lead}\n\nYou may send the password by e-mail. It is quick.\n\nInstead, use the vault."
            );
            check(
                &text,
                &[
                    &format!(
                        "{lead} You may send the password by e-mail. Instead, use the vault."
                    ),
                    &format!("{lead} It is quick. Instead, use the vault."),
                ],
            );
        }
    }

    #[test]
    fn what_follows_the_list_of_what_is_forbidden_is_not_forbidden() {
        check(
            "Never do the following:\n\n- Send passwords by e-mail\n\nAsk the security team.",
            &[
                "Never do the following: Send passwords by e-mail",
                "Ask the security team.",
            ],
        );
        check(
            "나쁜 예:\n\n비밀번호를 메일로 보냅니다.\n\n좋은 예:\n\n금고를 함께 씁니다.",
            &[
                "나쁜 예: 비밀번호를 메일로 보냅니다.",
                "금고를 함께 씁니다.",
            ],
        );
    }

    #[test]
    fn a_block_carries_the_mark_at_its_beginning() {
        check(
            "> **Deprecated.** Limousines may be booked by anyone. Call the travel desk.\n\nTaxis are booked online.",
            &[
                "Deprecated: Limousines may be booked by anyone.",
                "Deprecated: Call the travel desk.",
                "Taxis are booked online.",
            ],
        );
        check(
            "**Obsolete:** Limousines may be booked. Call the travel desk.",
            &[
                "Obsolete: Limousines may be booked.",
                "Obsolete: Call the travel desk.",
            ],
        );
        check(
            "폐지됨. 리무진을 예약할 수 있습니다.\n\n택시는 앱으로 부릅니다.",
            &[
                "폐지됨: 리무진을 예약할 수 있습니다.",
                "택시는 앱으로 부릅니다.",
            ],
        );
        check(
            "**[Deprecated since 2023]**\n\nLimousines may be booked.\n\nCall the travel desk.",
            &[
                "Deprecated since 2023: Limousines may be booked.",
                "Deprecated since 2023: Call the travel desk.",
            ],
        );
    }

    #[test]
    fn an_item_and_a_remark_carry_the_mark_at_their_beginning() {
        check(
            "- **Deprecated.** Limousines may be booked.\n- Taxis are booked online. Pay them yourself.",
            &[
                "Deprecated: Limousines may be booked.",
                "Taxis are booked online.",
                "Pay them yourself.",
            ],
        );
        check(
            "> [!WARNING]\n> **폐지됨.** 리무진을 예약할 수 있습니다.",
            &["폐지됨: 리무진을 예약할 수 있습니다."],
        );
        check(
            "> [!CAUTION]\n> This page is obsolete.\n\nLimousines may be booked.",
            &[
                "[!CAUTION] This page is obsolete.",
                "[!CAUTION] This page is obsolete: Limousines may be booked.",
            ],
        );
    }

    #[test]
    fn a_page_that_is_taken_back_is_never_quoted_without_that() {
        check(
            "Limousines may be booked.\n\nThis page is obsolete.\n\n## Desk\n\nCall the travel desk.",
            &[
                "This page is obsolete: Limousines may be booked.",
                "This page is obsolete.",
                "This page is obsolete: Call the travel desk.",
            ],
        );
        check(
            "이 문서는 더 이상 유효하지 않습니다.\n\n리무진을 예약할 수 있습니다.",
            &[
                "이 문서는 더 이상 유효하지 않습니다.",
                "이 문서는 더 이상 유효하지 않습니다: 리무진을 예약할 수 있습니다.",
            ],
        );
        check(
            "이 절차는 폐지되었습니다.\n\n신청서를 팩스로 냅니다.",
            &[
                "이 절차는 폐지되었습니다.",
                "이 절차는 폐지되었습니다: 신청서를 팩스로 냅니다.",
            ],
        );
        check(
            "## Limousines\n\nThey may be booked online. This section is no longer valid.\n\n## Taxis\n\nTaxis are booked online.",
            &[
                "This section is no longer valid: They may be booked online.",
                "This section is no longer valid.",
                "Taxis are booked online.",
            ],
        );
        check(
            "Taxis are booked online.\n\nIf this page is outdated, tell the travel desk.",
            &[
                "Taxis are booked online.",
                "If this page is outdated, tell the travel desk.",
            ],
        );
    }

    #[test]
    fn an_item_of_one_word_says_something_with_its_lead() {
        for gap in ["\n", "\n\n", "\n\nThey have no insurance.\n\n"] {
            let text = format!("Do not rent scooters from these\nfirms:{gap}- Zipp\n- Volta");
            let said: Vec<_> = lines_of(0, &page(&text))
                .into_iter()
                .filter(|line| line.kind == Kind::Statement)
                .map(|line| line.text)
                .collect();
            for firm in ["Zipp", "Volta"] {
                let whole = format!("Do not rent scooters from these firms: {firm}");
                assert!(said.contains(&whole), "{said:?}");
            }
        }
        check(
            "다음 업체에서는 빌리지 마세요.\n\n* 지프",
            &[
                "다음 업체에서는 빌리지 마세요.",
                "다음 업체에서는 빌리지 마세요: 지프",
            ],
        );
    }
}
