//! Who is who: the caller, people, bots, groups.

use serde_json::{Value, json};

use super::methods::Call;
use super::objects;
use super::refusal::{Refusal, refuse};
use super::world::World;

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands in the table of methods"
)]
pub(crate) fn auth_test(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let Some(team) = world.teams.get(&call.team) else {
        // The app-level token is nobody's.
        let app = &world.app;
        return Ok(json!({ "app_name": "saseo", "app_id": app.id }));
    };
    let bot = &world.users[&team.bot.user];
    Ok(json!({
        "url": format!("https://{}.slack.com/", team.domain),
        "team": team.name,
        "user": bot.name.to_lowercase(),
        "team_id": team.id,
        "user_id": bot.id,
        "bot_id": team.bot.bot,
        "enterprise_id": team.enterprise,
        "is_enterprise_install": false,
    }))
}

pub(crate) fn users_info(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let named = call.arguments.needed("user")?;
    let user = world
        .users
        .get(named)
        .ok_or_else(|| Refusal::new("user_not_found"))?;
    // Of another workspace's people it knows those with whom it shares a channel.
    let near = user.team == call.team
        || world.channels.values().any(|channel| {
            let ours = channel.team == call.team || channel.shared.contains(&call.team);
            ours && channel.members.contains(named)
        });
    if !near {
        return refuse("user_not_visible");
    }
    let mut object = objects::user(user, &world.teams[&call.team]);
    if call.arguments.flag("include_locale") == Some(true) {
        object["locale"] = json!(user.locale);
    }
    Ok(json!({ "user": object }))
}

pub(crate) fn bots_info(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let team = &world.teams[&call.team];
    let named = call.arguments.text("bot").unwrap_or(&team.bot.bot);
    let teams = world.teams.values();
    let found = teams.into_iter().find(|team| team.bot.bot == named);
    let found = found.ok_or_else(|| Refusal::new("bot_not_found"))?;
    Ok(json!({
        "bot": {
            "id": found.bot.bot,
            "deleted": false,
            "name": world.users[&found.bot.user].name,
            "updated": 1_700_000_000,
            "app_id": world.app.id,
            "user_id": found.bot.user,
        },
    }))
}

pub(crate) fn group(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let named = call.arguments.needed("usergroup")?;
    let group = world
        .groups
        .get(named)
        .filter(|group| group.team == call.team);
    let group = group.ok_or_else(|| Refusal::new("no_such_subteam"))?;
    Ok(json!({ "users": group.users }))
}
