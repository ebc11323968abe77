// How long viewers of the page wait for their first picture, from the click on a running live: prints the quantiles over many
// joins. The source is the hardest that there is: FFmpeg sends a key frame every ten seconds and knows no request for
// another, so all that a viewer gets early comes out of the server. No test: a machine that is busy says nothing.
//
//     cargo build && node tests/peers/first_picture.mjs        # JOINS=40 for more; COMMUNICONNECT names another binary
//
// Needs what `cargo xtask test machine` installs.

import { spawnSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { Person } from '../browser/harness.mjs';
import { Live, Peer, Server, launchBrowser } from './harness.mjs';

const JOINS = Number(process.env.JOINS ?? 30);
const KEY_FRAME_SECONDS = 10;
const SOURCE = { size: '1280x720', kbit: 1_500, keyFrames: KEY_FRAME_SECONDS * 30, seconds: 600 };
/** How long each one looks on: whether the picture goes on after the first frame is told too. */
const LOOK_MS = 1_000;

const here = (name) => new URL(name, import.meta.url).pathname;
process.env.PEERS_FFMPEG ??= spawnSync(here('.venv/bin/python'), ['-c', 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())'], { encoding: 'utf8' }).stdout.trim();

const server = await Server.start();
const browser = await launchBrowser();
let encoder;
try {
  const live = await Live.start(server, 'First picture');
  encoder = Peer.ffmpeg(live.whip, { key: live.key, ...SOURCE });
  await live.becomes('live');
  await pause(KEY_FRAME_SECONDS * 1_000); // from here on joins fall anywhere between two key frames
  const viewer = await Person.open(browser, live.origin);
  const joins = [];
  for (let join = 0; join < JOINS; join += 1) {
    await viewer.visit('#/live');
    await viewer.page.locator(`[data-testid=live-item][data-live-id="${live.id}"]`).waitFor();
    await pause(Math.random() * 700);
    joins.push(await viewer.page.evaluate(watchOnce, { liveId: live.id, lookMs: LOOK_MS }));
  }
  const waits = joins.map(({ waited }) => waited).sort((a, b) => a - b);
  const frames = joins.map((join) => join.frames).sort((a, b) => a - b);
  const { upload } = (await live.stop()).report;
  console.log(`source: FFmpeg by WHIP, H264 ${SOURCE.size}, ${Math.round(upload.bitrate / 1_000)} kbit/s with Opus, a key frame every ${KEY_FRAME_SECONDS} s, deaf to requests`);
  console.log(`first picture after the click, ${joins.length} joins: p50 ${quantile(waits, 0.5)} ms, p95 ${quantile(waits, 0.95)} ms, slowest ${waits.at(-1)} ms`);
  console.log(`frames in the second after it, 30 and what was replayed: p50 ${quantile(frames, 0.5)}, fewest ${frames[0]}`);
} finally {
  await encoder?.kill();
  await browser.close();
  await server.close();
}

/** The value that this part of a sorted list does not exceed. */
function quantile(sorted, part) {
  return sorted[Math.ceil(sorted.length * part) - 1];
}

/** Runs in the page: clicks on the live, and waits for the first frame that is shown. */
async function watchOnce({ liveId, lookMs }) {
  const clicked = performance.now();
  document.querySelector(`[data-testid=live-item][data-live-id="${liveId}"]`).click();
  while (!document.querySelector('[data-testid=live-video]')) await new Promise((resolve) => requestAnimationFrame(resolve));
  const video = document.querySelector('[data-testid=live-video]');
  const shown = await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
  const before = video.getVideoPlaybackQuality().totalVideoFrames;
  await new Promise((resolve) => setTimeout(resolve, lookMs));
  return { waited: Math.round(shown - clicked), frames: video.getVideoPlaybackQuality().totalVideoFrames - before };
}
