//! Several workspaces: what befalls one of them leaves the others alone.

use saseo::adapters::slack::Deaf;

use crate::support::script::Script;
use crate::support::slack::Slack;
use crate::support::slack::people::Person;
use crate::support::slack::places::{Channel, Workspace};

use super::bot::{Bot, settings};
use super::talk::{ANSWER, QUESTION, another, team, town, with};

/// Two workspaces, with a channel and a person in each.
struct Two {
    slack: Slack,
    library: Workspace,
    general: Channel,
    mina: Person,
    office: Workspace,
    hall: Channel,
    joon: Person,
}

impl Two {
    async fn new() -> Self {
        let (slack, library, general, mina) = team().await;
        let office = another(&slack, "Office");
        let hall = office.channel("hall");
        let joon = office.member("Joon");
        Self {
            slack,
            library,
            general,
            mina,
            office,
            hall,
            joon,
        }
    }

    async fn bot(&self) -> Bot {
        let settings = settings(&self.slack, &[&self.library, &self.office]);
        let bot = Bot::start_with(settings, town(Script::saying(ANSWER)).await).await;
        bot.open();
        bot
    }

    async fn office_is_answered(&self) {
        let said = self
            .joon
            .says(&self.hall, &format!("@saseo of Office {QUESTION}"));
        self.joon
            .wait_for(&self.hall, |seen| {
                let below = |one: &&_| of(one, &said.ts);
                let mut whole = seen.iter().filter(below);
                whole.any(|one| one.text.contains("receipt")).then_some(())
            })
            .await;
    }

    /// What is asked with the library's token.
    fn asked_there(&self) -> usize {
        let token = self.library.token();
        let requests = self.slack.requests();
        requests.iter().filter(|one| one.token == token).count()
    }
}

fn of(one: &crate::support::slack::seen::Seen, ts: &str) -> bool {
    one.reply_to.as_deref() == Some(ts)
}

fn given_up(bot: &Bot) -> Vec<String> {
    let mut told = bot.told();
    told.retain(|line| line.contains("given up"));
    told
}

#[tokio::test]
async fn a_workspace_whose_token_is_refused_at_the_start_leaves_the_others_alone() {
    for error in [
        "invalid_auth",
        "account_inactive",
        "token_revoked",
        "token_expired",
    ] {
        let two = Two::new().await;
        two.library.refuses_tokens(error);
        let bot = two.bot().await;
        two.slack.connected().await;
        two.mina.mentions_bot(&two.general, QUESTION);
        two.office_is_answered().await;
        bot.settled().await;
        let told = given_up(&bot);
        assert_eq!(told.len(), 1, "{told:?}");
        let name = format!("SASEO_SLACK_BOT_TOKEN, number 1 ({error})");
        assert!(told[0].contains(&name), "{told:?}");
        assert_eq!(two.asked_there(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_workspace_whose_token_is_revoked_is_given_up_and_the_last_one_ends_the_line() {
    let two = Two::new().await;
    let bot = two.bot().await;
    two.slack.connected().await;
    two.mina.mentions_bot(&two.general, QUESTION);
    two.mina.wait_for(&two.general, with("receipt")).await;
    two.office_is_answered().await;

    two.library.refuses_tokens("token_revoked");
    let before = two.asked_there();
    two.mina.mentions_bot(&two.general, QUESTION);
    two.slack
        .eventually("it is told", || (given_up(&bot).len() == 1).then_some(()))
        .await;
    two.mina.mentions_bot(&two.general, QUESTION);
    for _ in 0..3 {
        two.office_is_answered().await;
    }
    // What was asked there is closed, and nothing waits for it.
    bot.settled().await;
    let told = given_up(&bot);
    assert!(
        told[0].contains("the workspace Library is given up"),
        "{told:?}"
    );
    assert!(told[0].contains("number 1 (token_revoked)"), "{told:?}");
    let tries = two.asked_there() - before;
    assert!((1..=3).contains(&tries), "{tries} tries");
    assert!(two.slack.links() > 0);

    two.office.refuses_tokens("account_inactive");
    two.joon
        .says(&two.hall, &format!("@saseo of Office {QUESTION}"));
    let Err(Deaf::Refused(why)) = bot.ends().await else {
        panic!("it went on without a workspace");
    };
    for part in ["number 1 (token_revoked)", "number 2 (account_inactive)"] {
        assert!(why.contains(part), "{why}");
    }
}

#[tokio::test]
async fn where_no_workspace_lets_it_in_the_line_ends_at_once() {
    let two = Two::new().await;
    two.library.refuses_tokens("invalid_auth");
    two.office.refuses_tokens("team_disabled");
    let bot = two.bot().await;
    let Err(Deaf::Refused(why)) = bot.ends().await else {
        panic!("it was let in");
    };
    for part in ["number 1 (invalid_auth)", "number 2 (team_disabled)"] {
        assert!(why.contains(part), "{why}");
    }
    assert_eq!(two.slack.requests_to("auth.test").len(), 2);
}

#[tokio::test]
async fn an_app_token_that_is_refused_ends_the_line_for_all_workspaces() {
    let two = Two::new().await;
    two.slack.refuses_app_token("invalid_auth");
    let Err(Deaf::Refused(why)) = two.bot().await.ends().await else {
        panic!("it was let in");
    };
    assert!(
        why.contains("SASEO_SLACK_APP_TOKEN (invalid_auth)"),
        "{why}"
    );
    assert!(two.slack.requests_to("apps.connections.open").len() <= 3);
}

#[tokio::test]
async fn a_workspace_that_cannot_be_asked_about_yet_is_served_when_it_can() {
    use crate::support::slack::faults::{Fault, Harm, Often};
    let two = Two::new().await;
    two.slack.goes_wrong(
        "auth.test",
        Fault::Before(Harm::Status(503)),
        Often::Next(3),
    );
    let bot = two.bot().await;
    two.slack
        .eventually("it listens", || (two.slack.links() > 0).then_some(()))
        .await;
    two.mina.mentions_bot(&two.general, QUESTION);
    two.office_is_answered().await;
    two.mina.wait_for(&two.general, with("receipt")).await;
    bot.settled().await;
    assert_eq!(given_up(&bot), [""; 0]);
}
