//! Whatever stands in documents, questions and answers: it calls nobody, links nowhere, fits.

use std::collections::BTreeSet;

use saseo::adapters::discord::{dialect, wire};
use saseo::app::ingest::{Elsewhere, shelve};
use saseo::domain::document::{CollectionName, Document, Shelfmark};
use saseo::domain::language::Language;
use saseo::domain::page::{self, Block, Page, Run};
use serde_json::{Value, json};
use serenity::model::id::{ChannelId, MessageId};

use crate::support::answers::long_answer;
use crate::support::discord::Discord;
use crate::support::discord::mentions::Allowed;
use crate::support::discord::people::Given;
use crate::support::discord::permissions::{EMBED_LINKS, MENTION_EVERYONE, ORDINARY};
use crate::support::discord::posts;
use crate::support::discord::record::Request;
use crate::support::discord::seen::Seen;
use crate::support::script::Script;
use crate::support::town::Town;

use super::storms::{Chance, bot, patient, size, tell};

/// The letters of a page, as its author meant them.
fn letters(page: &Page) -> String {
    let run = |run: &Run| match run {
        Run::Text(text) | Run::Strong(text) => text.clone(),
        Run::Link { title, .. } => title.clone(),
    };
    let block = |block: &Block| match block {
        Block::Paragraph(runs) | Block::Small(runs) => runs.iter().map(run).collect(),
        Block::Code(code) => code.clone(),
    };
    only_letters(&page.blocks.iter().map(block).collect::<String>())
}

fn only_letters(text: &str) -> String {
    let counts = |c: &char| c.is_alphanumeric() || ('\u{1F000}'..'\u{1FFFF}').contains(c);
    text.chars().filter(counts).collect()
}

