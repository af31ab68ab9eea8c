//! The bot's application.

use serde_json::{Value, json};

use super::gateway::MESSAGE_CONTENT;
use super::objects;
use super::world::World;

/// An application that may read content in fewer than a hundred servers, by its flags.
const MESSAGE_CONTENT_LIMITED: u64 = 1 << 19;
const APPLICATION_COMMAND_BADGE: u64 = 1 << 23;

pub(crate) fn flags(world: &World) -> u64 {
    let content = if world.settings.privileged & MESSAGE_CONTENT == 0 {
        0
    } else {
        MESSAGE_CONTENT_LIMITED
    };
    content | APPLICATION_COMMAND_BADGE
}

pub(crate) fn own(world: &World) -> Value {
    let bot = &world.users[&world.bot];
    let owner = world.users.values().find(|user| !user.bot).unwrap_or(bot);
    let guilds = world
        .guilds
        .values()
        .filter(|guild| guild.members.contains_key(&world.bot))
        .count();
    json!({
        "id": world.bot.to_string(),
        "name": bot.name,
        "icon": null,
        "description": "",
        "type": null,
        "bot": objects::user(bot),
        "bot_public": false,
        "bot_require_code_grant": false,
        "verify_key": "0".repeat(64),
        "flags": flags(world),
        "flags_new": flags(world).to_string(),
        "owner": objects::user(owner),
        "team": null,
        "redirect_uris": [],
        "interactions_endpoint_url": null,
        "role_connections_verification_url": null,
        "event_webhooks_status": 1,
        "event_webhooks_types": [],
        "event_webhooks_url": null,
        "explicit_content_filter": 0,
        "approximate_guild_count": guilds,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "eligible_oauth2_scopes": [],
        "tags": [],
        "integration_types_config": { "0": {} },
    })
}
