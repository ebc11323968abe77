// Makes the pictures of the README anew, from the page as it is: `node tests/browser/pictures.mjs` once the binary is built,
// on a machine with the fonts of Debian's `fonts-liberation`.

import { writeFileSync } from 'node:fs';
import { Person, Server, launchBrowser } from './harness.mjs';
import { newOp } from '../../src/web/client.js';

const FOLDER = new URL('../../src/web/pictures/', import.meta.url).pathname;
const DESKTOP = { viewport: { width: 1280, height: 860 }, colorScheme: 'light' };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, colorScheme: 'dark', hasTouch: true };
/** Of WebP, 0 to 1: text stays sharp, and a file is a fifth of the same as PNG. */
const QUALITY = 0.85;

const server = await Server.start();
const origin = `http://127.0.0.1:${server.port}`;
const browser = await launchBrowser();
try {
  await preview();
  await draw();
} finally {
  await browser.close();
  await server.close();
}

/** What stands beside a link to a post where another platform shows one: 1.91 to 1, as PNG, which all of them read. */
async function preview() {
  const page = await browser.newPage({ viewport: { width: 1200, height: 630 } });
  const style = "margin:0;height:630px;display:flex;align-items:center;justify-content:center;gap:12px;background:#0b6b5a;color:#fff;font:600 80px 'Liberation Sans'";
  const rings = '<path d="M17.6 10.2a6.6 6.6 0 1 0 0 11.6" stroke="#fff"/><path d="M14.4 21.8a6.6 6.6 0 1 0 0-11.6" stroke="#ffb28f"/>';
  await page.setContent(`<body style="${style}"><svg width="360" height="360" viewBox="4 4 24 24" fill="none" stroke-width="3.4" stroke-linecap="round">${rings}</svg>CommuniConnect`);
  await page.screenshot({ path: `${FOLDER}../preview.png` });
  await page.close();
}

async function draw() {
  const [maya, ines, jonas, ada, bob] = [await member('Maya Okafor'), await member('Inès Laurent'), await member('Jonas Lindqvist'), await member('Ada Moreau'), await member('Bob Achebe')];
  const riverside = await place(maya, 'Riverside');
  const garden = await place(maya, 'Shared garden', riverside);
  for (const [name, parent] of [['Bee corner', garden], ['Compost crew', garden], ['Repair café', riverside], ['Book circle'], ['Morning runners']]) await place(maya, name, parent);
  for (const one of [ines, jonas, ada, bob]) await run(one, 'community.join', { community_id: garden });
  const post = (who, kind, title, content) => run(who, 'post.create', { op: newOp(), community_id: garden, kind, title, content, visibility: 'public' }).then((reply) => reply.post.id);
  const love = (who, post_id, kind) => run(who, 'reaction.set', { post_id, kind });

  await post(jonas, 'help', 'Who has a ladder?', 'Three metres would do. The cherries do not wait.');
  const swap = await post(maya, 'event', 'Seed swap this Saturday', 'Bring what you have too much of, take what you are curious about. We start at ten by the old pump; the kettle is on from half past nine.');
  const water = await post(ines, 'announcement', 'Water is off on Thursday', 'From 9:00 until noon. Fill your cans on Wednesday evening.');
  for (const [who, id, kind] of [[maya, water, 'sad'], [jonas, water, 'like'], [ada, water, 'like'], [maya, swap, 'like'], [ines, swap, 'like'], [bob, swap, 'like'], [ada, swap, 'love'], [jonas, swap, 'love']]) await love(who, id, kind);
  const bread = await post(ada, 'discussion', 'Who bakes the best rye bread?', 'I have tried four bakeries and I cannot decide.\n\nTell me yours, and why.');
  const first = await say(bob, bread, 'The corner one. Their starter is older than my house.');
  await say(ines, bread, 'Older than mine too, and mine is from 1890.', first);
  await say(jonas, swap, 'I have too many tomatoes. Again.');
  for (const [who, kind] of [[bob, 'love'], [ines, 'like'], [maya, 'like'], [jonas, 'wow']]) await love(who, bread, kind);

  const desk = await at(maya, DESKTOP, `#/c/${garden}`);
  await desk.at('post-card').nth(2).waitFor();
  await desk.page.locator('[data-testid=unread-badge]:not([hidden])').first().waitFor();
  await shot(desk, 'desktop-light');

  const phone = await at(bob, PHONE, `#/p/${bread}`);
  await phone.at('comment').nth(1).waitFor();
  await shot(phone, 'mobile-dark');

  const host = await at(ines, DESKTOP, `#/c/${garden}`);
  await host.at('community-title').waitFor();
  const live = await host.goLive(garden, 'The fish market, live from the quay');
  const viewers = [await at(jonas, DESKTOP, `#/l/${live}`), await at(bob, DESKTOP, `#/l/${live}`), await at(ada, PHONE, `#/l/${live}`)];
  for (const viewer of viewers) await viewer.seesMovement();
  for (const [who, content] of [[jonas, 'Good morning from Marseille!'], [bob, 'Is that a turbot on the left?'], [ines, 'It is, and it came in ten minutes ago'], [ada, 'Keep one for me, I am on my way'], [jonas, 'The light is wonderful today']]) {
    await run(who, 'chat.send', { op: newOp(), live_id: live, content });
  }
  await host.page.locator('[data-testid=cockpit-health][data-level=good]').waitFor();
  await host.page.locator('[data-testid=figure-join]').waitFor();
  await hearts(host, [jonas, bob, ada], live);
  await shot(host, 'live-cockpit');
  await hearts(viewers[2], [jonas, bob, ines], live);
  await shot(viewers[2], 'live-watch');
}

