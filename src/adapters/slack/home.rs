//! The app's own page in Slack: how the library stands, what changed lately, how to ask.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use slack_morphism::prelude::SlackUserFlags;

use super::api::{Call, Fault};
use super::dialect;
use super::workspaces::Workspace;
use crate::domain::language::Language;
use crate::ports::Intake;

/// What Slack says of somebody who looks at it.
#[derive(Debug, Deserialize)]
struct Looked {
    user: Guest,
}

#[derive(Debug, Deserialize)]
struct Guest {
    #[serde(default)]
    locale: Option<String>,
    #[serde(flatten)]
    flags: SlackUserFlags,
}

/// Puts up what `user` sees there, as it is now.
pub(super) async fn publish(
    workspace: &Workspace,
    intake: &dyn Intake,
    user: &str,
) -> Result<(), Fault> {
    /// Nobody looks at it for much longer.
    const PATIENCE: Duration = Duration::from_secs(30);
    /// The most that Slack takes.
    const MOST_BLOCKS: usize = 100;
    let form = vec![
        ("user", user.to_owned()),
        ("include_locale", "true".to_owned()),
    ];
    let asked = Call::read("users.info", form).patience(PATIENCE);
    let Looked { user: guest } = workspace.api.call(asked).await?;
    // People of other organisations are told nothing.
    if guest.flags.is_stranger == Some(true) {
        return Ok(());
    }
    let page = intake.overview(language(guest.locale.as_deref())).await;
    let mut blocks = dialect::blocks(&page);
    blocks.truncate(MOST_BLOCKS);
    let view = json!({ "type": "home", "blocks": blocks });
    let request = json!({ "user_id": user, "view": view });
    let call = Call::write("views.publish", &request).patience(PATIENCE);
    workspace.api.tell(call).await
}

/// The language in which somebody uses Slack, as far as we speak it.
fn language(locale: Option<&str>) -> Language {
    match locale {
        Some(locale) if locale.to_lowercase().starts_with("ko") => Language::Korean,
        Some(_) | None => Language::English,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_uses_slack_in_korean_is_told_in_korean() {
        for (locale, expected) in [
            (Some("ko-KR"), Language::Korean),
            (Some("en-US"), Language::English),
            (Some("fr-FR"), Language::English),
            (None, Language::English),
        ] {
            assert_eq!(language(locale), expected, "{locale:?}");
        }
    }
}
