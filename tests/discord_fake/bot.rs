//! A small bot on serenity. It repeats what it hears, answers `/ask` after thinking about it,
//! and keeps what happened to it.

use std::sync::{Arc, Mutex};

use serenity::all::{
    ActionRowComponent, ButtonStyle, Client, ClientBuilder, Command, CommandInteraction,
    CommandOptionType, CommandType, ComponentInteraction, Context, CreateActionRow,
    CreateAllowedMentions, CreateAutocompleteResponse, CreateButton, CreateCommand,
    CreateCommandOption, CreateInputText, CreateInteractionResponse,
    CreateInteractionResponseFollowup, CreateInteractionResponseMessage, CreateMessage,
    CreateModal, EditInteractionResponse, EditMessage, EventHandler, GatewayIntents, Guild,
    HttpBuilder, InputTextStyle, Interaction, Message, ModalInteraction, Ready, ResumedEvent,
};
use serenity::async_trait;
use tokio::task::JoinSet;

use crate::support::discord::Discord;

/// What happened to the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    Ready,
    Resumed,
    /// A guild came, by its name.
    Arrived(String),
    Heard(String),
    Ended(String),
}

type Diary = Arc<Mutex<Vec<Happened>>>;

/// The bot, running; it stops when dropped.
pub(super) struct Bot {
    diary: Diary,
    _running: JoinSet<()>,
}

pub(super) fn intents() -> GatewayIntents {
    GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES
}

impl Bot {
    pub(super) async fn starts(town: &Discord) -> Self {
        Self::starts_with(town, &town.token(), intents()).await
    }

    pub(super) async fn starts_with(
        town: &Discord,
        token: &str,
        intents: GatewayIntents,
    ) -> Self {
        let http = HttpBuilder::new(token)
            .proxy(town.api())
            .ratelimiter_disabled(true)
            .build();
        let diary = Diary::default();
        let parrot = Parrot {
            diary: Arc::clone(&diary),
        };
        let mut client: Client = ClientBuilder::new_with_http(http, intents)
            .event_handler(parrot)
            .await
            .unwrap();
        let mut running = JoinSet::new();
        let pages = Arc::clone(&diary);
        running.spawn(async move {
            let end = match client.start().await {
                Ok(()) => "stopped".to_owned(),
                Err(error) => error.to_string(),
            };
            pages.lock().unwrap().push(Happened::Ended(end));
        });
        Self {
            diary,
            _running: running,
        }
    }

    pub(super) fn diary(&self) -> Vec<Happened> {
        self.diary.lock().unwrap().clone()
    }

    /// How often this happened.
    pub(super) fn count(&self, what: &Happened) -> usize {
        self.diary().iter().filter(|one| *one == what).count()
    }

    pub(super) fn heard(&self) -> Vec<String> {
        let diary = self.diary();
        let heard = diary.into_iter().filter_map(|one| match one {
            Happened::Heard(text) => Some(text),
            Happened::Ready | Happened::Resumed | Happened::Arrived(_) | Happened::Ended(_) => {
                None
            },
        });
        heard.collect()
    }
}

struct Parrot {
    diary: Diary,
}

impl Parrot {
    fn notes(&self, what: Happened) {
        self.diary.lock().unwrap().push(what);
    }
}

#[async_trait]
impl EventHandler for Parrot {
    async fn ready(&self, context: Context, _: Ready) {
        Command::set_global_commands(&context.http, commands())
            .await
            .unwrap();
        self.notes(Happened::Ready);
    }

    async fn resume(&self, _: Context, _: ResumedEvent) {
        self.notes(Happened::Resumed);
    }

    async fn guild_create(&self, _: Context, guild: Guild, _: Option<bool>) {
        self.notes(Happened::Arrived(guild.name));
    }

    async fn message(&self, context: Context, message: Message) {
        if message.author.bot {
            return;
        }
        self.notes(Happened::Heard(message.content.clone()));
        if message.content.contains("repeat") {
            repeats(&context, &message).await;
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "serenity adds interactions with its releases"
    )]
    async fn interaction_create(&self, context: Context, interaction: Interaction) {
        match interaction {
            Interaction::Command(command) => answers(&context, &command).await,
            Interaction::Autocomplete(typed) => completes(&context, &typed).await,
            Interaction::Component(pressed) => changes(&context, &pressed).await,
            Interaction::Modal(sent) => thanks(&context, &sent).await,
            _ => {},
        }
    }
}