/** Lets some people react and waits until it floats over the picture. */
async function hearts(person, people, live_id) {
  await Promise.all(people.flatMap((who) => ['love', 'love', 'wow'].map((kind) => run(who, 'live.react', { live_id, kind }))));
  await person.page.locator('.player-float').locator(':scope > *').nth(3).waitFor({ state: 'attached' });
  await person.page.waitForTimeout(500); // on their way up
}

async function member(name) {
  const username = name.split(' ')[0].normalize('NFD').replace(/\W/g, '').toLowerCase();
  return call('/v1/auth/register', null, { username, name, email: `${username}@example.org`, password: 'correct horse' });
}

async function place(who, name, parent) {
  const { community } = await run(who, 'community.create', { op: newOp(), name, ...(parent && { parent_id: parent }) });
  return community.id;
}

async function say(who, post_id, content, parent) {
  const { comment } = await run(who, 'comment.add', { op: newOp(), post_id, content, ...(parent && { parent_id: parent }) });
  return comment.id;
}

function run(who, command, body) {
  return call(`/v1/commands/${command}`, who.access_token, body);
}

async function call(path, token, body) {
  const answer = await fetch(origin + path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) }, body: JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(told)}`);
  return told;
}

/** Somebody who is logged in already, at an address of the page. */
async function at(session, options, hash) {
  const person = await Person.open(browser, origin, options);
  await person.page.evaluate((text) => localStorage.setItem('cc.session', text), JSON.stringify(session));
  await person.page.reload();
  await person.at('me').first().waitFor({ state: 'attached' });
  await person.visit(hash);
  return person;
}

async function shot(person, name) {
  await person.page.mouse.move(0, 0);
  await person.page.evaluate(() => document.activeElement?.blur());
  const picture = await person.page.screenshot();
  writeFileSync(`${FOLDER}${name}.webp`, await smaller(picture));
}

/** The same picture as WebP, which the browser can draw and the screenshot cannot be. */
async function smaller(png) {
  const page = await browser.newPage();
  const text = await page.evaluate(async ([source, quality]) => {
    const bitmap = await createImageBitmap(await (await fetch(source)).blob());
    const canvas = Object.assign(document.createElement('canvas'), { width: bitmap.width, height: bitmap.height });
    canvas.getContext('2d').drawImage(bitmap, 0, 0);
    return canvas.toDataURL('image/webp', quality);
  }, [`data:image/png;base64,${png.toString('base64')}`, QUALITY]);
  await page.close();
  return Buffer.from(text.split(',')[1], 'base64');
}
