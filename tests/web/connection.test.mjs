// The page's connection without a browser: where it leads, and which news make an attempt that runs be made anew. One file for
// itself, since it needs what a browser has around a page.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection } from '../../src/web/app/connection.js';

/** A page whose sockets never open, and a clock that is set. */
function page(href = 'https://example.org/#/live') {
  const listeners = new Map();
  const sockets = [];
  const on = (name, run) => listeners.set(name, run);
  let now = 0;
  Object.assign(globalThis, {
    addEventListener: on,
    document: { addEventListener: on, visibilityState: 'visible' },
    location: { href },
    setTimeout: () => 0,
    clearTimeout: () => {},
    WebSocket: class {
      readyState = 0;
      constructor(url) {
        this.url = url;
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
