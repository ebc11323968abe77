// What the page makes of lives, without a browser: news in any order, the chat's one order, words for figures.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Names } from '../../src/web/app/live/names.js';
import { ChatLog } from '../../src/web/app/live/chatlog.js';
import { Lives, withNews, withReply } from '../../src/web/app/live/lives.js';
import { addressThere, bitrateText, clockText, curve, deviceProblem, ENDS, endWords, findings, healthWords, heightOf, isTroubled, lasted, loudness, pictureText, pictureWait, qualities } from '../../src/web/app/live/rules.js';
import { DICTIONARY } from '../../src/web/app/dictionary.js';

const live = (more) => ({ id: 'l', post_id: 'p', state: 'live', viewers: { current: 2, peak: 3 }, ...more });
const ended = { live_id: 'l', reason: 'stopped', duration_ms: 60_000, viewers: { peak: 5, unique: 7 } };

test('a live is interrupted and goes on, and after its end nothing revives it', () => {
  const broken = withNews(live(), 'live.interrupted', { reason: 'lost' }, 9);
  assert.deepEqual([broken.state, broken.reason, broken.interrupted_at], ['interrupted', 'lost', 9]);
  const back = withNews(broken, 'live.resumed', {}, 10);
  assert.deepEqual([back.state, back.reason], ['live', undefined]);
  const over = withNews(back, 'live.ended', ended, 11);
  assert.deepEqual([over.state, over.viewers, over.result], ['ended', { current: 0, peak: 5 }, { duration_ms: 60_000, unique: 7 }]);
  assert.equal(withNews(over, 'live.resumed', {}, 12), over);
  assert.equal(withReply(over, live()), over, 'an answer that was on its way');
});

test('an end that a reply told first still gets its figures', () => {
  const known = withReply(live(), live({ state: 'ended' }));
  assert.equal(withNews(known, 'live.ended', ended, 11).result.unique, 7);
});

test('a live in several feeds is followed once, and latecomers hear that it is open', async () => {
  const followed = [];
  let hub;
  let stopped = 0;
  const lives = new Lives({ follow: (channel, listener) => {
    followed.push(channel);
    hub = listener;
    return () => (stopped += 1);
  } });
  lives.put(live());
  const heard = [];
  const first = lives.follow('l', { opened: () => heard.push('first') });
  hub.opened();
  const second = lives.follow('l', { opened: () => heard.push('second'), publication: ({ event }) => heard.push(event) });
  await null;
  assert.deepEqual(followed, ['live:l']);
  assert.deepEqual(heard, ['first', 'second']);
  hub.state({ event: 'live.viewers', data: { current: 8, peak: 9 } });
  hub.state({ event: 'chat.slow_mode', data: { seconds: 10 } });
  hub.publication({ event: 'live.ended', data: ended, at: 4 });
  assert.equal(lives.get('l').slow_seconds, 10);
  assert.equal(lives.get('l').state, 'ended');
  assert.equal(heard.at(-1), 'live.ended');
  first();
  assert.equal(stopped, 0);
  second();
  assert.equal(stopped, 1);
});

const said = (offset, more) => ({ offset, event: 'chat.message', data: { id: `m${offset}`, user: { id: 'u' }, content: String(offset), ...more } });

test('a chat has one order, whatever order its pages and pushes arrive in', () => {
  const log = new ChatLog();
  log.take([said(9), said(7)]);
  const { added } = log.take([said(8), said(9), { offset: 10, event: 'live.resumed', data: {} }]);
  assert.deepEqual(added.map(({ offset }) => offset), [8]);
  assert.deepEqual(log.entries().map(({ offset }) => offset), [7, 8, 9]);
  assert.equal(log.oldest(), 7);
});

test('what was deleted does not come back with an older page', () => {
  const log = new ChatLog();
  log.take([said(5)]);
  assert.deepEqual(log.take([{ offset: 6, event: 'chat.deleted', data: { message_id: 'm5' } }]).removed, ['m5']);
  assert.deepEqual(log.take([said(5)]).added, []);
  assert.equal(log.size, 0);
});

