// How late a viewer is, from one glass to the other: a page broadcasts a picture that has the time written into it in black
// and white, and another page of the same browser reads it off its video. Prints the quantiles over many joins, beside how
// long each took to connect and to its first picture. No test: a machine that is busy says nothing.
//
//     cargo build --release && COMMUNICONNECT=target/release/communiconnect node tests/peers/glass_to_glass.mjs   # JOINS=40, CODEC=h264
//
// The time is that of the drawing of the picture: capturing, encoding, the server, the jitter buffer and decoding are all in
// it. What is read is when the viewer's frame was handed to the compositor. Each join is looked at from one to two seconds
// after it began.

import { setTimeout as pause } from 'node:timers/promises';
import { Live, Server, Tab, launchBrowser } from './harness.mjs';

const JOINS = Number(process.env.JOINS ?? 24);
const CODEC = process.env.CODEC ?? 'vp8';
const MAX_BITRATE = 1_500_000;
/** The estimate of the line's width has risen by then. */
const WARM_MS = 15_000;
const LOOK = { from: 1_000, to: 2_000 };

const server = await Server.start();
const browser = await launchBrowser();
try {
  const live = await Live.start(server, 'Glass to glass');
  const caster = await Tab.open(browser, live);
  await caster.page.evaluate(drawTime);
  await caster.publish(live, { codec: CODEC, maxBitrate: MAX_BITRATE });
  await live.becomes('live');
  await pause(WARM_MS);
  const viewer = await Tab.open(browser, live);
  const joins = [];
  for (let join = 0; join < JOINS; join += 1) {
    await pause(Math.random() * 500);
    joins.push(await viewer.page.evaluate(watchOnce, { url: live.whep, look: LOOK }));
  }
  const { upload } = (await live.stop()).report;
  const lates = joins.flatMap((join) => join.lates);
  console.log(`source: Chromium ${browser.version()} by WHIP, ${CODEC} 1280x720 at 30 a second, ${Math.round(upload.bitrate / 1_000)} kbit/s with Opus; ${JOINS} joins`);
  tell('WHEP request to answer', joins.map((join) => join.answered));
  tell('answer to connected', joins.map((join) => join.connected));
  tell('request to first decoded frame', joins.map((join) => join.first));
  tell(`glass to glass, ${LOOK.from} to ${LOOK.to} ms after joining, ${lates.length} frames`, lates);
  tell('of these, the middle of each join', joins.map(({ lates: [...own] }) => own.sort((a, b) => a - b)[Math.floor(own.length / 2)] ?? Infinity));
  const heights = new Set(joins.map((join) => join.height));
  console.log(`lines of the picture: ${[...heights].join(', ')}`);
  const unread = joins.reduce((sum, join) => sum + join.unread, 0);
  if (unread > 0) console.log(`${unread} frames could not be read`);
} finally {
  await browser.close();
  await server.close();
}

function tell(what, numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (part) => `${Math.round(sorted[Math.ceil(sorted.length * part) - 1])} ms`;
  console.log(`${what}: p50 ${at(0.5)}, p95 ${at(0.95)}, most ${at(1)}`);
}

/** Runs in the page: a picture with noise in it, so that there is something to encode, and the time along its top. */
async function drawTime() {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
  const pen = canvas.getContext('2d', { alpha: false });
  const noise = Array.from({ length: 8 }, () => {
    const image = pen.createImageData(640, 320);
    for (let at = 0; at < image.data.length; at += 4) image.data.fill(96 + Math.random() * 64, at, at + 3).fill(255, at + 3, at + 4);
    return image;
  });
  const BITS = 32;
  let frame = 0;
  const draw = () => {
    frame += 1;
    pen.fillStyle = `hsl(${frame % 360} 40% 50%)`;
    pen.fillRect(0, 120, 1280, 600);
    pen.putImageData(noise[frame % noise.length], (frame * 8) % 640, 300);
    const now = Math.round(performance.timeOrigin + performance.now()) % 2 ** BITS;
    for (let bit = 0; bit < BITS; bit += 1) {
      const isSet = Math.floor(now / 2 ** bit) % 2 === 1;
      // Each bit stands beside its opposite, so that what is blurred is seen to be.
      for (const [row, white] of [isSet, !isSet].entries()) {
        pen.fillStyle = white ? 'white' : 'black';
        pen.fillRect(bit * 40, row * 60, 40, 60);
      }
    }
  };
  setInterval(draw, 1_000 / 30);
  draw();
  const { [0]: sound } = (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks();
  window.ownMedia = new MediaStream([sound, ...canvas.captureStream(30).getVideoTracks()]);
}

/** Runs in the page: joins, reads the time off what it sees for a while, and leaves. */
async function watchOnce({ url, look }) {
  const BITS = 32;
  const paper = Object.assign(document.createElement('canvas'), { width: 1280, height: 120 });
  const pen = paper.getContext('2d', { willReadFrequently: true });
  const read = (video) => {
    // A busy encoder sends a smaller picture.
    pen.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 6, 0, 0, 1280, 120);
    const { data } = pen.getImageData(0, 0, 1280, 120);
    const light = (x, y) => data[(y * 1280 + x) * 4];
    let time = 0;
    for (let bit = 0; bit < BITS; bit += 1) {
      const [upper, lower] = [light(bit * 40 + 20, 30), light(bit * 40 + 20, 90)];
      if (Math.abs(upper - lower) < 96) return null;
      if (upper > lower) time += 2 ** bit;
    }
    return time;
  };
  const lates = [];
  let [first, connected, unread] = [null, null, 0];
  const began = performance.now();
  const watching = window.watch(url);
  const video = [...document.querySelectorAll('video')].at(-1);
  const { connection } = window;
  connection.addEventListener('connectionstatechange', () => {
    if (connection.connectionState === 'connected') connected ??= performance.now();
  });
  const onFrame = (_, { presentationTime }) => {
    first ??= presentationTime - began;
    const passed = presentationTime - began;
    if (passed > look.to) return;
    video.requestVideoFrameCallback(onFrame);
    if (passed < look.from) return;
    const drawn = read(video);
    if (drawn === null) unread += 1;
    else lates.push((performance.timeOrigin + presentationTime - drawn) % 2 ** BITS);
  };
  video.requestVideoFrameCallback(onFrame);
  await watching;
  await new Promise((resolve) => setTimeout(resolve, look.to - (performance.now() - began) + 100));
  const { answered, session } = connection;
  const height = video.videoHeight;
  connection.close();
  video.remove();
  await fetch(session, { method: 'DELETE' });
  // The state may be told a moment after it was reached, never before.
  return { answered: answered - began, connected: (connected ?? Infinity) - answered, first, lates, unread, height };
}
