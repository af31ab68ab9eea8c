//! What the app stands on in Slack, looked at without listening: its tokens, their scopes, and
//! whether links can be made.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use slack_morphism::prelude::SlackApiAppsConnectionOpenResponse;

use super::api::{Api, Call, Fault, Lines};
use super::rotation::{self, Rotation};
use super::{APP_TOKEN, REFRESH_TOKEN, SlackSettings, Way, apis, check, named, workspaces};
use crate::adapters::chat::finding::{Finding, found, listed};

/// What the bot's token must allow, as `deploy/slack-manifest.yaml` asks for it.
pub const SCOPES: [&str; 14] = [
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "mpim:history",
    "usergroups:read",
    "users:read",
];

/// Nobody waits longer for one line of a check.
const PATIENCE: Duration = Duration::from_secs(8);

/// Looks at everything, as far as the tokens open it.
pub async fn look(settings: &SlackSettings) -> Vec<Finding> {
    let lines = match Lines::new(&settings.api, settings.rates, settings.timeouts) {
        Ok(lines) => Arc::new(lines),
        Err(unfit) => return vec![found("slack settings", Err(unfit.to_string()))],
    };
    let apis = match apis(&lines, settings) {
        Ok(apis) => apis,
        Err(unfit) => return vec![found("slack token", Err(unfit.to_string()))],
    };
    let mut findings = Vec::new();
    for api in &apis {
        findings.extend(workspace(api).await);
    }
    if let Some(rotation) = &settings.rotation {
        findings.extend(rotating(&lines, rotation).await);
    }
    findings.push(way_in(&lines, settings).await);
    findings
}

async fn workspace(api: &Api) -> Vec<Finding> {
    let who = match workspaces::identity(api, PATIENCE).await {
        Ok(who) => who,
        Err(fault) => return vec![found("slack token", Err(fault.to_string()))],
    };
    let said = format!("it is that of {} in {}", who.user, who.team);
    vec![
        found("slack token", Ok(said)),
        found("slack scopes", scopes(api).await),
    ]
}

/// Tokens that end are only looked at: an exchange would take the token out of the hands of
/// whoever serves with it.
async fn rotating(lines: &Arc<Lines>, rotation: &Rotation) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, first) in rotation.refresh.iter().enumerate() {
        if let Err(unfit) = rotation::check(first) {
            findings.push(found("slack token", Err(unfit.to_string())));
            continue;
        }
        let Some(token) = rotation::kept(rotation, first) else {
            let said = "a refresh token is set; `saseo serve` exchanges it for the first token";
            findings.push(found("slack token", Ok(said.to_owned())));
            continue;
        };
        let name = named(REFRESH_TOKEN, (number, rotation.refresh.len()));
        let api = Api::new(Arc::clone(lines), &token, name);
        let looked = workspace(&api).await;
        let ended = api
            .is_turned_away()
            .is_some_and(|away| away.code == "token_expired");
        if ended {
            let said = "its last token has ended; `saseo serve` exchanges it for the next one";
            findings.push(found("slack token", Ok(said.to_owned())));
        } else {
            findings.extend(looked);
        }
    }
    findings
}

async fn scopes(api: &Api) -> Result<String, String> {
    let granted = api
        .scopes(PATIENCE)
        .await
        .map_err(|fault| fault.to_string())?;
    judged(&granted)
}

fn judged(granted: &[String]) -> Result<String, String> {
    let lacks = |scope: &&&str| granted.iter().all(|one| one != **scope);
    let missing: Vec<&str> = SCOPES.iter().filter(lacks).copied().collect();
    if missing.is_empty() {
        return Ok("all that it needs".to_owned());
    }
    Err(format!(
        "the bot lacks {}: compare the app's manifest with deploy/slack-manifest.yaml, and \
         install the app again",
        listed(&missing)
    ))
}

async fn way_in(lines: &Arc<Lines>, settings: &SlackSettings) -> Finding {
    let said = match &settings.way {
        Way::Socket { token } => match check(token, APP_TOKEN) {
            Ok(()) => opened(&Api::new(Arc::clone(lines), token, APP_TOKEN)).await,
            Err(unfit) => Err(unfit.to_string()),
        },
        Way::Http { at, .. } => Ok(format!("Slack's requests are awaited at http://{at}")),
    };
    found("slack socket", said)
}

async fn opened(app: &Api) -> Result<String, String> {
    let call = Call::write("apps.connections.open", &json!({})).patience(PATIENCE);
    match app.call::<SlackApiAppsConnectionOpenResponse>(call).await {
        Ok(_) => Ok("links can be made".to_owned()),
        Err(fault @ Fault::Refused { .. }) => Err(format!(
            "{fault}; switch on Socket Mode, and give the app-level token connections:write"
        )),
        Err(fault) => Err(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_is_missing_is_named() {
        let mut granted: Vec<String> = SCOPES.iter().map(ToString::to_string).collect();
        assert_eq!(judged(&granted).unwrap(), "all that it needs");
        granted.retain(|scope| scope != "files:read");
        let said = judged(&granted).unwrap_err();
        assert!(said.contains("lacks files:read:"), "{said}");
    }

    #[test]
    fn the_manifest_asks_for_what_is_checked_and_no_more() {
        let manifest = include_str!("../../../deploy/slack-manifest.yaml");
        let (_, bot) = manifest.split_once("    bot:\n").unwrap();
        let asked: Vec<&str> = bot
            .lines()
            .map_while(|line| line.strip_prefix("      - "))
            .collect();
        assert_eq!(asked, SCOPES);
    }
}