test('a chat that goes on for hours keeps its latest messages', () => {
  const log = new ChatLog();
  for (let offset = 1; offset <= 1_000; offset += 1) log.take([said(offset)]);
  assert.equal(log.size, 400);
  assert.equal(log.oldest(), 601);
});

const fine = { secure: true, webrtc: true, online: true, serverReady: true, selftest: 'passed', path: 'open', member: true, codecs: ['VP8'], source: true, problem: null, silent: false };

test('a check says what is in the way and nothing else', () => {
  const keys = (facts) => findings({ ...fine, ...facts }).map(({ key, level }) => `${level} ${key}`);
  assert.deepEqual(keys({}), []);
  assert.deepEqual(keys({ silent: true }), ['hint live.check.silent']);
  assert.deepEqual(keys({ source: false }), ['stop live.check.source']);
  assert.deepEqual(keys({ source: false, secure: false }), ['stop live.check.insecure']);
  assert.deepEqual(keys({ source: false, problem: 'denied' }), ['stop live.check.denied']);
  assert.deepEqual(keys({ online: false, serverReady: false }), ['stop live.check.offline']);
  assert.deepEqual(keys({ webrtc: false, codecs: [] }), ['stop live.check.webrtc']);
  assert.deepEqual(keys({ path: 'trying', silent: true, source: true }), ['wait live.check.trying', 'hint live.check.silent']);
  assert.deepEqual(keys({ path: 'blocked' }), ['stop live.check.blocked']);
  assert.deepEqual(keys({ path: 'blocked', selftest: 'failed' }), ['stop live.check.selftest'], 'not this network');
  assert.deepEqual(keys({ selftest: 'failed' }), ['hint live.check.selftest.before'], 'from here it works');
  assert.deepEqual(keys({ path: 'unknown', selftest: 'running' }), ['hint live.check.unknown'], 'what could not be tried is no hindrance, and is not said to be well');
  assert.deepEqual(keys({ path: 'trying', source: false }), ['stop live.check.source', 'wait live.check.trying'], 'the worst first');
  for (const facts of [{ serverReady: false }, { member: false }, { codecs: [] }]) assert.equal(keys(facts).length, 1);
});

test('everything that a check, a device or the health of an upload says has words', () => {
  const told = new Set();
  for (const [name, value] of Object.entries({ secure: false, webrtc: false, online: false, serverReady: false, selftest: 'failed', path: 'trying', member: false, codecs: [], source: false, silent: true })) {
    for (const { key } of findings({ ...fine, [name]: value })) told.add(key);
  }
  for (const facts of [{ path: 'blocked' }, { path: 'unknown' }, { path: 'blocked', selftest: 'failed' }]) told.add(findings({ ...fine, ...facts })[0].key);
  for (const name of ['NotAllowedError', 'NotFoundError', 'NotReadableError', 'OverconstrainedError', 'TypeError']) told.add(`live.check.${deviceProblem({ name })}`);
  told.add('live.check.insecure');
  const good = { bitrate: 1_500_000, loss: 0, rtt_ms: 20, jitter_ms: 2, layers: [{ fps: 30 }], level: 'good' };
  const health = (more) => healthWords({ ...good, level: 'bad', ...more }).key;
  assert.equal(healthWords(good).key, 'live.health.good');
  for (const [more, key] of [[{ bitrate: 0 }, 'nothing'], [{ text: 'Your encoder sends B-frames' }, 'bframes'], [{ loss: 6 }, 'loss'], [{ jitter_ms: 60 }, 'jitter'], [{ layers: [{ fps: 5 }] }, 'fps'], [{ bitrate: 50_000 }, 'bitrate'], [{ rtt_ms: 700 }, 'rtt'], [{}, 'uneven']]) {
    assert.equal(health(more), `live.health.${key}`);
    told.add(health(more));
  }
  for (const key of told) assert.ok(key in DICTIONARY, key);
});

