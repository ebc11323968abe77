// Pushes without a socket: a browser's own EventSource, which comes back by itself where it was.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, Network, Server } from './harness.mjs';

let server;
let network;
let browser;

before(async () => {
  server = await Server.start();
  network = await Network.before(server);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await network?.close();
  await server?.close();
});

/** A call of the product beside the browser, as the person of a token. */
async function call(path, body, token) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

test('an EventSource gets what was published, and after a cut exactly what it missed', async () => {
  const account = { username: 'streamer', email: 'streamer@example.org', password: 'correct horse', name: 'Streamer' };
  const { access_token: token } = await call('/v1/auth/register', account);
  const { community } = await call('/v1/commands/community.create', { op: 'c', name: 'Streams' }, token);
  let posts = 0;
  const post = () => call('/v1/commands/post.create', {
    op: `p-${++posts}`, community_id: community.id, kind: 'info', content: `number ${posts}`, visibility: 'public',
  }, token);

  const page = await (await browser.newContext()).newPage();
  await page.goto(`${network.origin}/healthz`);
  await page.evaluate((channel) => {
    window.seen = [];
    window.opened = 0;
    window.events = new EventSource(`/v1/sse?channels=${channel}`);
    window.events.addEventListener('connected', () => { window.opened += 1; });
    window.events.addEventListener('publication', ({ data }) => window.seen.push(JSON.parse(data).data.post.content));
  }, `feed:${community.id}`);
  const until = (wanted) => page.waitForFunction((wanted) => window.opened >= wanted.opened && window.seen.length >= wanted.seen, wanted);
  await until({ opened: 1, seen: 0 });
  await post();
  await until({ opened: 1, seen: 1 });

  network.cut();
  await post();
  await post();
  network.restore();
  await until({ opened: 2, seen: 3 });
  await post();
  await until({ opened: 2, seen: 4 });
  assert.deepEqual(await page.evaluate(() => window.seen), ['number 1', 'number 2', 'number 3', 'number 4']);
});