fn commands() -> Vec<CreateCommand> {
    let question = CreateCommandOption::new(CommandOptionType::String, "question", "what")
        .required(true)
        .set_autocomplete(true);
    let file = CreateCommandOption::new(CommandOptionType::Attachment, "file", "a file");
    let list = CreateCommandOption::new(CommandOptionType::SubCommand, "list", "all of it");
    vec![
        CreateCommand::new("ask")
            .description("asks")
            .add_option(question)
            .add_option(file),
        CreateCommand::new("library")
            .description("the library")
            .add_option(list),
        CreateCommand::new("quiet").description("says nothing"),
        CreateCommand::new("form").description("has a form"),
        CreateCommand::new("Ask about this").kind(CommandType::Message),
    ]
}

fn nobody() -> CreateAllowedMentions {
    CreateAllowedMentions::new()
}

async fn repeats(context: &Context, message: &Message) {
    let said = message.content.rsplit_once('>');
    let said = said.map_or(&*message.content, |(_, said)| said);
    let reply = CreateMessage::new()
        .content("thinking")
        .reference_message(message)
        .allowed_mentions(nobody());
    let posted = message.channel_id.send_message(&context.http, reply).await;
    let button = CreateButton::new("more")
        .label("More")
        .style(ButtonStyle::Primary);
    let edit = EditMessage::new()
        .content(format!("you said:{said}"))
        .components(vec![CreateActionRow::Buttons(vec![button])])
        .allowed_mentions(nobody());
    // A test may have taken the channel away.
    if let Ok(mut posted) = posted {
        drop(posted.edit(&context.http, edit).await);
    }
}

async fn answers(context: &Context, command: &CommandInteraction) {
    let private = CreateInteractionResponseMessage::new().ephemeral(true);
    let http = &context.http;
    match &*command.data.name {
        "ask" => {
            let defer =
                CreateInteractionResponse::Defer(CreateInteractionResponseMessage::new());
            command.create_response(http, defer).await.unwrap();
            let edit = EditInteractionResponse::new().content(told(command));
            command.edit_response(http, edit).await.unwrap();
            let more = CreateInteractionResponseFollowup::new()
                .content("and more")
                .ephemeral(true);
            command.create_followup(http, more).await.unwrap();
        },
        "library" => {
            let list = CreateInteractionResponse::Message(private.content("nothing yet"));
            command.create_response(http, list).await.unwrap();
        },
        "form" => {
            let text = CreateInputText::new(InputTextStyle::Short, "Name", "name");
            let modal = CreateModal::new("sign", "Sign here")
                .components(vec![CreateActionRow::InputText(text)]);
            let modal = CreateInteractionResponse::Modal(modal);
            command.create_response(http, modal).await.unwrap();
        },
        "Ask about this" => {
            let target = command.data.resolved.messages.values().next();
            let text = target.map_or("nothing", |message| &message.content);
            let answer = CreateInteractionResponse::Message(private.content(text));
            command.create_response(http, answer).await.unwrap();
        },
        _ => {},
    }
}

/// What the bot was asked, and how large the file is that came with it.
fn told(command: &CommandInteraction) -> String {
    let question = command
        .data
        .options
        .iter()
        .find(|option| option.name == "question");
    let question = question
        .and_then(|option| option.value.as_str())
        .unwrap_or("?");
    let files: Vec<String> = command
        .data
        .resolved
        .attachments
        .values()
        .map(|file| format!(" {} {}", file.filename, file.size))
        .collect();
    format!("about {question}{}", files.concat())
}

async fn completes(context: &Context, typed: &CommandInteraction) {
    let focused = typed.data.autocomplete().unwrap();
    let offer = format!("{}…", focused.value);
    let choices = CreateAutocompleteResponse::new().add_string_choice(offer.clone(), offer);
    let response = CreateInteractionResponse::Autocomplete(choices);
    typed
        .create_response(&context.http, response)
        .await
        .unwrap();
}

async fn changes(context: &Context, pressed: &ComponentInteraction) {
    let changed = CreateInteractionResponseMessage::new()
        .content(format!(
            "{} pressed {}",
            pressed.user.name, pressed.data.custom_id
        ))
        .components(Vec::new());
    let response = CreateInteractionResponse::UpdateMessage(changed);
    pressed
        .create_response(&context.http, response)
        .await
        .unwrap();
}

async fn thanks(context: &Context, sent: &ModalInteraction) {
    let mut parts = sent.data.components.iter().flat_map(|row| &row.components);
    let name = parts.find_map(|part| {
        let ActionRowComponent::InputText(text) = part else {
            return None;
        };
        text.value.clone()
    });
    let text = format!("thank you, {}", name.unwrap_or_default());
    let message = CreateInteractionResponseMessage::new().content(text);
    let response = CreateInteractionResponse::Message(message);
    sent.create_response(&context.http, response).await.unwrap();
}