test('a picture that stands still by itself is no upload that falters, and loss is loss', () => {
  const slide = { bitrate: 30_000, loss: 0, rtt_ms: 20, jitter_ms: 2, layers: [{ fps: 1 }], level: 'fair', text: 'You send only 1 pictures a second' };
  const health = (more, facts) => healthWords({ ...slide, ...more }, facts).key;
  assert.equal(health({}), 'live.health.fps');
  assert.equal(health({}, { isStill: true }), 'live.health.good');
  assert.equal(health({ layers: [{ fps: 15 }] }, { isStill: true }), 'live.health.good', 'a slide that changed');
  for (const [more, key] of [[{ loss: 6 }, 'loss'], [{ jitter_ms: 60 }, 'jitter'], [{ bitrate: 0 }, 'nothing'], [{ rtt_ms: 700, bitrate: 900_000, layers: [{ fps: 25 }] }, 'rtt']]) {
    assert.equal(health(more, { isStill: true }), `live.health.${key}`);
  }
});

test('a viewer whose picture arrives badly is known by it', () => {
  const layers = [{ rid: 'q', height: 180 }, { rid: 'f', height: 720 }];
  assert.equal(heightOf('q', layers), 180);
  assert.equal(heightOf('', [{ rid: '', height: 480 }]), 480, 'a picture of one layer');
  for (const none of [null, undefined, 'x']) assert.equal(heightOf(none, layers), undefined);
  assert.equal(isTroubled({ loss: 0.4, layer: 'f' }, layers), false);
  assert.equal(isTroubled({ loss: 7, layer: 'f' }, layers), true);
  assert.equal(isTroubled({ loss: 0, layer: null }, layers), true, 'no picture goes there');
  assert.equal(isTroubled({ loss: 0, layer: null }, []), false, 'a live of sound alone');
  assert.equal(isTroubled({ loss: 7, layer: null }, []), true);
});

test('the wait for a picture is told out of the phases of joining', () => {
  const total = { p50: 40, p95: 120 };
  assert.deepEqual(pictureWait({ total, picture: { p50: 30, p95: 200 } }), { p50: 70, p95: 320 });
  assert.deepEqual(pictureWait({ total }), total, 'nobody has seen one yet, or the report is of a former version');
  assert.equal(pictureWait({ total: { p50: 0, p95: 0 }, picture: { p50: 0, p95: 0 } }), null, 'nobody has got anything: that is no wait of 0 ms');
});

test('everybody of whom only the id is told is asked for once, a few at a time', async () => {
  const asked = [];
  const answers = { e: { username: 'eve', name: 'Eve' }, m: { username: 'mallory', name: '' } };
  const names = new Names(async (id) => {
    asked.push(id);
    if (id === 'away' && asked.filter((other) => other === id).length === 1) throw Object.assign(new Error(), { code: 'offline' });
    if (!answers[id] && id !== 'away') throw Object.assign(new Error(), { code: 'not_found' });
    return answers[id] ?? { username: 'away', name: 'Away' };
  });
  assert.equal(await names.learn(['e', 'm', 'gone', 'away']), true);
  assert.deepEqual(['e', 'm', 'gone', 'away'].map((id) => names.of(id)), ['Eve', 'mallory', undefined, undefined]);
  assert.equal(await names.learn(['e', 'm', 'gone', 'away']), true);
  assert.equal(await names.learn(['e', 'm', 'gone', 'away']), false);
  assert.deepEqual(asked, ['e', 'm', 'gone', 'away', 'away'], 'whom nobody knows is not asked for again, a broken line is');

  asked.length = 0;
  const crowd = Array.from({ length: 20 }, (_, number) => `guest${number}`);
  const under = [names.learn(crowd), names.learn(crowd)];
  assert.equal(asked.length, 8);
  await Promise.all(under);
  await names.learn(crowd);
  await names.learn(crowd);
  assert.deepEqual(asked, crowd);
});

