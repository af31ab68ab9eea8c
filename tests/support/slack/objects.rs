//! Slack's objects as the API writes them.

use serde_json::{Value, json};

use super::clock::Id;
use super::world::{
    Channel, File, Kind, Message, Rank, Rule, StreamState, Subtype, Team, User, World,
};

/// Whether metadata is written with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    Shown,
    Left,
}

/// A message as a look-up gives it, with what `team` may see of its files.
pub(crate) fn message(
    world: &World,
    message: &Message,
    team: &str,
    metadata: Metadata,
) -> Value {
    let author = &world.users[&message.author];
    let mut object = json!({
        "type": "message",
        "ts": message.ts,
        "text": message.text,
        "team": author.team,
    });
    match message.subtype {
        Subtype::Plain => {},
        Subtype::FileShare => object["subtype"] = json!("file_share"),
        Subtype::Broadcast => object["subtype"] = json!("thread_broadcast"),
        Subtype::Tombstone => {
            let rest = json!({ "subtype": "tombstone", "hidden": true, "user": "USLACKBOT" });
            extend(&mut object, &rest);
            return object;
        },
    }
    object["user"] = json!(author.id);
    if author.rank == Rank::Bot {
        signed(world, author, &mut object);
    } else {
        object["client_msg_id"] = json!(client_id(&message.ts));
    }
    if !message.files.is_empty() {
        let files = message.files.iter();
        let files = files.map(|id| file(world, &world.files[id], team));
        object["files"] = files.collect();
        object["upload"] = json!(false);
    }
    more(world, message, &mut object);
    if let Some(given) = message
        .metadata
        .as_ref()
        .filter(|_| metadata == Metadata::Shown)
    {
        object["metadata"] = given.clone();
    }
    object
}

/// Adds the fields of `rest`.
fn extend(object: &mut Value, rest: &Value) {
    for (key, value) in rest.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
}

/// The id that a client gives to a message that it sends.
fn client_id(ts: &str) -> String {
    let digits: Vec<char> = ts.chars().filter(char::is_ascii_digit).collect();
    let last: String = digits.iter().rev().take(12).rev().collect();
    format!("00000000-0000-4000-a000-{last}")
}

fn signed(world: &World, author: &User, object: &mut Value) {
    let team = &world.teams[&author.team];
    if team.bot.user != author.id {
        // Another app's.
        object["subtype"] = json!("bot_message");
        object["bot_id"] = json!(author.id.replacen('U', "B", 1));
        object["username"] = json!(author.name);
        return;
    }
    object["bot_id"] = json!(team.bot.bot);
    object["app_id"] = json!(world.app.id);
    object["bot_profile"] = json!({
        "id": team.bot.bot,
        "app_id": world.app.id,
        "user_id": author.id,
        "name": author.name,
        "deleted": false,
        "updated": 1_700_000_000,
        "team_id": team.id,
    });
}

fn more(world: &World, message: &Message, object: &mut Value) {
    if !message.blocks.is_empty() {
        object["blocks"] = json!(message.blocks);
    }
    let channel = &world.channels[&message.channel];
    if let Some(at) = message.edited {
        let ts = format!("{}.000000", at.timestamp());
        object["edited"] = json!({ "user": message.author, "ts": ts });
    }
    if let Some(parent) = &message.thread {
        object["thread_ts"] = json!(parent);
        if let Some(parent) = channel.messages.get(parent) {
            object["parent_user_id"] = json!(parent.author);
        }
    }
    let replies: Vec<&Message> = channel.replies(&message.ts).collect();
    if let Some(last) = replies.last() {
        let mut users: Vec<&Id> = replies.iter().map(|one| &one.author).collect();
        users.sort();
        users.dedup();
        object["thread_ts"] = json!(message.ts);
        object["reply_count"] = json!(replies.len());
        object["reply_users_count"] = json!(users.len());
        object["reply_users"] = json!(users);
        object["latest_reply"] = json!(last.ts);
        object["is_locked"] = json!(channel.locked.contains(&message.ts));
        object["subscribed"] = json!(false);
    }
    if !message.reactions.is_empty() {
        let reactions = message
            .reactions
            .iter()
            .map(|(name, users)| json!({ "name": name, "users": users, "count": users.len() }));
        object["reactions"] = reactions.collect();
    }
    if message
        .stream
        .is_some_and(|stream| stream.state == StreamState::Open)
    {
        object["streaming_state"] = json!("in_progress");
    }
}

