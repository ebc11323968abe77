// The page's connection without a browser: which news of it make an attempt that runs be made anew. One file for itself, since
// it needs what a browser has around a page.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection } from '../../src/web/app/connection.js';

/** A page whose sockets never open, and a clock that is set. */
function page() {
  const listeners = new Map();
  const sockets = [];
  const on = (name, run) => listeners.set(name, run);
  let now = 0;
  Object.assign(globalThis, {
    addEventListener: on,
    document: { addEventListener: on, visibilityState: 'visible' },
    location: { href: 'https://example.org/' },
    setTimeout: () => 0,
    clearTimeout: () => {},
    WebSocket: class {
      readyState = 0;
      constructor() {
        sockets.push(this);
      }
      close() {}
    },
  });
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { onLine: true } }); // later Nodes have one that only reads
  Date.now = () => now;
  const connection = new Connection({ token: async () => null });
  return { connection, sockets, news: (name) => listeners.get(name)(), pass: (ms) => (now += ms) };
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
