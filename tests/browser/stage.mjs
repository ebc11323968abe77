// The stage of a file of stories: one server, one network before it, one browser, and the people of the story that plays.

import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { Network, Person, Server, launchBrowser } from './harness.mjs';

export const stage = { server: null, network: null };
let browser;
const people = [];

before(async () => {
  stage.server = await Server.start();
  stage.network = await Network.before(stage.server);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await stage.network?.close();
  await stage.server?.close();
});

afterEach(async (context) => {
  for (const person of people.splice(0)) {
    if (context.passed === false || process.env.SHOW) console.error(`${person.page.url()}: ${person.complaints.join('\n')}`);
    await person.close();
  }
});

/** Somebody in front of a browser of their own, behind `network`; a guest until they register. */
export async function open(options, network = stage.network) {
  const person = await Person.open(browser, network.origin, options);
  people.push(person);
  return person;
}

/** A name that no other story of this file uses. */
let names = 0;
export const fresh = (name) => `${name}${(names += 1)}`;

/** Two people in one community, both looking at it. */
export async function pair() {
  const [alice, bob] = [await open(), await open()];
  await alice.register(fresh('alice'), 'Alice');
  await bob.register(fresh('bob'), 'Bob');
  const community = await alice.makeCommunity(fresh('Harbour '));
  await bob.joinCommunity(community);
  return { alice, bob, community };
}

/** While a network is cut the browser itself says so in its console; nothing else is excused. */
export function assertNoComplaints(person, { cut = false } = {}) {
  const real = person.complaints.filter((text) => !(cut && /net::ERR_|WebSocket connection to/.test(text)));
  assert.deepEqual(real, []);
}
