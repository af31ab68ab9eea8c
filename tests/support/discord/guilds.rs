//! Guilds, channels and roles, as a test makes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Town;
use super::clock::Id;
use super::events;
use super::people::Person;
use super::permissions::{ORDINARY, VIEW_CHANNEL};
use super::threads;
use super::world::{self, ChannelKind, Door, Member, Overwrite, ThreadState, User};

#[derive(Clone)]
pub(crate) struct Guild {
    pub(crate) town: Town,
    pub(crate) id: Id,
}

#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) town: Town,
    pub(crate) id: Id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) id: Id,
}

impl Guild {
    pub(crate) fn found(town: &Town, name: &str) -> Self {
        let owner = Person::born(town, "Owner").id;
        let mut world = town.world();
        let id = world.clock.snowflake();
        let everyone = world::Role {
            id,
            name: "@everyone".to_owned(),
            permissions: ORDINARY,
            mentionable: false,
        };
        let joined = world.clock.now();
        let member = || Member {
            roles: Vec::new(),
            joined,
        };
        let members = BTreeMap::from([(owner, member()), (world.bot, member())]);
        world.guilds.insert(
            id,
            world::Guild {
                id,
                name: name.to_owned(),
                owner,
                roles: BTreeMap::from([(id, everyone)]),
                members,
            },
        );
        events::guild_joined(&mut world, id);
        drop(world);
        town.changed();
        Self {
            town: Arc::clone(town),
            id,
        }
    }

    /// A channel that everyone sees.
    pub(crate) fn channel(&self, name: &str) -> Channel {
        self.made(name, Vec::new())
    }

    /// A channel that only those with `roles` see; the bot has none of them.
    pub(crate) fn private_channel(&self, name: &str, roles: &[Role]) -> Channel {
        let mut overwrites = vec![Overwrite {
            of: self.id,
            allow: 0,
            deny: VIEW_CHANNEL,
        }];
        overwrites.extend(roles.iter().map(|role| Overwrite {
            of: role.id,
            allow: VIEW_CHANNEL,
            deny: 0,
        }));
        self.made(name, overwrites)
    }

    fn made(&self, name: &str, overwrites: Vec<Overwrite>) -> Channel {
        let mut world = self.town.world();
        let id = world.clock.snowflake();
        world.channels.insert(
            id,
            world::Channel {
                id,
                kind: ChannelKind::Text,
                name: name.to_owned(),
                guild: Some(self.id),
                overwrites,
                recipients: Vec::new(),
                thread: None,
                messages: BTreeMap::new(),
            },
        );
        events::channel_created(&mut world, id);
        drop(world);
        Channel {
            town: Arc::clone(&self.town),
            id,
        }
    }

    /// A role with `permissions`; people can be called by it.
    pub(crate) fn role(&self, name: &str, permissions: u64) -> Role {
        let mut world = self.town.world();
        let id = world.clock.snowflake();
        let role = world::Role {
            id,
            name: name.to_owned(),
            permissions,
            mentionable: true,
        };
        let guild = world.guilds.get_mut(&self.id).unwrap();
        guild.roles.insert(id, role);
        events::role(&mut world, "GUILD_ROLE_CREATE", (self.id, id));
        Role { id }
    }

    /// A new person, who joins with `roles`.
    pub(crate) fn member(&self, name: &str, roles: &[Role]) -> Person {
        let person = Person::born(&self.town, name);
        self.joins(&person, roles);
        person
    }

    /// Somebody joins who is there already.
    pub(crate) fn joins(&self, person: &Person, roles: &[Role]) {
        let mut world = self.town.world();
        let joined = world.clock.now();
        let roles = roles.iter().map(|role| role.id).collect();
        let guild = world.guilds.get_mut(&self.id).unwrap();
        guild.members.insert(person.id, Member { roles, joined });
        events::member(&mut world, "GUILD_MEMBER_ADD", (self.id, person.id));
    }

    /// Gives the bot these roles and no others.
    pub(crate) fn bot_has(&self, roles: &[Role]) {
        let bot = self.town.world().bot;
        self.gives(bot, roles);
    }

    /// Gives somebody these roles and no others.
    pub(crate) fn member_has(&self, person: &Person, roles: &[Role]) {
        self.gives(person.id, roles);
    }

    fn gives(&self, user: Id, roles: &[Role]) {
        let mut world = self.town.world();
        let guild = world.guilds.get_mut(&self.id).unwrap();
        let member = guild.members.get_mut(&user).unwrap();
        member.roles = roles.iter().map(|role| role.id).collect();
        events::member(&mut world, "GUILD_MEMBER_UPDATE", (self.id, user));
    }

    /// Somebody leaves, or is sent away.
    pub(crate) fn loses(&self, person: &Person) {
        let mut world = self.town.world();
        let guild = world.guilds.get_mut(&self.id).unwrap();
        guild.members.remove(&person.id);
        events::member(&mut world, "GUILD_MEMBER_REMOVE", (self.id, person.id));
    }

    /// What everyone may do here, the bot too.
    pub(crate) fn everyone_may(&self, permissions: u64) {
        let mut world = self.town.world();
        let guild = world.guilds.get_mut(&self.id).unwrap();
        guild.roles.get_mut(&self.id).unwrap().permissions = permissions;
        events::role(&mut world, "GUILD_ROLE_UPDATE", (self.id, self.id));
    }

    /// The bot is sent away.
    pub(crate) fn kicks_the_bot(&self) {
        let mut world = self.town.world();
        let bot = world.bot;
        let guild = world.guilds.get_mut(&self.id).unwrap();
        guild.members.remove(&bot);
        events::guild_left(&mut world, self.id);
    }
}

impl Channel {
    /// What the bot may and may not do here.
    pub(crate) fn for_the_bot(&self, allow: u64, deny: u64) {
        let bot = self.town.world().bot;
        self.overwrite(bot, allow, deny);
    }

    /// What a role or a member may and may not do here.
    pub(crate) fn overwrite(&self, of: Id, allow: u64, deny: u64) {
        let mut world = self.town.world();
        let channel = world.channels.get_mut(&self.id).unwrap();
        channel.overwrites.retain(|overwrite| overwrite.of != of);
        channel.overwrites.push(Overwrite { of, allow, deny });
        events::channel_changed(&mut world, self.id);
    }

    /// A thread is archived, locked or opened.
    pub(crate) fn becomes(&self, state: ThreadState) {
        threads::set(&mut self.town.world(), self.id, state);
    }

    pub(crate) fn name(&self) -> String {
        self.town.world().channels[&self.id].name.clone()
    }
}

impl Person {
    /// Somebody who is nowhere yet.
    pub(crate) fn born(town: &Town, name: &str) -> Self {
        let mut world = town.world();
        let id = world.clock.snowflake();
        world.users.insert(
            id,
            User {
                id,
                name: name.to_owned(),
                bot: false,
                door: Door::Open,
            },
        );
        drop(world);
        Self {
            town: Arc::clone(town),
            id,
        }
    }
}
