// Records how Chromium cuts pictures into packets, for the load tester to imitate: it broadcasts its fake camera at 720p, and
// what passes on the wire is noted, frame by frame. Prints what `loadtest/sizes/` keeps.
//
//     cargo build && node tests/peers/record_sizes.mjs vp8 > loadtest/sizes/chromium-vp8.txt      # and h264
//
// Sizes are those of RTP payloads: headers, their extensions and the tag of SRTP are left out. Which frames are key frames is
// asked of the encoder, by an encoded transform; a key frame is asked for every two seconds.

import { setTimeout as pause } from 'node:timers/promises';
import { MediaPath } from '../browser/harness.mjs';
import { Live, Server, Tab, launchBrowser } from './harness.mjs';

const CODEC = process.argv[2] ?? 'vp8';
const SECONDS = Number(process.env.SECONDS_RECORDED ?? 20);
/** The estimate of the line's width has risen by then, and the encoder with it. */
const WARM_MS = 15_000;
const MAX_BITRATE = 2_500_000;
const KEY_EVERY_MS = 2_000;
/** Bytes of the tag: what is offered first, AES-GCM, is what this server takes. */
const TAG = 16;
const RTP_VERSION = 2;

const server = await Server.start();
const browser = await launchBrowser({ fps: 30 });
const path = await MediaPath.before(server);
try {
  const live = await Live.start(server, 'Sizes');
  const tab = await Tab.open(browser, live, { mediaPath: path });
  await tab.publish(live, { codec: CODEC, maxBitrate: MAX_BITRATE, tells: true });
  await live.becomes('live');
  await pause(WARM_MS);
  const wire = [];
  path.heard = (packet) => wire.push(Buffer.from(packet));
  await tab.page.evaluate(() => (window.encoded.length = 0));
  for (let passed = 0; passed < SECONDS * 1_000; passed += KEY_EVERY_MS) {
    await tab.page.evaluate(() => window.askForKeyFrame());
    await pause(KEY_EVERY_MS);
  }
  path.heard = null;
  const encoded = await tab.page.evaluate(() => window.encoded);
  print(framesOf(wire, encoded), await browser.version());
} finally {
  await browser.close();
  path.close();
  await server.close();
}

/** Packets of the picture's stream by frame, each with the encoder's word on it; the first and the last may be cut off and are left out. */
function framesOf(wire, encoded) {
  const streams = new Map();
  for (const packet of wire) {
    const rtp = readRtp(packet);
    if (rtp) streams.set(rtp.ssrc, [...(streams.get(rtp.ssrc) ?? []), rtp]);
  }
  const [, packets] = [...streams].sort(([, a], [, b]) => bytes(b) - bytes(a))[0];
  const frames = new Map();
  for (const { timestamp, sequence, size } of packets) {
    if (!frames.has(timestamp)) frames.set(timestamp, new Map());
    frames.get(timestamp).set(sequence, size);
  }
  const cut = [...frames].slice(1, -1);
  // Timestamps on the wire are the encoder's and a random offset, which is the same for all.
  const kinds = new Map(encoded.map(({ timestamp, type }) => [timestamp, type]));
  const fits = (offset) => cut.filter(([timestamp]) => kinds.has((timestamp - offset) >>> 0)).length;
  const offsets = encoded.map(({ timestamp }) => (cut[0][0] - timestamp) >>> 0);
  const offset = offsets.sort((a, b) => fits(b) - fits(a))[0];
  if (fits(offset) < cut.length * 0.95) throw new Error(`${fits(offset)} of ${cut.length} frames are known to the encoder`);
  return cut
    .filter(([timestamp]) => kinds.has((timestamp - offset) >>> 0))
    .map(([timestamp, sizes]) => ({ isKey: kinds.get((timestamp - offset) >>> 0) === 'key', sizes: [...sizes].sort(([a], [b]) => ((a - b) << 16) >> 16).map(([, size]) => size) }));
}

function bytes(packets) {
  return packets.reduce((sum, { size }) => sum + size, 0);
}

/** RFC 3550, section 5.1; none for RTCP (RFC 5761), STUN and DTLS. */
function readRtp(packet) {
  if (packet.length < 12 || packet[0] >> 6 !== RTP_VERSION || (packet[1] >= 192 && packet[1] <= 223)) return null;
  let header = 12 + (packet[0] & 0x0f) * 4;
  if (packet[0] & 0x10) header += 4 + packet.readUInt16BE(header + 2) * 4;
  return { ssrc: packet.readUInt32BE(8), timestamp: packet.readUInt32BE(4), sequence: packet.readUInt16BE(2), size: packet.length - header - TAG };
}

function print(frames, version) {
  const total = frames.reduce((sum, { sizes }) => sum + sizes.reduce((all, size) => all + size, 0), 0);
  console.log(`# RTP payloads of Chromium ${version}, ${CODEC.toUpperCase()}, its fake camera at 1280x720, ${frames.length} frames, ${Math.round((total * 8 * 30) / frames.length / 1_000)} kbit/s at 30 a second.`);
  console.log('# A line is a frame (k: a key frame, d: another) with the bytes of each of its packets. Recorded by tests/peers/record_sizes.mjs.');
  for (const { isKey, sizes } of frames) console.log(`${isKey ? 'k' : 'd'} ${sizes.join(' ')}`);
}
