//! Who may do what where, computed as Discord's guide to permissions says.

use super::clock::Id;
use super::world::{Channel, ChannelKind, Guild, Overwrite, World};

pub(crate) const ADMINISTRATOR: u64 = 1 << 3;
pub(crate) const ADD_REACTIONS: u64 = 1 << 6;
pub(crate) const VIEW_CHANNEL: u64 = 1 << 10;
pub(crate) const SEND_MESSAGES: u64 = 1 << 11;
pub(crate) const MANAGE_MESSAGES: u64 = 1 << 13;
pub(crate) const EMBED_LINKS: u64 = 1 << 14;
pub(crate) const ATTACH_FILES: u64 = 1 << 15;
pub(crate) const READ_MESSAGE_HISTORY: u64 = 1 << 16;
pub(crate) const MENTION_EVERYONE: u64 = 1 << 17;
pub(crate) const USE_APPLICATION_COMMANDS: u64 = 1 << 31;
pub(crate) const MANAGE_THREADS: u64 = 1 << 34;
pub(crate) const CREATE_PUBLIC_THREADS: u64 = 1 << 35;
pub(crate) const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;

/// What everyone may do in a new guild, as far as the fake knows it.
pub(crate) const ORDINARY: u64 = ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | SEND_MESSAGES_IN_THREADS;

const ALL: u64 = (1 << 53) - 1;

/// What `user` may do in `channel`; nothing if they cannot see it.
pub(crate) fn within(world: &World, user: Id, channel: &Channel) -> u64 {
    let Some(guild) = channel.guild else {
        return if channel.recipients.contains(&user) {
            ORDINARY
        } else {
            0
        };
    };
    let guild = &world.guilds[&guild];
    if !guild.members.contains_key(&user) {
        return 0;
    }
    let base = across(guild, user);
    if base & ADMINISTRATOR != 0 {
        return ALL;
    }
    // A thread has no overwrites of its own.
    let ruled = match &channel.thread {
        Some(thread) => &world.channels[&thread.parent],
        None => channel,
    };
    let may = overwritten(base, guild, user, &ruled.overwrites);
    if may & VIEW_CHANNEL == 0 {
        return 0;
    }
    let private = matches!(channel.kind, ChannelKind::PrivateThread);
    let invited = channel
        .thread
        .as_ref()
        .is_some_and(|thread| thread.members.contains(&user));
    if private && !invited && may & MANAGE_THREADS == 0 {
        return 0;
    }
    let writes = if channel.thread.is_some() {
        SEND_MESSAGES_IN_THREADS
    } else {
        SEND_MESSAGES
    };
    if may & writes == 0 {
        return may & !(MENTION_EVERYONE | ATTACH_FILES | EMBED_LINKS);
    }
    may
}

/// What `user` may do in `guild` before channels have their say.
pub(crate) fn across(guild: &Guild, user: Id) -> u64 {
    if guild.owner == user {
        return ALL;
    }
    let Some(member) = guild.members.get(&user) else {
        return 0;
    };
    let own = member
        .roles
        .iter()
        .map(|role| guild.roles[role].permissions);
    let base = own.fold(guild.roles[&guild.id].permissions, |all, more| all | more);
    if base & ADMINISTRATOR != 0 { ALL } else { base }
}

fn overwritten(base: u64, guild: &Guild, user: Id, overwrites: &[Overwrite]) -> u64 {
    let member = &guild.members[&user];
    let of = |id: Id| {
        overwrites
            .iter()
            .filter(move |overwrite| overwrite.of == id)
    };
    let apply = |may: u64, deny: u64, allow: u64| (may & !deny) | allow;
    let mut may = base;
    for overwrite in of(guild.id) {
        may = apply(may, overwrite.deny, overwrite.allow);
    }
    let roles = || member.roles.iter().flat_map(|role| of(*role));
    let deny = roles().fold(0, |all, overwrite| all | overwrite.deny);
    let allow = roles().fold(0, |all, overwrite| all | overwrite.allow);
    may = apply(may, deny, allow);
    for overwrite in of(user) {
        may = apply(may, overwrite.deny, overwrite.allow);
    }
    may
}
