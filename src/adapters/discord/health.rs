//! What the bot stands on in Discord, looked at without connecting: its token, what is set in
//! the developer portal, the servers it is in, the gateway, and its commands.

use std::time::Duration;

use serde::Deserialize;
use serenity::http::Route;
use serenity::model::Permissions;
use serenity::model::application::Command;
use serenity::model::id::ApplicationId;

use super::rest::{Call, Fault, Rest};
use super::{Budget, DiscordSettings, commands, registered};
use crate::adapters::chat::finding::{Finding, found, listed};
use crate::adapters::chat::http::Timeouts;
use crate::domain::figures::count;

/// Looks at everything, as far as the token opens it.
pub async fn look(settings: &DiscordSettings) -> Vec<Finding> {
    let rest = Rest::new(&settings.api, &settings.token, Timeouts::default());
    let rest = match rest {
        Ok(rest) => rest,
        Err(unfit) => return vec![found("discord token", Err(unfit.to_string()))],
    };
    match known(&rest).await {
        Ok((us, application)) => {
            let Application { id, name, .. } = &application;
            let us = &us.username;
            let token = format!("it is that of {us}, of the application {name} ({id})");
            let mut findings = vec![
                found("discord token", Ok(token)),
                found("discord portal", portal(&application)),
            ];
            findings.extend(beyond(&rest, *id, Answers::of(settings)).await);
            findings
        },
        Err(fault) => vec![found("discord token", Err(fault.to_string()))],
    }
}

/// What can be looked at once we know who we are.
async fn beyond(rest: &Rest, id: ApplicationId, answers: Answers) -> Vec<Finding> {
    let (servers, gateway, there) = tokio::join!(
        servers(rest),
        ask::<Gateway>(rest, Call::get(Route::GatewayBot)),
        registered(rest, id),
    );
    let words = |fault: Fault| fault.to_string();
    let mut findings = match servers {
        Ok(servers) => in_servers(&servers, &needed(answers), &invite(id, answers)),
        Err(fault) => vec![in_server(Err(words(fault)))],
    };
    let gateway = gateway.map_err(words);
    let gateway = gateway.and_then(|gateway| sessions(&gateway.session_start_limit));
    findings.push(found("discord gateway", gateway));
    let there = there.map(|there| commanded(&there)).map_err(words);
    findings.push(found("discord commands", there));
    findings
}

fn commanded(there: &[Command]) -> String {
    let wanted = commands::wanted();
    if commands::differ(there, &wanted) {
        return "not as they should be yet; `saseo serve` registers them when it starts".into();
    }
    format!("{} registered", count(wanted.len(), "command"))
}

/// Where an answer in a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Below the question.
    There,
    /// In a thread of its own.
    InThreads,
}

impl Answers {
    fn of(settings: &DiscordSettings) -> Self {
        if settings.answer_in_threads {
            Self::InThreads
        } else {
            Self::There
        }
    }
}

/// The address where whoever manages a server adds the bot to it, with the permissions that it
/// needs and no others.
pub fn invite(application: ApplicationId, answers: Answers) -> String {
    let permissions = needed(answers)
        .iter()
        .fold(Permissions::empty(), |all, (one, _)| all | *one);
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}\
         &scope=bot+applications.commands&permissions={}",
        permissions.bits()
    )
}

