// What is decided about lives without a browser: words for figures, what a check found, the shape of a curve. Pure, and
// tested in tests/web/.

/** Lines of the pictures to choose from. */
export const HEIGHTS = [1080, 720, 360];
export const CODECS = ['auto', 'VP8', 'H264', 'VP9', 'AV1'];
/** Waits between two messages that a moderator may set, in seconds. */
export const SLOW_MODES = [0, 5, 10, 30, 60, 300];

/** Milliseconds as a clock: `0:07`, `12:30`, `1:02:03`. */
export function clockText(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (value) => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${two(seconds % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** Bits per second in the unit that a reader takes in at a glance; `write` writes numbers in the reader's language. */
export function bitrateText(bits, write = String) {
  return bits >= 1_000_000 ? `${write(Math.round(bits / 100_000) / 10)} Mbit/s` : `${write(Math.round(bits / 1_000))} kbit/s`;
}

/** The size of a picture and its pace, which is not known at once; undefined where there is none. */
export function pictureText(layer) {
  if (!layer?.height) return undefined;
  return layer.fps > 0 ? `${layer.height}p · ${layer.fps}/s` : `${layer.height}p`;
}

/** The picture's lines of the layer with this name; undefined where none is sent or it is not known yet. */
export function heightOf(rid, layers) {
  return rid === null || rid === undefined ? undefined : layers.find((layer) => layer.rid === rid)?.height || undefined;
}

/**
 * How long viewers waited for their picture, out of the phases of joining, in milliseconds: for the first packet, then for
 * the whole picture, which nobody may have got yet. Null where nobody has got a packet either. Quantiles of a sum are no sums
 * of quantiles, but near enough to be read.
 */
export function pictureWait({ total, picture = { p50: 0, p95: 0 } }) {
  if (total.p50 === 0) return null;
  return { p50: total.p50 + picture.p50, p95: total.p95 + picture.p95 };
}

/** The page of a live at the node that carries it; null where that has announced no web address. A path of that address is kept. */
export function addressThere(carrier, liveId) {
  if (!/^https?:\/\//.test(carrier?.url ?? '')) return null;
  try {
    return new URL(`${carrier.url.replace(/\/+$/, '')}/#/l/${liveId}`).href;
  } catch {
    return null;
  }
}

/** Loss in per cent from which on a viewer sees it. */
const LOSS_SEEN = 5;

/**
 * Whether it arrives badly at a viewer now: packets are lost, or no picture goes there though the upload has `layers` of one.
 * A live of sound alone has none, and nobody misses it.
 */
export function isTroubled({ loss, layer }, layers) {
  return loss >= LOSS_SEEN || (layer === null && layers.length > 0);
}

const LEVELS = ['stop', 'wait', 'hint'];

/**
 * What stands in the way of going live, the worst first: `[{key, level}]` with `level` `stop`, `wait` or `hint`; empty where
 * all is well. `facts`: `secure` (a context in which devices may be used), `webrtc`, `online`, `serverReady`, `selftest` and
 * `path` (of a `Preflight`), `member` (of any community), `codecs` (names that can be sent), `source` (one is open), `problem`
 * (what opening it met, a key), `silent` (it has no sound).
 */
export function findings(facts) {
  const stop = (key) => ({ key: `live.check.${key}`, level: 'stop' });
  const wait = (key) => ({ key: `live.check.${key}`, level: 'wait' });
  const hint = (key) => ({ key: `live.check.${key}`, level: 'hint' });
  const found = [];
  if (!facts.webrtc) found.push(stop('webrtc'));
  if (!facts.online) found.push(stop('offline'));
  else if (!facts.serverReady) found.push(stop('server'));
  else if (facts.webrtc) {
    // A server that could not reach itself either is no matter of this network.
    if (facts.path === 'blocked') found.push(stop(facts.selftest === 'failed' ? 'selftest' : 'blocked'));
    else if (facts.path === 'trying') found.push(wait('trying'));
    else if (facts.path === 'unknown') found.push(hint('unknown'));
    if (facts.path !== 'blocked' && facts.selftest === 'failed') found.push(hint('selftest.before'));
  }
  if (!facts.member) found.push(stop('member'));
  if (facts.webrtc && facts.codecs.length === 0) found.push(stop('codecs'));
  if (facts.problem) found.push(stop(facts.problem));
  else if (!facts.source) found.push(facts.secure ? stop('source') : stop('insecure'));
  else if (facts.silent) found.push(hint('silent'));
  return found.sort((one, other) => LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level));
}

/** Why a device could not be opened, as the end of a key. */
export function deviceProblem(error) {
  switch (error?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'device';
  }
}

/**
 * How well the upload arrives, as `{key, values}` of a sentence with its cause and what to do. The server judges
 * (`level`) and says it in English; this says the same of the same figures in the reader's language. Where what is sent
 * stands still by itself (`isStill`: a screen, or the card in place of a camera), little of it is no fault.
 */
export function healthWords({ bitrate, loss, rtt_ms: rtt, jitter_ms: jitter, layers = [], level, text = '' }, { isStill = false } = {}) {
  const fps = Math.max(0, ...layers.map((layer) => layer.fps));
  if (level === 'good') return { key: 'live.health.good', values: {} };
  if (/B-frames/.test(text)) return { key: 'live.health.bframes', values: {} };
  if (bitrate === 0) return { key: 'live.health.nothing', values: {} };
  if (loss >= 1) return { key: 'live.health.loss', values: { loss: Math.round(loss) } };
  if (jitter >= 40) return { key: 'live.health.jitter', values: { jitter } };
  if (isStill && (fps < 12 || bitrate < 100_000)) return { key: 'live.health.good', values: {} };
  if (layers.length > 0 && fps < 12) return { key: 'live.health.fps', values: { fps } };
  if (bitrate < 100_000) return { key: 'live.health.bitrate', values: { kbit: Math.round(bitrate / 1_000) } };
  if (rtt >= 400) return { key: 'live.health.rtt', values: { rtt } };
  return { key: 'live.health.uneven', values: {} };
}

/** How loud samples between -1 and 1 are, from 0 to 1 on a scale of 60 dB. */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.min(1, Math.max(0, 1 + decibels / 60));
}

/** Counts that make a curve. They are ten seconds apart: of a live of half a minute fewer say less than its average, and may say otherwise. */
export const CURVE_LEAST = 4;

/**
 * A curve of viewers over time as SVG path data for a box of `width` x `height`: steps, since a count holds until the next
 * one. `top` is the value at the upper edge.
 */
export function curve(points, { width, height, duration }) {
  const top = Math.max(1, ...points.map(([, viewers]) => viewers));
  const end = Math.max(1, duration, points.at(-1)?.[0] ?? 0);
  const x = (at) => round((at / end) * width);
  const y = (viewers) => round(height - (viewers / top) * height);
  let line = '';
  for (const [at, viewers] of points) line += line === '' ? `M${x(at)} ${y(viewers)}` : `H${x(at)}V${y(viewers)}`;
  if (line !== '') line += `H${round(width)}`;
  const area = line === '' ? '' : `${line}V${height}H${x(points[0][0])}Z`;
  return { line, area, top, end };
}

/**
 * For how long a live that is over could be watched, in milliseconds; 0 where that is not known. One that was lost is found
 * to be over at any time later, so its end says nothing of that.
 */
export function lasted({ result, reason, started_at: started, ended_at: ended }) {
  if (result) return result.duration_ms;
  return started && ended && reason !== 'lost' ? ended - started : 0;
}

/** Milliseconds by which the clocks of a report and of an end may differ without anything being missing. */
const NOTED_LATE_MS = 2_000;

/**
 * Why a live has ended, for its owner, and how far its figures reach where that is not to the end: keys of sentences with
 * their values. `report` is left out where nothing could be seen. An end whose reason is not known yet, or is of a newer
 * server, is said without one.
 */
export function endWords({ reason, started_at: started, ended_at: ended }, report) {
  const words = [{ key: ENDS.includes(reason) ? `report.end.${reason}` : 'live.over.ended', values: {} }];
  if (report && (reason === 'lost' || (started && ended && ended - started - report.duration_ms > NOTED_LATE_MS))) words.push({ key: 'report.noted', values: { duration: clockText(report.duration_ms) } });
  return words;
}

/** Reasons of an end that the owner is told in words of their own. */
export const ENDS = ['stopped', 'lost', 'timeout', 'no_media', 'banned', 'limit', 'drain'];

/** Heights to choose from among the layers that a live has, the best first, without doubles. */
export function qualities(layers) {
  return [...new Set(layers.map(({ height }) => height).filter((height) => height > 0))].sort((a, b) => b - a);
}

function round(value) {
  return Math.round(value * 10) / 10;
}