test('figures are written for people', () => {
  assert.deepEqual([7_000, 750_000, 3_723_000, -5].map(clockText), ['0:07', '12:30', '1:02:03', '0:00']);
  assert.deepEqual([640_000, 1_480_000].map((bits) => bitrateText(bits)), ['640 kbit/s', '1.5 Mbit/s']);
  assert.deepEqual([{ height: 720, fps: 30 }, { height: 720, fps: 0 }, { height: 0, fps: 0 }, null].map(pictureText), ['720p · 30/s', '720p', undefined, undefined]);
  assert.equal(loudness(new Float32Array(10)), 0);
  assert.ok(loudness(new Float32Array(10).fill(0.5)) > 0.8);
  assert.deepEqual(qualities([{ height: 180 }, { height: 720 }, { height: 0 }, { height: 180 }]), [720, 180]);
});

test('an owner is told why a live ended, and how far its figures reach where that is not to the end', () => {
  const keys = (live, report) => endWords(live, report).map(({ key }) => key);
  const run = { started_at: 1_000_000, ended_at: 1_060_000 };
  assert.deepEqual(keys({ ...run, reason: 'stopped' }, { duration_ms: 59_400 }), ['report.end.stopped']);
  assert.deepEqual(endWords({ ...run, reason: 'lost' }, { duration_ms: 31_000 }).at(-1), { key: 'report.noted', values: { duration: '0:31' } });
  assert.deepEqual(keys({ started_at: 1_000_000, reason: 'lost' }, { duration_ms: 0 }), ['report.end.lost', 'report.noted'], 'nobody knows when it ended');
  assert.deepEqual(keys({ ...run, reason: 'stopped' }, { duration_ms: 31_000 }), ['report.end.stopped', 'report.noted'], 'stopped at another node than the dead one that carried it');
  assert.deepEqual(keys({ reason: 'no_media' }), ['report.end.no_media']);
  for (const reason of [undefined, 'stalled', 'of a newer server']) assert.deepEqual(keys({ ...run, reason }, { duration_ms: 60_000 }), ['live.over.ended']);
  const spec = readFileSync(new URL('../../protocol/SPEC.md', import.meta.url), 'utf8');
  const reasons = /`reason` of the last two ([^;]+);/.exec(spec)[1].match(/\w+(?=`)/g);
  assert.deepEqual(reasons.filter((reason) => reason !== 'stalled').sort(), [...ENDS].sort(), 'each reason of an end has its words');
});

test('how long a lost live ran is not guessed from when that was found out', () => {
  const run = { started_at: 1_000, ended_at: 61_000 };
  assert.equal(lasted({ ...run, reason: 'timeout' }), 60_000);
  assert.equal(lasted({ ...run, reason: 'lost' }), 0);
  assert.equal(lasted({ ...run, reason: 'lost', result: { duration_ms: 9_000 } }), 9_000);
  assert.equal(lasted({ started_at: 1_000 }), 0);
});

test('a curve holds each count until the next and fills its box', () => {
  const { line, area, top, end } = curve([[0, 1], [10_000, 4], [20_000, 2]], { width: 300, height: 100, duration: 30_000 });
  assert.equal(top, 4);
  assert.equal(end, 30_000);
  assert.equal(line, 'M0 75H100V0H200V50H300');
  assert.equal(area, `${line}V100H0Z`);
  assert.equal(curve([[0, 0]], { width: 10, height: 10, duration: 0 }).line, 'M0 10H10', 'nobody came');
  assert.equal(curve([], { width: 10, height: 10, duration: 0 }).area, '');
});

test('whoever is led to another node is led to a web address, and to the same live', () => {
  const at = (url) => addressThere({ node: 'b', url, isSilent: false }, 'l-1');
  assert.equal(at('https://b.example'), 'https://b.example/#/l/l-1');
  assert.equal(at('http://127.0.0.1:9080'), 'http://127.0.0.1:9080/#/l/l-1');
  assert.equal(at('https://h.example/base'), 'https://h.example/base/#/l/l-1', 'where a proxy tells nodes apart by a path, that is kept');
  assert.equal(at('https://h.example/base/'), 'https://h.example/base/#/l/l-1');
  for (const none of [null, '', 'b.example', 'javascript:alert(1)', 'https://']) assert.equal(at(none), null, String(none));
  assert.equal(addressThere(null, 'l-1'), null);
});