/// A permission, and what Discord's settings call it.
type Needed = (Permissions, &'static str);

fn needed(answers: Answers) -> Vec<Needed> {
    let mut needed = vec![
        (Permissions::VIEW_CHANNEL, "View Channels"),
        (Permissions::SEND_MESSAGES, "Send Messages"),
        (
            Permissions::SEND_MESSAGES_IN_THREADS,
            "Send Messages in Threads",
        ),
        (Permissions::READ_MESSAGE_HISTORY, "Read Message History"),
    ];
    if answers == Answers::InThreads {
        needed.push((Permissions::CREATE_PUBLIC_THREADS, "Create Public Threads"));
    }
    needed
}

#[derive(Debug, Deserialize)]
struct Us {
    username: String,
}

#[derive(Debug, Deserialize)]
struct Application {
    id: ApplicationId,
    name: String,
    #[serde(default)]
    flags: u64,
    #[serde(default)]
    interactions_endpoint_url: Option<String>,
    #[serde(default)]
    bot_require_code_grant: bool,
}

#[derive(Debug, Deserialize)]
struct Server {
    /// As Discord writes it, a number; the next page begins after it.
    id: String,
    name: String,
    permissions: Permissions,
}

#[derive(Debug, Deserialize)]
struct Gateway {
    session_start_limit: Sessions,
}

#[derive(Debug, Deserialize)]
struct Sessions {
    total: u64,
    #[serde(flatten)]
    budget: Budget,
}

/// Nobody waits longer for one line of a check.
async fn ask<T: serde::de::DeserializeOwned>(rest: &Rest, call: Call<'_>) -> Result<T, Fault> {
    rest.call(call.patience(Duration::from_secs(8))).await
}

async fn known(rest: &Rest) -> Result<(Us, Application), Fault> {
    let us = ask(rest, Call::get(Route::UserMe)).await?;
    let application = ask(rest, Call::get(Route::Oauth2ApplicationCurrent)).await?;
    Ok((us, application))
}

async fn servers(rest: &Rest) -> Result<Vec<Server>, Fault> {
    const PAGE: usize = 200;
    let mut servers: Vec<Server> = Vec::new();
    loop {
        let mut call = Call::get(Route::UserMeGuilds).param("limit", PAGE);
        if let Some(last) = servers.last() {
            call = call.param("after", &last.id);
        }
        let page: Vec<Server> = ask(rest, call).await?;
        let more = page.len() == PAGE;
        servers.extend(page);
        if !more {
            return Ok(servers);
        }
    }
}

/// What is set in the developer portal and bears on us.
fn portal(application: &Application) -> Result<String, String> {
    if application.interactions_endpoint_url.is_some() {
        return Err(
            "commands and buttons go to the Interactions Endpoint URL instead of here: empty \
             that field in the developer portal, under General Information"
                .to_owned(),
        );
    }
    if application.bot_require_code_grant {
        return Err(
            "the bot cannot be added to a server: switch off Requires OAuth2 Code Grant in the \
             developer portal, under Bot"
                .to_owned(),
        );
    }
    // Each intent is a bit for small bots and one for verified ones.
    let privileged = [
        (0b11 << 12, "Presence"),
        (0b11 << 14, "Server Members"),
        (0b11 << 18, "Message Content"),
    ];
    let on: Vec<_> = privileged
        .iter()
        .filter(|(bits, _)| application.flags & bits != 0)
        .map(|(_, name)| *name)
        .collect();
    Ok(if on.is_empty() {
        "no privileged intent is switched on, and none is needed".to_owned()
    } else {
        format!(
            "no privileged intent is needed; {} can be switched off",
            on.join(", ")
        )
    })
}

fn in_server(said: Result<String, String>) -> Finding {
    found("discord servers", said)
}

/// One finding for all servers where everything is there, and one for each where it is not.
fn in_servers(servers: &[Server], needed: &[Needed], invite: &str) -> Vec<Finding> {
    if servers.is_empty() {
        let nowhere = format!("the bot is in no server yet: add it with {invite}");
        return vec![in_server(Err(nowhere))];
    }
    let missing = |server: &Server| {
        let all = server.permissions.contains(Permissions::ADMINISTRATOR);
        let lacks = needed.iter().filter(|(one, _)| {
            let there = server.permissions.contains(*one);
            !all && !there
        });
        lacks.map(|(_, name)| *name).collect::<Vec<_>>()
    };
    let (whole, lacking): (Vec<_>, Vec<_>) = servers
        .iter()
        .map(|server| (server, missing(server)))
        .partition(|(_, missing)| missing.is_empty());
    let mut findings = Vec::new();
    if !whole.is_empty() {
        let names: Vec<_> = whole.iter().map(|(server, _)| &*server.name).collect();
        findings.push(in_server(Ok(format!(
            "in {} with the permissions it needs: {}; single channels may still withhold them",
            count(names.len(), "server"),
            listed(&names)
        ))));
    }
    findings.extend(lacking.into_iter().map(|(server, missing)| {
        in_server(Err(format!(
            "in {} the bot lacks {}: allow that to its role in the server's settings, or add it \
             again with {invite}",
            server.name,
            missing.join(", ")
        )))
    }));
    findings
}

/// How often a session may still be begun: at every start, and whenever a connection is lost
/// for good.
fn sessions(limit: &Sessions) -> Result<String, String> {
    let Sessions { total, budget } = limit;
    budget.spend().map_err(|deaf| deaf.to_string())?;
    let remaining = budget.remaining;
    Ok(format!(
        "it can be asked for; {remaining} of {total} session starts are left"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(flags: u64) -> Application {
        Application {
            id: ApplicationId::new(901),
            name: "Library".to_owned(),
            flags,
            interactions_endpoint_url: None,
            bot_require_code_grant: false,
        }
    }

    fn server(name: &str, permissions: Permissions) -> Server {
        Server {
            id: "1".to_owned(),
            name: name.to_owned(),
            permissions,
        }
    }

    /// The lines for the servers, without the link in them.
    fn lines(servers: &[Server]) -> Vec<(bool, String)> {
        let findings = in_servers(servers, &needed(Answers::There), "LINK");
        let line = |finding: Finding| match finding.said {
            Ok(said) => (true, said),
            Err(said) => (false, said),
        };
        findings.into_iter().map(line).collect()
    }

    #[test]
    fn the_pages_on_discord_give_the_links_that_are_given_here() {
        for page in [
            include_str!("../../../deploy/discord.md"),
            include_str!("../../../deploy/discord.ko.md"),
        ] {
            for threads in [Answers::There, Answers::InThreads] {
                let link = invite(ApplicationId::new(901), threads);
                let link = link.replace("901", "APPLICATION_ID");
                assert!(page.contains(&link), "{link}");
            }
        }
    }

    #[test]
    fn a_server_that_withholds_something_has_a_line_of_its_own() {
        let all = needed(Answers::There)
            .iter()
            .fold(Permissions::empty(), |all, (one, _)| all | *one);
        let lines = lines(&[
            server("Team", all),
            server("Kitchen", all - Permissions::SEND_MESSAGES),
            server("Office", Permissions::ADMINISTRATOR),
        ]);
        let (good, bad) = (&lines[0], &lines[1]);
        assert!(
            good.0 && good.1.starts_with("in 2 servers with"),
            "{good:?}"
        );
        assert!(good.1.contains(": Team, Office;"), "{good:?}");
        assert!(
            !bad.0 && bad.1.contains("in Kitchen the bot lacks Send Messages:"),
            "{bad:?}"
        );
        assert!(bad.1.contains("LINK"), "{bad:?}");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn the_portal_is_looked_at_for_what_keeps_people_from_being_heard() {
        let said = portal(&application(0)).unwrap();
        assert!(said.contains("none is needed"), "{said}");
        let said = portal(&application(1 << 19 | 1 << 23 | 1 << 14)).unwrap();
        assert!(
            said.contains("Server Members, Message Content can be"),
            "{said}"
        );
        let elsewhere = Application {
            interactions_endpoint_url: Some("https://example.com/".to_owned()),
            ..application(0)
        };
        assert!(portal(&elsewhere).unwrap_err().contains("empty that field"));
        let granted = Application {
            bot_require_code_grant: true,
            ..application(0)
        };
        assert!(portal(&granted).unwrap_err().contains("Code Grant"));
    }

    #[test]
    fn session_starts_that_run_out_are_told_before_they_are_gone() {
        let limit = |remaining| Sessions {
            total: 1_000,
            budget: Budget {
                remaining,
                reset_after: 90_000,
            },
        };
        assert!(sessions(&limit(300)).unwrap().contains("300 of 1000"));
        let refused = sessions(&limit(3)).unwrap_err();
        assert!(refused.contains("allows only 3 more"), "{refused}");
    }
}
