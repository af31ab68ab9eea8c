//! The fake Discord, held against a real client: a small bot of serenity's that does what it is
//! told in the channel.

use serenity::all::{
    ButtonStyle, Client, ClientBuilder, Context, CreateActionRow, CreateAllowedMentions,
    CreateButton, CreateMessage, EditMessage, EventHandler, GatewayIntents, HttpBuilder,
    Message,
};
use serenity::async_trait;
use tokio::task::JoinSet;

use crate::support::discord::Discord;
use crate::support::discord::seen::{Seen, Shown};

/// Does what it hears: says the text again and then edits it.
struct Parrot;

#[async_trait]
impl EventHandler for Parrot {
    async fn message(&self, context: Context, message: Message) {
        if message.author.bot || message.content.is_empty() {
            return;
        }
        let said = message
            .content
            .rsplit_once('>')
            .map_or(&*message.content, |(_, said)| said);
        let reply = CreateMessage::new()
            .content("thinking")
            .reference_message(&message)
            .allowed_mentions(CreateAllowedMentions::new());
        let mut posted = message
            .channel_id
            .send_message(&context.http, reply)
            .await
            .unwrap();
        let button = CreateButton::new("more")
            .label("More")
            .style(ButtonStyle::Primary);
        let edit = EditMessage::new()
            .content(format!("you said:{said}"))
            .components(vec![CreateActionRow::Buttons(vec![button])])
            .allowed_mentions(CreateAllowedMentions::new());
        posted.edit(&context.http, edit).await.unwrap();
    }
}

/// The bot, running; it stops when dropped.
struct Bot {
    _running: JoinSet<Result<(), serenity::Error>>,
}

impl Bot {
    async fn starts(town: &Discord, intents: GatewayIntents) -> Self {
        let http = HttpBuilder::new(town.token())
            .proxy(town.api())
            .ratelimiter_disabled(true)
            .build();
        let mut client: Client = ClientBuilder::new_with_http(http, intents)
            .event_handler(Parrot)
            .await
            .unwrap();
        let mut running = JoinSet::new();
        running.spawn(async move { client.start().await });
        Self { _running: running }
    }
}

fn intents() -> GatewayIntents {
    GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES
}

fn edited(seen: &[Seen]) -> Option<Seen> {
    seen.iter().find(|one| one.shown == Shown::Edited).cloned()
}

#[tokio::test]
async fn a_mention_is_answered_and_the_answer_edited() {
    let town = Discord::start().await;
    let guild = town.guild("saseo");
    let general = guild.channel("general");
    let mina = guild.member("Mina", &[]);
    let _bot = Bot::starts(&town, intents()).await;
    town.connected().await;

    let said = mina.mentions_bot(&general, "how many days?");

    let answer = mina.wait_for(&general, edited).await;
    assert_eq!(answer.text, "you said: how many days?");
    assert_eq!(answer.reply_to, Some(said.id));
    assert_eq!(town.posts_in(&general).len(), 1);
    assert_eq!(town.edits_of(&answer).len(), 1);
    assert!(town.pings().is_empty());
}
