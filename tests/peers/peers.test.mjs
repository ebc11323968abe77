// Live streams between programs that share no code: each broadcasts, others watch, and what they decode is counted.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Live, Peer, Server, Tab, launchBrowser, until } from './harness.mjs';

let server;
let browser;
const open = [];

before(async () => {
  server = await Server.start();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async (context) => {
  if (context.passed === false) {
    for (const { peer } of open) if (peer?.log) console.error(peer.log.slice(-20).join('\n'));
    console.error(server.log());
  }
  for (const { end } of open.splice(0)) await end();
});

function keep(peer) {
  open.push({ peer, end: () => (peer instanceof Tab ? peer.close() : peer.kill()) });
  return peer;
}

async function tab(live) {
  return keep(await Tab.open(browser, live));
}

/** Pictures in Chromium come without a freeze and without a loss on loopback. */
function assertSmooth(figures) {
  assert.equal(figures.packetsLost, 0, JSON.stringify(figures));
  assert.ok(figures.audioPackets > 0, `sound comes too: ${JSON.stringify(figures)}`);
}

for (const codec of ['VP8', 'H264', 'VP9', 'AV1']) {
  test(`Chromium broadcasts ${codec} and three Chromiums watch`, async (context) => {
    const live = await Live.start(server, codec);
    const caster = await tab(live);
    if (!(await caster.can(codec))) return context.skip(`this Chromium cannot encode ${codec}`);
    await caster.publish(live, { codec, layers: codec === 'AV1' ? 1 : 3 });
    await live.becomes('live');
    const viewers = [await tab(live), await tab(live), await tab(live)];
    for (const viewer of viewers) await viewer.watch(live);
    for (const viewer of viewers) {
      const figures = await viewer.decodes(45);
      assertSmooth(figures);
      assert.match(figures.codec, new RegExp(codec, 'i'));
    }
    await until('three viewers', async () => (await live.get()).viewers.current === 3);
    const { report } = await live.stop();
    assert.equal(report.viewers.peak, 3);
  });
}

test('aiortc broadcasts; aiortc and Chromium watch', async () => {
  const live = await Live.start(server, 'aiortc');
  keep(Peer.aiortc('publish', live.whip, { key: live.key }));
  await live.becomes('live');
  const viewer = await tab(live);
  await viewer.watch(live);
  const other = keep(Peer.aiortc('watch', live.whep));
  assertSmooth(await viewer.decodes(45));
  await other.decodes(45);
  assert.deepEqual(other.said.frames.size, [640, 480]);
});

test('FFmpeg broadcasts H264 and Opus; Chromium and aiortc watch', async () => {
  const live = await Live.start(server, 'FFmpeg');
  keep(Peer.ffmpeg(live.whip, { key: live.key }));
  await live.becomes('live');
  const viewer = await tab(live);
  await viewer.watch(live);
  const figures = await viewer.decodes(45);
  assertSmooth(figures);
  assert.match(figures.codec, /H264/);
  const other = keep(Peer.aiortc('watch', live.whep));
  await other.decodes(45);
});

test('libdatachannel, which OBS is built on, broadcasts H264 and Opus; Chromium and aiortc watch, and it says goodbye', async () => {
  const live = await Live.start(server, 'OBS');
  const caster = keep(Peer.libdatachannel(live.whip, { key: live.key }));
  await live.becomes('live');
  const viewer = await tab(live);
  await viewer.watch(live);
  const other = keep(Peer.aiortc('watch', live.whep));
  const figures = await viewer.decodes(45);
  assertSmooth(figures);
  assert.match(figures.codec, /H264/);
  await other.decodes(45);
  caster.stop();
  await live.becomes('interrupted');
  await until('its goodbye to be answered', () => caster.said.deleted);
  assert.equal(caster.said.deleted.status, 200);
});

test('GStreamer broadcasts VP8; GStreamer and Chromium watch', async () => {
  const live = await Live.start(server, 'GStreamer');
  keep(Peer.gstreamer('publish', live.whip, { key: live.key }));
  await live.becomes('live');
  const viewer = await tab(live);
  await viewer.watch(live);
  assertSmooth(await viewer.decodes(45));
  const other = keep(Peer.gstreamer('watch', live.whep));
  await other.decodes(45);
});

test('a broadcaster who is cut off and comes back after five seconds is seen again on the same connection', async () => {
  const live = await Live.start(server, 'cut');
  const first = Peer.ffmpeg(live.whip, { key: live.key });
  await live.becomes('live');
  const viewer = await tab(live);
  await viewer.watch(live);
  await viewer.decodes(30);
  await first.kill();
  await live.becomes('interrupted');
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const before = await viewer.figures();
  keep(Peer.ffmpeg(live.whip, { key: live.key }));
  await live.becomes('live');
  const again = await viewer.decodes(before.framesDecoded + 30);
  assert.equal(again.state, 'connected');
});

test('a player that chooses a layer is sent that one', async () => {
  const live = await Live.start(server, 'layers');
  const caster = await tab(live);
  await caster.publish(live, { codec: 'VP8', layers: 3 });
  await live.becomes('live');
  const viewer = await tab(live);
  await viewer.watch(live);
  await viewer.decodes(15);
  for (const height of [180, 720, 360]) {
    await viewer.chooseLayer({ maxHeight: height });
    await until(`a picture of ${height} lines`, async () => (await viewer.figures()).frameHeight === height);
  }
});

test('broadcaster and player restart ICE, go over to the new credentials, and the picture goes on', async () => {
  const live = await Live.start(server, 'restart');
  const caster = await tab(live);
  await caster.publish(live, { codec: 'VP8' });
  await live.becomes('live');
  const viewer = await tab(live);
  await viewer.watch(live);
  await viewer.decodes(30);
  for (const peer of [viewer, caster]) {
    const former = (await peer.figures()).ufrag;
    const name = await peer.restart();
    assert.notEqual(name, former);
    await until('the new credentials in use', async () => (await peer.figures()).ufrag === name);
    const { framesDecoded } = await viewer.figures();
    assertSmooth(await viewer.decodes(framesDecoded + 45));
  }
  const { report } = await live.stop();
  assert.equal(report.interruptions, 0);
});
