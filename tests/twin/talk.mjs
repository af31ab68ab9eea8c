// Runs saseo against a Discord that others wrote (npm discord-digital-twin, MIT): a mention, a
// command that is deferred and edited, a reply for one person alone, buttons, a follow-up. The
// twin does not say which application a bot is, so the commands are not registered there; it
// lets them be run all the same. `make twin`.

import net from 'node:net';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

// It would listen on every interface.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const options = typeof port === 'object' && port !== null ? { ...port, host: '127.0.0.1' } : port;
  if (typeof options === 'object' && options !== null) return listen.call(this, options, ...rest);
  return listen.call(this, options, '127.0.0.1', ...rest.filter((one) => typeof one === 'function'));
};

const { DigitalDiscord } = await import('discord-digital-twin');
const { SASEO, MODELS, MANUAL } = process.env;
const folder = mkdtempSync(path.join(tmpdir(), 'saseo-twin-'));
const common = ['--data', folder, '--models', MODELS];

const discord = new DigitalDiscord({
  guild: { name: 'team' },
  channels: [{ name: 'general', type: 0 }],
  users: [{ username: 'Mina' }],
});
await discord.start();
const channelId = (await discord.prisma.channel.findMany())[0].id;
const mina = await discord.getFirstNonBotUserId();
const channel = discord.channel(channelId);

console.log('adding the manual');
const added = spawnSync(SASEO, [...common, 'library', 'add', MANUAL], { encoding: 'utf8' });
if (added.status !== 0) throw new Error(added.stderr);

const saseo = spawn(SASEO, [...common, 'serve'], {
  env: {
    ...process.env,
    SASEO_DISCORD_TOKEN: discord.botToken,
    SASEO__DISCORD__API_URL: new URL(discord.restUrl).origin,
  },
  stdio: ['ignore', 'inherit', 'pipe'],
});
let told = '';
saseo.stderr.on('data', (line) => {
  told += line;
  process.stderr.write(line);
});

const until = async (what, look) => {
  for (let tries = 0; tries < 900; tries += 1) {
    const found = await look();
    if (found) return found;
    await new Promise((later) => setTimeout(later, 200));
  }
  const seen = (await channel.getMessages()).map((one) => one.content);
  throw new Error(`not seen: ${what}\n${seen.join('\n---\n')}`);
};
const final = (text) => async () => {
  const messages = await channel.getMessages();
  return messages.find((one) => one.author.id === discord.botUserId && one.content.includes(text) && one.content.includes('\n-# '));
};

let failed = 0;
const step = async (name, act) => {
  try {
    await act();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.message}`);
  }
};

await until('the bot listens', () => told.includes('listening'));
let answer;
await step('a mention is answered with its source', async () => {
  await channel.user(mina).sendMessage({ content: `<@${discord.botUserId}> Where is the data folder?` });
  answer = await until('an answer', final('Default folders'));
});
await step('a command is deferred, then edited', async () => {
  const interaction = await channel.user(mina).runSlashCommand({
    name: 'ask',
    options: [{ name: 'question', type: 3, value: 'What does exit code 2 mean?' }],
  });
  const ack = await channel.waitForInteractionAck({ interactionId: interaction.id });
  if (!ack.acknowledged) throw new Error('not acknowledged');
  await until('an answer', final('Exit codes'));
});
await step('a look at the library is acknowledged and answered', async () => {
  const interaction = await channel.user(mina).runSlashCommand({
    name: 'library',
    options: [{ name: 'list', type: 1, options: [] }],
  });
  await channel.waitForInteractionAck({ interactionId: interaction.id });
  await until('the list', async () => (await channel.getMessages()).find((one) => one.content.includes('settings')));
});
const said = (text) => async () => (await channel.getMessages()).find((one) => one.content.includes(text));
const press = async (message, label) => {
  const button = message.components[0].components.find((one) => one.label === label);
  const click = await channel.user(mina).clickButton({ messageId: message.id, customId: button.custom_id });
  await channel.waitForInteractionAck({ interactionId: click.id });
};
await step('a button shows the receipt', async () => {
  // The twin puts it in the place of the answer; Discord puts it beside it.
  await press(answer, 'Sources');
  await until('the receipt', said('Found in the library:\n-# '));
});
await step('a button that was pressed before gets a follow-up', async () => {
  const text = [{ name: 'text', type: 3, value: 'The canteen opens at noon.' }];
  const interaction = await channel.user(mina).runSlashCommand({
    name: 'library',
    options: [{ name: 'add', type: 1, options: text }],
  });
  await channel.waitForInteractionAck({ interactionId: interaction.id });
  const shown = await until('what would be added', said('Shall I add this'));
  await press(shown, 'Add');
  await until('that it was added', said('Added: '));
  await press(shown, 'Add');
  await until('a follow-up', said('settled before'));
});

saseo.kill('SIGTERM');
const code = await new Promise((ended) => saseo.on('exit', ended));
await step('it ends when asked to', async () => {
  if (code !== 0) throw new Error(`exit code ${code}`);
});
await discord.stop();
rmSync(folder, { recursive: true, force: true });
process.exit(failed === 0 ? 0 : 1);
