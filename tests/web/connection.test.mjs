// The page's connection without a browser: where it leads, and which news make an attempt that runs be made anew. One file for
// itself, since it needs what a browser has around a page.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { Connection } from '../../src/web/app/connection.js';

/** A page whose sockets open when they are told to, and a clock that is set. */
function page(href = 'https://example.org/#/live') {
  const listeners = new Map();
  const sockets = [];
  const on = (name, run) => listeners.set(name, run);
  const timers = new Map();
  let [now, next] = [0, 0];
  Object.assign(globalThis, {
    addEventListener: on,
    document: { addEventListener: on, visibilityState: 'visible' },
    location: { href },
    setTimeout: (run, ms) => {
      timers.set((next += 1), { run, at: now + ms });
      return next;
    },
    clearTimeout: (timer) => timers.delete(timer),
    WebSocket: class {
      readyState = 0;
      sent = [];
      constructor(url) {
        this.url = url;
        sockets.push(this);
      }
      send(text) {
        this.sent.push(JSON.parse(text));
      }
      close() {}
    },
  });
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { onLine: true } }); // later Nodes have one that only reads
  Date.now = () => now;
  const runTimers = () => [...timers].filter(([, { at }]) => at <= now).forEach(([timer, { run }]) => timers.delete(timer) && run());
  const connection = new Connection({ token: async () => null });
  return { connection, sockets, news: (name) => listeners.get(name)(), pass: (ms) => (now += ms), runTimers };
}

const settled = async () => {
  for (let turn = 0; turn < 10; turn += 1) await null;
};

test('only a network that is back and a page that is seen again begin an attempt anew', async () => {
  const { connection, sockets, news, pass } = page();
  const after = async (happens) => {
    pass(5_000);
    happens();
    await settled();
    return sockets.length;
  };
  connection.start();
  await settled();
  assert.equal(await after(() => connection.tryNow()), 1, 'who presses in vain would else never come through a slow way');
  assert.equal(await after(() => news('offline')), 1, 'without a network nothing better can be begun');
  assert.equal(await after(() => news('online')), 2);
  assert.equal(await after(() => news('visibilitychange')), 3);
});

test('the socket lies beside the page, also where a proxy tells nodes apart by a path', async () => {
  const leadsTo = async (href) => {
    const { connection, sockets } = page(href);
    connection.start();
    await settled();
    return sockets[0].url;
  };
  assert.equal(await leadsTo('http://example.org/#/l/x'), 'ws://example.org/v1/ws');
  assert.equal(await leadsTo('https://example.org/base/#/l/x'), 'wss://example.org/base/v1/ws');
});

test('a connection that something waits on stands, and what is asked of it is answered', async () => {
  const { connection, sockets, pass, runTimers } = page();
  connection.start();
  await settled();
  assert.equal(connection.stands, false);
  const [socket] = sockets;
  socket.onopen();
  socket.onmessage({ data: JSON.stringify([socket.sent[0][0], 'ok', { subscriptions: {} }]) });
  assert.deepEqual([connection.state, connection.stands], ['online', true]);
  connection.ask('feed.list', {}).catch(() => {});
  pass(2_000);
  runTimers();
  assert.deepEqual([connection.state, connection.stands], ['unanswered', true], 'nothing else would look again for whoever came back now');
  socket.onclose({ code: 1006, reason: '' });
  assert.deepEqual([connection.state, connection.stands], ['reconnecting', false]);
});

test('what somebody is, the server says: nothing before its word, and another as another person', async () => {
  const { connection, sockets } = page();
  const greet = (user) => {
    const socket = sockets.at(-1);
    socket.onopen();
    socket.onmessage({ data: JSON.stringify([socket.sent[0][0], 'ok', { subscriptions: {}, user }]) });
  };
  connection.start();
  await settled();
  assert.equal(connection.role, null);
  greet({ id: 'u', role: 'moderator' });
  assert.equal(connection.role, 'moderator');
  connection.restart();
  assert.equal(connection.role, null, 'whoever comes now is somebody else');
  await settled();
  greet(null);
  assert.equal(connection.role, null, 'a guest');
});

test('no button trusts the role that was kept with the login', () => {
  const app = new URL('../../src/web/app/', import.meta.url);
  for (const name of readdirSync(app, { recursive: true })) {
    if (name.endsWith('.js')) assert.doesNotMatch(readFileSync(new URL(name, app), 'utf8'), /\bme\??\.role\b/, name);
  }
});