/// The letters of what is sent, without where its links lead.
fn shown(content: &str) -> String {
    let mut text = String::new();
    let mut rest = content;
    while let Some((before, after)) = rest.split_once("](<http") {
        text.push_str(before);
        rest = after.split_once(">)").map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    only_letters(&text)
}

#[test]
fn long_answers_fit_whole_and_in_order() {
    let (answers, mut chance) = (size(200, 3_000), Chance::new("long answers"));
    let (mut posted, mut longest) = (0, 0);
    for number in 0..answers {
        let answer = long_answer(&mut chance, if number % 20 == 0 { 1_000 } else { 120 });
        let meant = letters(&answer);
        let mut read = String::new();
        for part in page::parts(answer, dialect::LONGEST, &dialect::measure) {
            let below = (ChannelId::new(1), MessageId::new(2));
            let body = wire::message(&part, Some(below), "nonce");
            let content = body["content"].as_str().unwrap();
            let checked = posts::read(&body, &[], Allowed::all());
            assert!(checked.is_ok(), "number {number} is refused: {content}");
            let fences = content.lines().filter(|line| line.starts_with("```"));
            assert_eq!(fences.count() % 2, 0, "number {number}: {content}");
            read.push_str(&shown(content));
            posted += 1;
            longest = longest.max(dialect::units(content));
        }
        let alike = meant
            .chars()
            .zip(read.chars())
            .take_while(|(one, other)| one == other);
        let alike = alike.count();
        let rest = |text: &str| text.chars().skip(alike).take(60).collect::<String>();
        assert_eq!(rest(&meant), rest(&read), "number {number}");
    }
    tell(&format!(
        "long answers: {answers} in {posted} posts, the longest of {longest}"
    ));
}

/// What hostile texts are made of.
const HOSTILE: [&str; 24] = [
    "@everyone",
    "@here",
    "<@1>",
    "<@!{id}>",
    "<@{id}>",
    "<@&{role}>",
    "@\u{200B}everyone",
    "&#64;everyone",
    "\\@everyone",
    "`@everyone`",
    "||@here||",
    "[@everyone](https://evil.example/?q=secret)",
    "![x](https://evil.example/pixel.png)",
    "<https://evil.example/a>",
    "https://evil.example/b",
    "hxxp:// https:/\\evil.example",
    "[.](https://evil.example)",
    "[a][1]\n\n[1]: https://evil.example/ref",
    "<a href=\"https://evil.example\">x</a>",
    "discord.gg/evil",
    "<#{id}> </ask:{id}> <:a:{id}> <t:0:R>",
    "@everyone\u{202E}@here",
    "<@\u{200B}{id}>",
    "steam://run/1 mailto:a@evil.example",
];

fn hostile(chance: &mut Chance, (id, role): (u64, u64)) -> String {
    let piece = HOSTILE[chance.below(HOSTILE.len())];
    piece
        .replace("{id}", &id.to_string())
        .replace("{role}", &role.to_string())
}

async fn add(town: &Town, uri: &str, title: &str, text: &str) {
    let document = Document {
        shelfmark: Shelfmark {
            collection: CollectionName::default(),
            uri: uri.to_owned(),
        },
        title: title.to_owned(),
        language: Language::of(text),
        modified: None,
        carried: None,
        origin: None,
        text: text.to_owned(),
    };
    let by = ("test", Elsewhere::Refuse);
    shelve(&town.desk.shelving(), vec![document], by, &|_| {})
        .await
        .unwrap();
}

/// What the bot said, in whatever way: the part of a request that is shown.
fn said(request: &Request) -> Option<&Value> {
    let body = [&request.body["data"], &request.body];
    body.into_iter().find(|body| body["content"].is_string())
}

/// A page of hostile lines on one subject; the question that is answered from it, hostile too.
async fn plants(town: &Town, round: usize, chance: &mut Chance, names: (u64, u64)) -> String {
    let title = format!("Rule {round} {}", hostile(chance, names));
    let mut lines = Vec::new();
    for n in 0..EACH {
        let rule = hostile(chance, names);
        lines.push(format!("The kiwi{round} rule {n} is {rule} today."));
    }
    add(town, &source(round), &title, &lines.join("\n\n")).await;
    let more: Vec<_> = (0..EACH).map(|_| hostile(chance, names)).collect();
    format!("What is the kiwi{round} rule? {}", more.join(" "))
}

fn source(round: usize) -> String {
    format!("https://wiki.example/rule{round}")
}

/// Hostile texts in a page, and in a question.
const EACH: usize = 10;

/// Everything that was sent to be shown lets nobody be called and nothing be previewed.
fn all_are_quiet(discord: &Discord) -> usize {
    let requests = discord.requests();
    let sent: Vec<&Value> = requests.iter().filter_map(said).collect();
    let allowed = json!({ "parse": [], "replied_user": false });
    assert!(sent.iter().all(|body| body["allowed_mentions"] == allowed));
    assert!(
        sent.iter()
            .all(|body| body["flags"].as_u64().unwrap() & 4 == 4)
    );
    assert_eq!(discord.previewed(), Vec::<String>::new());
    sent.len()
}

/// Nothing in `one` calls anybody, shows anything, or leads to another place than `sources`.
fn is_harmless(one: &Seen, sources: &BTreeSet<String>, (id, role): (u64, u64)) {
    assert!(one.embeds.is_empty());
    let links = one.links();
    assert!(
        links.iter().all(|link| sources.contains(link)),
        "{links:?}: {}",
        one.text
    );
    let calls = [
        "@everyone",
        "@here",
        &format!("<@{id}>"),
        &format!("<@&{role}>"),
    ];
    for call in calls {
        assert!(!one.text.contains(call), "{call}: {}", one.text);
    }
}

#[tokio::test]
async fn hostile_texts_call_nobody_and_link_nowhere() {
    let (rounds, mut chance) = (size(20, 500), Chance::new("hostile texts"));
    let discord = Discord::start().await;
    discord.unlimited();
    let guild = discord.guild("team");
    guild.everyone_may(ORDINARY | MENTION_EVERYONE | EMBED_LINKS);
    let (role, general) = (guild.role("staff", 0), guild.channel("general"));
    let mina = guild.member("Mina", &[]);
    let names = (mina.id, role.id);
    // It obeys: what it writes is what it was told.
    let bot = bot(&discord, Town::with(Script::echoing()), patient()).await;
    for round in 0..rounds {
        let question = plants(&bot.town, round, &mut chance, names).await;
        let said = mina.mentions_bot(&general, &question);
        mina.wait_for(&general, |seen| {
            let mut replies = seen.iter().filter(|one| one.reply_to == Some(said.id));
            replies
                .any(|one| one.text.contains("receipt"))
                .then_some(())
        })
        .await;
        let words = Given::Text(format!("kiwi{round} rule"));
        mina.runs(&general, "library search", &[("words", words)]);
        mina.runs(&general, "library list", &[]);
        mina.wait_for(&general, |seen| (seen.len() >= round * 4 + 4).then_some(()))
            .await;
        bot.settled().await;
    }

    let sent = all_are_quiet(&discord);
    let sources: BTreeSet<_> = (0..rounds).map(source).collect();
    let mut seen = mina.sees(&general);
    seen.retain(|one| one.by == "saseo");
    for one in &seen {
        is_harmless(one, &sources, names);
        assert!(discord.pings().iter().all(|ping| ping.message != one.id));
    }
    let links: usize = seen.iter().map(|one| one.links().len()).sum();
    tell(&format!(
        "hostile texts: {} in documents and questions, {sent} posts and edits, {links} cited \
         links, nobody called",
        rounds * EACH * 2
    ));
}
