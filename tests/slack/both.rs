//! Slack and Discord at once, with one library and one model.

use std::collections::BTreeSet;
use std::ops::Range;
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
use crate::support::slack::faults::{Cut, OPEN};
use crate::support::slack::people::Person as SlackPerson;
use crate::support::slack::places::{Channel as SlackChannel, Workspace};

use super::bot::settings;
use super::storms::size;
use super::talk::{ANSWER, QUESTION, team, town};

/// The number of the first question in Discord.
const THERE: usize = 1_000;

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
    fn order(&self, side: Range<usize>) -> Vec<usize> {
        let prompts = self.shift.town.script.prompts();
        let number = |prompt: &String| {
            let (_, rest) = prompt.rsplit_once(&format!("{QUESTION} ("))?;
            rest.split_once(')')?.0.parse().ok()
        };
        let numbers = prompts.iter().filter_map(number);
        numbers.filter(|number| side.contains(number)).collect()
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

    /// Asks on both sides, one after the other, and cuts first one and then the other; how often
    /// Slack had been asked for a link before Discord was cut.
    async fn ask(&self, many: usize) -> usize {
        let mut opened = 0;
        for number in 0..many {
            if number == many / 3 {
                assert_eq!(self.slack.cuts(Cut::Torn), 2);
            }
            if number == many / 2 {
                self.both_links().await;
                let session = (self.discord.identifies(), self.discord.resumes());
                assert_eq!(session, (1, 0), "Slack's cut has disturbed Discord");
                opened = self.slack.requests_to(OPEN).len();
                assert_eq!(self.discord.cuts(DiscordCut::Torn), 1);
            }
            let (mina, joon) = (&self.mina, &self.joon);
            mina.mentions_bot(&self.general, &format!("{QUESTION} ({number})"));
            joon.mentions_bot(&self.hall, &format!("{QUESTION} ({})", THERE + number));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        opened
    }

    async fn both_links(&self) {
        let slack = &self.slack;
        slack
            .until("two links", |world| {
                (world.links.ready() == 2).then_some(())
            })
            .await;
    }

    /// What saseo has said on each side, and below what.
    fn told(&self) -> [Vec<(String, String)>; 2] {
        let here = self.mina.sees(&self.general).into_iter();
        let there = self.joon.sees(&self.hall).into_iter();
        let here = here.filter(|one| one.by == "saseo");
        let there = there.filter(|one| one.by == "saseo");
        let here = here.map(|one| (one.reply_to.unwrap_or_default(), one.text));
        let there = there.map(|one| (one.reply_to.unwrap_or_default().to_string(), one.text));
        [here.collect(), there.collect()]
    }

    async fn all_answered(&self, many: usize) {
        for _ in 0..3_000 {
            let whole = |told: &Vec<(String, String)>| {
                let whole = told.iter().filter(|(_, text)| text.contains("receipt"));
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

    sides.both_links().await;
    let many = size(24, 200);
    let opened = sides.ask(many).await;
    sides.all_answered(many).await;
    served.shift.settled().await;
    for told in sides.told() {
        assert_eq!(told.len(), many);
        let below: BTreeSet<_> = told.iter().map(|(below, _)| below).collect();
        assert_eq!(below.len(), many, "not each question has its own answer");
        let whole = |(_, text): &(String, String)| text.contains("15 days of leave a year.");
        assert!(told.iter().all(whole), "{told:#?}");
    }
    let there = served.order(THERE..THERE + many);
    assert_eq!(there, (THERE..THERE + many).collect::<Vec<_>>());
    // What Slack had to send again comes when it comes.
    let deliveries = sides.slack.deliveries();
    let again = |number: &usize| {
        let words = format!("({number})");
        let mut again = deliveries.iter().filter(|one| one.again > 0);
        again.any(|one| one.payload.to_string().contains(&words))
    };
    let here = served.order(0..many);
    assert_eq!(here.iter().collect::<BTreeSet<_>>().len(), many);
    let here: Vec<_> = here.into_iter().filter(|number| !again(number)).collect();
    assert!(here.is_sorted() && here.len() > many / 2, "{here:?}");
    let now = sides.slack.requests_to(OPEN).len();
    assert_eq!(now, opened, "Discord's cut has disturbed Slack");
    assert!(sides.discord.resumes() + sides.discord.identifies() > 1);
}