pub(crate) fn channel(world: &World, channel: &Channel, team: &str) -> Value {
    let kind = channel.kind;
    let created = channel.created.timestamp();
    let archived = channel.rules.contains(&Rule::Archived);
    let mut object = json!({
        "id": channel.id,
        "created": created,
        "is_archived": archived,
        "is_channel": matches!(kind, Kind::Public | Kind::Private),
        "is_group": false,
        "is_im": kind == Kind::Direct,
        "is_mpim": kind == Kind::Group,
        "is_private": kind != Kind::Public,
        "is_org_shared": false,
        "context_team_id": team,
        "updated": channel.created.timestamp_millis(),
    });
    let bot = &world.teams[team].bot.user;
    if kind == Kind::Direct {
        let other = channel.members.iter().find(|member| *member != bot);
        object["user"] = json!(other);
        object["is_open"] = json!(true);
        return object;
    }
    extend(&mut object, &named_channel(channel, bot));
    object
}

/// What is said of a channel that has a name.
fn named_channel(channel: &Channel, bot: &str) -> Value {
    let about = json!({ "value": "", "creator": "", "last_set": 0 });
    let shared = !channel.shared.is_empty();
    let teams: Vec<&Id> = std::iter::once(&channel.team)
        .chain(&channel.shared)
        .collect();
    json!({
        "name": channel.name,
        "name_normalized": channel.name,
        "creator": channel.members.first(),
        "is_general": channel.name == "general",
        "is_member": channel.members.contains(bot),
        "is_shared": shared,
        "is_ext_shared": shared,
        "is_pending_ext_shared": false,
        "shared_team_ids": teams,
        "connected_team_ids": channel.shared,
        "topic": about,
        "purpose": about,
    })
}

pub(crate) fn user(user: &User, seen_from: &Team) -> Value {
    let stranger = user.team != seen_from.id;
    let guest = matches!(user.rank, Rank::Guest | Rank::ChannelGuest);
    let mut object = json!({
        "id": user.id,
        "team_id": user.team,
        "name": user.name.to_lowercase(),
        "deleted": user.gone,
        "is_bot": user.rank == Rank::Bot,
        "is_app_user": false,
        "updated": 1_700_000_000,
        "profile": {
            "real_name": user.name,
            "display_name": user.name,
            "real_name_normalized": user.name,
            "display_name_normalized": user.name,
            "status_text": "",
            "status_emoji": "",
            "avatar_hash": "g0",
            "team": user.team,
        },
    });
    if user.gone {
        return object;
    }
    let active = json!({
        "real_name": user.name,
        "is_stranger": stranger,
        "is_restricted": guest,
        "is_ultra_restricted": user.rank == Rank::ChannelGuest,
        "tz": "Asia/Seoul",
        "tz_label": "Korea Standard Time",
        "tz_offset": 32_400,
    });
    extend(&mut object, &active);
    // Of strangers Slack tells less.
    if !stranger {
        object["is_admin"] = json!(user.rank == Rank::Admin);
        object["is_owner"] = json!(false);
        object["is_primary_owner"] = json!(false);
    }
    object
}

/// A file as `team` sees it: of another workspace's it is told that there is one.
pub(crate) fn file(world: &World, file: &File, team: &str) -> Value {
    if file.team == team {
        return whole_file(world, file);
    }
    json!({
        "id": file.id,
        "created": file.created.timestamp(),
        "timestamp": file.created.timestamp(),
        "user": file.owner,
        "mode": "file_access",
        "file_access": "check_file_info",
    })
}

pub(crate) fn whole_file(world: &World, file: &File) -> Value {
    let name = &file.name;
    let extension = name.rsplit('.').next().unwrap_or("");
    let place = |below: &[&str]| {
        let mut url = url::Url::parse(&world.settings.server).unwrap();
        let folder = format!("{}-{}", file.team, file.id);
        url.path_segments_mut()
            .unwrap()
            .extend(["files-pri", &*folder])
            .extend(below);
        url.to_string()
    };
    json!({
        "id": file.id,
        "created": file.created.timestamp(),
        "timestamp": file.created.timestamp(),
        "name": name,
        "title": name,
        "mimetype": file.mime,
        "filetype": extension,
        "pretty_type": extension.to_uppercase(),
        "user": file.owner,
        "user_team": file.team,
        "editable": false,
        "size": file.bytes.len(),
        "mode": "hosted",
        "is_external": false,
        "external_type": "",
        "is_public": true,
        "public_url_shared": false,
        "display_as_bot": false,
        "username": "",
        "url_private": place(&[&**name]),
        "url_private_download": place(&["download", &**name]),
        "permalink": format!("{}/files/{}/{}", world.settings.server, file.owner, file.id),
        "file_access": "visible",
    })
}
