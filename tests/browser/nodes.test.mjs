// Two nodes of one place: who looks for a live on the wrong one is led to it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Network, Person, Server, launchBrowser } from './harness.mjs';
import { Shared } from './shared.mjs';

let shared;
let browser;
const nodes = [];

/** A node with an address of its own, which has to be known before it starts. */
async function node(id) {
  const found = { server: null, network: null };
  found.network = await Network.before({ get port() { return found.server.port; } });
  found.server = await Server.start({ settings: [...shared.settings, `node.id=${id}`, `node.url=${found.network.origin}`, 'live.selftest=off'] });
  nodes.push(found);
  return found;
}

before(async () => {
  shared = await Shared.start();
  await node('east');
  await node('west');
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  for (const { network, server } of nodes) {
    await network.close();
    await server.close();
  }
  await shared?.close();
});

const login = async (person, username) => {
  await person.press('login-open');
  await person.at('login-username').fill(username);
  await person.at('login-password').fill(`correct horse ${username}`);
  await person.press('login-submit');
  await person.at('me').first().waitFor({ state: 'attached' });
};

test('who comes to the wrong node for a live is led to the one that carries it', async () => {
  const [east, west] = nodes;
  const host = await Person.open(browser, east.network.origin);
  await host.register('hostess', 'Hostess');
  const community = await host.makeCommunity('Two shores');
  const live = await host.goLive(community, 'From the east');

  const viewer = await Person.open(browser, west.network.origin);
  await viewer.visit(`#/l/${live}`);
  // A node that has just started says within some seconds where it is; until then the page asks by itself.
  const way = viewer.at('live-there');
  await way.or(viewer.at('live-again')).waitFor();
  assert.match(await viewer.at('live-over').innerText(), /another server of this place \(east\)/);
  assert.equal(await viewer.at('live-again').count(), 0, 'asking here again would come to nothing');
  assert.equal(await viewer.at('chat-input').count(), 0);
  await way.click();
  await viewer.page.waitForURL(`${east.network.origin}/#/l/${live}`);
  await viewer.seesMovement();

  // The host on another device, which came to the other node.
  const device = await Person.open(browser, west.network.origin);
  await login(device, 'hostess');
  await device.visit(`#/l/${live}`);
  await device.at('live-there').waitFor();
  assert.equal(await device.at('live-there').getAttribute('href'), `${east.network.origin}/#/l/${live}`);
  for (const vain of ['cockpit-take', 'cockpit-stop', 'chat-input']) assert.equal(await device.at(vain).filter({ visible: true }).count(), 0, vain);
  // To begin another there is to be told of this one, without being asked whether to take what cannot be taken.
  await device.visit('#/live/start');
  await device.press('live-source-test');
  await device.at('live-check-ok').waitFor();
  await device.at('live-title').fill('Another');
  await device.press('live-go');
  await device.at('live-there').waitFor();
  assert.equal(await device.at('confirm-dialog').count(), 0);
  await device.at('live-there').click();
  await login(device, 'hostess');
  await device.at('cockpit-stop').waitFor();
  for (const person of [host, viewer, device]) assert.deepEqual(person.complaints, []);
});

test('who broadcasts goes on when a balancer leads their socket to the other node, and can put the camera out there', async () => {
  const [east, west] = nodes;
  let chosen = east;
  const balancer = await Network.before({ get port() { return chosen.server.port; } });
  nodes.push({ network: balancer, server: { close: async () => {} } });
  const host = await Person.open(browser, balancer.origin);
  await host.register('captain', 'Captain');
  const community = await host.makeCommunity('One deck');
  const live = await host.goLive(community, 'Under way');
  const viewer = await Person.open(browser, east.network.origin);
  await viewer.visit(`#/l/${live}`);
  await viewer.seesMovement();

  chosen = west;
  balancer.cut();
  await host.page.locator('[data-testid=connection-state][data-state=reconnecting]').waitFor({ state: 'attached' });
  balancer.restore();
  await host.online();
  await viewer.seesMovement(45);
  const cockpit = host.at('cockpit');
  assert.deepEqual([await cockpit.getAttribute('data-here'), await cockpit.getAttribute('data-phase')], ['true', 'flowing']);

  await host.press('cockpit-stop');
  await host.press('confirm-yes');
  await host.page.locator('[data-testid=cockpit][data-here=false]').waitFor();
  assert.equal(await host.at('live-there').getAttribute('href'), `${east.network.origin}/#/l/${live}`);
  assert.equal(await host.at('on-air').filter({ visible: true }).count(), 0);
  assert.deepEqual(viewer.complaints, []);
});
