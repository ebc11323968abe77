// Firefox broadcasts and watches, in a network of its own (`in_a_network.sh`): on loopback it gathers no candidates.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Live, Peer, Server, until } from '../harness.mjs';
import { Firefox } from './firefox.mjs';

const ADDRESS = '10.99.0.1';

let server;
let firefox;
const open = [];

before(async () => {
  server = await Server.start({ udp: '0.0.0.0:0' });
  firefox = await Firefox.start();
});

after(async () => {
  await firefox?.close();
  await server?.close();
});

afterEach(async (context) => {
  if (context.passed === false) console.error(firefox?.log(), server.log());
  for (const peer of open.splice(0)) await peer.kill();
  await firefox.run('closeAll');
});

function keep(peer) {
  open.push(peer);
  return peer;
}

/** Waits until so many pictures are decoded by one of the page's connections. */
async function decodes(name, pictures) {
  return until(`${pictures} pictures in Firefox`, async () => {
    const figures = await firefox.run('figures', name);
    return figures.framesDecoded >= pictures ? figures : null;
  });
}

function assertSmooth(figures) {
  assert.equal(figures.packetsLost, 0, JSON.stringify(figures));
  assert.ok(figures.audioPackets > 0, `sound comes too: ${JSON.stringify(figures)}`);
  assert.equal(figures.remoteAddress, ADDRESS, 'not by loopback');
}

for (const layers of [1, 3]) {
  test(`Firefox broadcasts VP8 in ${layers} layer(s); Firefox and aiortc watch`, async () => {
    const live = await Live.start(server, `firefox ${layers}`);
    await firefox.run('publish', 'caster', { url: live.whip, key: live.key, layers });
    await live.becomes('live');
    await firefox.run('watch', 'viewer', live.whep);
    const other = keep(Peer.aiortc('watch', live.whep));
    assertSmooth(await decodes('viewer', 45));
    await other.decodes(45);
    await until('two viewers', async () => (await live.get()).viewers.current === 2);
    const { report } = await live.stop();
    assert.equal(report.viewers.peak, 2);
  });
}

test('Firefox watches what GStreamer broadcasts in VP8', async () => {
  const live = await Live.start(server, 'to Firefox');
  keep(Peer.gstreamer('publish', live.whip, { key: live.key }));
  await live.becomes('live');
  await firefox.run('watch', 'viewer', live.whep);
  assertSmooth(await decodes('viewer', 45));
});
