//! Slack and Discord at once, with one library and one model.

use std::time::Duration;

use saseo::adapters::discord::{Discord as DiscordLine, DiscordSettings, Pulse};
use saseo::adapters::slack::tiers::Rates;
use saseo::adapters::slack::{Slack as SlackLine, SlackSettings};
use saseo::app::reception::ReceptionRules;
use saseo::domain::event::Platform;
use tokio::task::JoinSet;

use crate::support::bot::{Before, Shift, rules};
use crate::support::discord::Discord;
use crate::support::discord::faults::Cut as DiscordCut;
use crate::support::discord::guilds::Channel as DiscordChannel;
use crate::support::discord::people::Person as DiscordPerson;
use crate::support::script::Script;
use crate::support::slack::Slack;
use crate::support::slack::faults::Cut;
use crate::support::slack::people::Person as SlackPerson;
use crate::support::slack::places::{Channel as SlackChannel, Workspace};

use super::bot::settings;
use super::storms::size;
use super::talk::{ANSWER, QUESTION, team, town};

/// Everything that serves both; it ends when dropped.
struct Served {
    shift: Shift,
    _listening: JoinSet<()>,
}

async fn serve(slack: SlackSettings, discord: &Discord) -> Served {
    let before = Before::with(town(Script::saying(ANSWER)).await);
    let slack = SlackLine::new(slack, before.inbox(), before.clock()).unwrap();
    let discord = DiscordSettings {
        api: discord.api(),
        token: discord.token().into(),
        answer_in_threads: false,
        pulse: Pulse::default(),
    };
    let discord = DiscordLine::new(discord, before.inbox(), before.clock()).unwrap();
    let messengers = [
        (Platform::Slack, slack.messenger()),
        (Platform::Discord, discord.messenger()),
    ];
    let rules = ReceptionRules {
        queue: 1_000,
        ..rules()
    };
    let shift = before.begins(messengers.into(), rules).await;
    shift.open();
    let mut listening = JoinSet::new();
    let (intake, closing) = (shift.intake(), shift.closing());
    listening.spawn(async move { drop(slack.listen(intake, closing, &|_: &str| {}).await) });
    let (intake, closing) = (shift.intake(), shift.closing());
    listening.spawn(async move { drop(discord.listen(intake, closing, &|_: &str| {}).await) });
    Served {
        shift,
        _listening: listening,
    }
}

impl Served {
    /// The numbers of the questions of one side, in the order in which the model read them.
    fn order(&self, side: &str) -> Vec<usize> {
        let prompts = self.shift.town.script.prompts();
        let number = |prompt: &String| {
            let (_, rest) = prompt.rsplit_once(side)?;
            rest.split_whitespace()
                .next()?
                .trim_matches(')')
                .parse()
                .ok()
        };
        prompts.iter().filter_map(number).collect()
    }
}

/// People who ask on both sides, and how the two towns are read.
struct Sides {
    slack: Slack,
    discord: Discord,
    mina: SlackPerson,
    joon: DiscordPerson,
    general: SlackChannel,
    hall: DiscordChannel,
}

impl Sides {
    async fn new() -> (Self, Workspace) {
        let (slack, workspace, general, mina) = team().await;
        let discord = Discord::start().await;
        let guild = discord.guild("team");
        let hall = guild.channel("hall");
        let joon = guild.member("Joon", &[]);
        slack.unlimited();
        discord.unlimited();
        let sides = Self {
            slack,
            discord,
            mina,
            joon,
            general,
            hall,
        };
        (sides, workspace)
    }

    /// Asks on both sides, one after the other, and cuts first one and then the other.
    async fn ask(&self, many: usize) {
        for number in 0..many {
            if number == many / 3 {
                self.slack.cuts(Cut::Torn);
            }
            if number == many / 2 {
                self.discord.cuts(DiscordCut::Torn);
            }
            let (mina, joon) = (&self.mina, &self.joon);
            mina.mentions_bot(&self.general, &format!("{QUESTION} (slack {number})"));
            joon.mentions_bot(&self.hall, &format!("{QUESTION} (discord {number})"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What saseo has said on each side.
    fn told(&self) -> [Vec<String>; 2] {
        let here = self.mina.sees(&self.general).into_iter();
        let there = self.joon.sees(&self.hall).into_iter();
        let here = here.filter(|one| one.by == "saseo").map(|one| one.text);
        let there = there.filter(|one| one.by == "saseo").map(|one| one.text);
        [here.collect(), there.collect()]
    }

    async fn all_answered(&self, many: usize) {
        for _ in 0..3_000 {
            let whole = |texts: &Vec<String>| {
                let whole = texts.iter().filter(|text| text.contains("receipt"));
                whole.count() == many
            };
            if self.told().iter().all(whole) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn both_are_answered_once_and_in_order_and_a_cut_of_one_leaves_the_other_alone() {
    let (sides, workspace) = Sides::new().await;
    let mut settings = settings(&sides.slack, &[&workspace]);
    settings.rates = Rates::OnlyAsTold;
    let served = serve(settings, &sides.discord).await;
    sides.slack.connected().await;
    sides.discord.connected().await;

    let many = size(24, 200);
    sides.ask(many).await;
    sides.all_answered(many).await;
    served.shift.settled().await;
    for texts in sides.told() {
        assert_eq!(texts.len(), many);
        assert!(
            texts.iter().all(|text| text.contains("receipt")),
            "{texts:#?}"
        );
    }
    for side in ["(slack ", "(discord "] {
        let order = served.order(side);
        assert!(order.is_sorted(), "{side}: {order:?}");
    }
}
