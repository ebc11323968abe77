// libdatachannel as broadcaster, the way OBS uses it: its own packetizer for H264, repeats from its own store, a key frame
// every two seconds whatever is asked for, no trickle, DELETE at the end or on SIGTERM.
//
//   node libdatachannel_peer.mjs --url WHIP --token KEY --seconds N

import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import rtc from 'node-datachannel';

const { url, token, seconds } = parseArgs({
  options: { url: { type: 'string' }, token: { type: 'string' }, seconds: { type: 'string', default: '60' } },
}).values;
if (!url?.startsWith('http://127.0.0.1:')) throw new Error('peers speak to this machine alone');

const say = (event, figures = {}) => console.log(JSON.stringify({ event, ...figures }));

const FRAMES_PER_SECOND = 30;
const [SOUND, PICTURE] = [
  { ssrc: 0x0b5a, payloadType: 111, clock: 48_000 },
  { ssrc: 0x0b5b, payloadType: 96, clock: 90_000 },
];

/** Twenty milliseconds of Opus in which nobody speaks (RFC 6716, section 3.2: one stereo frame without content). */
const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]);

/** A track with what OBS puts behind one: packetizer, sender reports, answers to NACK. */
function track(connection, media, { ssrc, payloadType, clock }, packetizer) {
  media.addSSRC(ssrc, 'obs', 'obs', `obs-${payloadType}`);
  const added = connection.addTrack(media);
  const config = new rtc.RtpPacketizationConfig(ssrc, 'obs', payloadType, clock);
  const chain = packetizer(config);
  chain.addToChain(new rtc.RtcpSrReporter(config));
  chain.addToChain(new rtc.RtcpNackResponder());
  added.setMediaHandler(chain);
  return { added, config };
}

/** Complete pictures of H264 as x264 makes them for a stream: access units, each behind its delimiter. */
async function* pictures() {
  const source = ['-re', '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=${FRAMES_PER_SECOND}`];
  const codec = ['-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'ultrafast', '-tune', 'zerolatency'];
  const rate = ['-g', String(2 * FRAMES_PER_SECOND), '-bf', '0', '-b:v', '800k', '-pix_fmt', 'yuv420p'];
  const flags = ['-hide_banner', '-loglevel', 'error', ...source, ...codec, ...rate, '-bsf:v', 'h264_metadata=aud=insert', '-f', 'h264', 'pipe:1'];
  const ffmpeg = spawn(process.env.PEERS_FFMPEG ?? 'ffmpeg', flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => ffmpeg.kill('SIGKILL'));
  const delimiter = Buffer.from([0, 0, 0, 1, 9]);
  let rest = Buffer.alloc(0);
  for await (const piece of ffmpeg.stdout) {
    rest = Buffer.concat([rest, piece]);
    for (let next = rest.indexOf(delimiter, 1); next > 0; next = rest.indexOf(delimiter, 1)) {
      yield rest.subarray(0, next);
      rest = rest.subarray(next);
    }
  }
}

const connection = new rtc.PeerConnection('obs', { iceServers: [], disableAutoNegotiation: true });
connection.onStateChange((state) => say('state', { state }));

const audio = new rtc.Audio('0', 'SendOnly');
audio.addOpusCodec(SOUND.payloadType);
const sound = track(connection, audio, SOUND, (config) => new rtc.RtpPacketizer(config));
const video = new rtc.Video('1', 'SendOnly');
video.addH264Codec(PICTURE.payloadType);
const picture = track(connection, video, PICTURE, (config) => new rtc.H264RtpPacketizer('StartSequence', config));

const gathered = new Promise((resolve) => connection.onGatheringStateChange((state) => state === 'complete' && resolve()));
connection.setLocalDescription('offer');
await gathered;
const headers = { Authorization: `Bearer ${token}` };
const response = await fetch(url, {
  method: 'POST', headers: { ...headers, 'Content-Type': 'application/sdp' }, body: connection.localDescription().sdp,
});
// OBS takes nothing but 201.
if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
const session = new URL(response.headers.get('Location'), url);
connection.setRemoteDescription(await response.text(), 'answer');

const frames = { audio: 0, video: 0 };
const speaking = setInterval(() => {
  if (!sound.added.isOpen()) return;
  sound.config.timestamp = (sound.config.timestamp + 960) >>> 0;
  sound.added.sendMessageBinary(SILENCE);
  frames.audio += 1;
}, 20);

const end = Date.now() + Number(seconds) * 1_000;
let isStopped = false;
process.once('SIGTERM', () => {
  isStopped = true;
});
for await (const access of pictures()) {
  if (picture.added.isOpen()) {
    picture.config.timestamp = (picture.config.timestamp + PICTURE.clock / FRAMES_PER_SECOND) >>> 0;
    picture.added.sendMessageBinary(access);
    frames.video += 1;
  }
  if (frames.video % FRAMES_PER_SECOND === 1) say('frames', { frames });
  if (isStopped || Date.now() > end) break;
}
clearInterval(speaking);
const deleted = await fetch(session, { method: 'DELETE', headers });
say('deleted', { status: deleted.status });
connection.close();
rtc.cleanup();
process.exit(0);
