// The client core without a network: positions, waits, and whole conversations over a socket made of arrays.
// Run with `node --test tests/web/`; needs nothing installed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChannelCursor,
  Client,
  CommandError,
  StateVersions,
  backoffMs,
  closeVerdict,
  newOp,
  repeatDelayMs,
  refreshDelayMs,
  returnDelayMs,
  silenceLimitMs,
} from '../../src/web/client.js';

const item = (offset) => ({ offset, event: 'e', data: { n: offset } });
const applied = (steps) => steps.filter((step) => step.do === 'apply').map((step) => step.item.offset);
const kinds = (steps) => steps.map((step) => step.do);
const openedAt = (offset) => {
  const cursor = new ChannelCursor();
  cursor.opened({ epoch: 'a', offset, recovered: 'new', publications: [], more: false });
  return cursor;
};

test('operation ids sort by time and differ within a moment', () => {
  const ids = [newOp(1_000), newOp(1_000), newOp(0xffff_ffff_fff)];
  assert.deepEqual([...ids].sort().at(-1), ids[2], 'the later one comes last');
  assert.notEqual(ids[0], ids[1]);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
});

test('close codes say whether to come back', () => {
  assert.equal(closeVerdict(4000), 'again');
  assert.equal(closeVerdict(4004), 'token');
  assert.equal(closeVerdict(4499), 'again');
  assert.equal(closeVerdict(4500), 'stop');
  assert.equal(closeVerdict(4999), 'stop');
  assert.equal(closeVerdict(1006), 'again');
  assert.equal(closeVerdict(1001), 'again');
});

test('waits double, are spread by chance and stay under their cap', () => {
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const ceiling = Math.min(30_000, 500 * 2 ** attempt);
    assert.equal(backoffMs(attempt, () => 0), ceiling / 2);
    assert.equal(backoffMs(attempt, () => 1), ceiling);
  }
});

test('a slot given by the server is kept, whatever the backoff says', () => {
  assert.equal(returnDelayMs({ attempt: 0, notBefore: 9_000 }, 1_000, () => 0), 8_000);
  assert.equal(returnDelayMs({ attempt: 0, notBefore: 500 }, 1_000, () => 0), 250);
});

test('silence is judged by the interval that the server told', () => {
  assert.ok(silenceLimitMs(25_000) > 25_000);
  assert.ok(silenceLimitMs(1_000) > 1_000);
});

test('a token is replaced in time, and not without pause', () => {
  assert.equal(refreshDelayMs(61_000, 1_000), 20_000);
  assert.equal(refreshDelayMs(11_000, 1_000), 5_000);
  assert.equal(refreshDelayMs(0, 1_000), 0);
});

test('only passing errors of repeatable commands are repeated', () => {
  const repeatable = { repeat: true, tries: 1 };
  assert.equal(repeatDelayMs({ code: 'unavailable', retry_after_ms: 70 }, repeatable, () => 0), 70);
  assert.ok(repeatDelayMs({ code: 'internal' }, repeatable, () => 0) > 0);
  assert.equal(repeatDelayMs({ code: 'rate_limited', retry_after_ms: 100 }, repeatable, () => 0), 100);
  assert.equal(repeatDelayMs({ code: 'rate_limited', retry_after_ms: 60_000 }, repeatable, () => 0), null);
  assert.equal(repeatDelayMs({ code: 'conflict' }, repeatable, () => 0), null);
  assert.equal(repeatDelayMs({ code: 'unavailable' }, { repeat: false, tries: 1 }, () => 0), null);
  assert.equal(repeatDelayMs({ code: 'unavailable' }, { repeat: true, tries: 5 }, () => 0), null);
  const elsewhere = { code: 'unavailable', retry_after_ms: 5_000, node: 'b' };
  assert.equal(repeatDelayMs(elsewhere, repeatable, () => 0), null, 'another node carries it, and goes on to');
  assert.equal(repeatDelayMs({ ...elsewhere, silent: true }, repeatable, () => 0), 5_000);
});

test('a refusal that names another node says where that is and whether it is heard of', () => {
  const carrier = (body) => new CommandError({ code: 'unavailable', ...body }).carrier;
  assert.deepEqual(carrier({ node: 'b', url: 'https://b.example' }), { node: 'b', url: 'https://b.example', isSilent: false });
  assert.deepEqual(carrier({ node: 'b', silent: true }), { node: 'b', url: null, isSilent: true });
  assert.equal(carrier({}), null);
});

test('the next offset is applied, an old one ignored', () => {
  const cursor = openedAt(4);
  assert.deepEqual(applied(cursor.push(item(5))), [5]);
  assert.deepEqual(cursor.push(item(5)), []);
  assert.deepEqual(cursor.push(item(3)), []);
  assert.deepEqual(cursor.position(), { epoch: 'a', offset: 5 });
});

test('a skip takes its place without being an event', () => {
  const cursor = openedAt(4);
  const steps = cursor.push({ offset: 5, skip: true });
  assert.equal(steps[0].item.skip, true);
  assert.deepEqual(applied(cursor.push(item(6))), [6]);
});

test('a jump holds what came and asks history for the hole, once', () => {
  const cursor = openedAt(4);
  assert.deepEqual(cursor.push(item(7)), [{ do: 'fetch', after: 4 }]);
  assert.deepEqual(cursor.push(item(8)), []);
  assert.deepEqual(applied(cursor.page({ epoch: 'a', offset: 8, publications: [item(5), item(6)], more: false })), [5, 6, 7, 8]);
});

test('a publication that is both in the page and held is applied once', () => {
  const cursor = openedAt(4);
  cursor.push(item(6));
  assert.deepEqual(applied(cursor.page({ epoch: 'a', offset: 7, publications: [item(5), item(6), item(7)], more: false })), [5, 6, 7]);
});

test('a recovery with more pages on, and holds the live ones until the last page', () => {
  const cursor = openedAt(0);
  const first = cursor.opened({ epoch: 'a', offset: 9, recovered: 'ok', publications: [item(1), item(2)], more: true });
  assert.deepEqual(first.at(-1), { do: 'fetch', after: 2 });
  assert.deepEqual(cursor.push(item(5)), []);
  const second = cursor.page({ epoch: 'a', offset: 5, publications: [item(3)], more: true });
  assert.deepEqual(second.at(-1), { do: 'fetch', after: 3 });
  assert.deepEqual(applied(cursor.page({ epoch: 'a', offset: 9, publications: [item(4)], more: false })), [4, 5]);
});

test('a recovery with a gap names the loss before the kept tail', () => {
  const cursor = openedAt(10);
  const steps = cursor.opened({ epoch: 'a', offset: 31, recovered: 'gap', gap: { from: 11, to: 29 }, publications: [item(30), item(31)], more: false });
  assert.deepEqual(kinds(steps), ['lost', 'apply', 'apply']);
  assert.deepEqual(steps[0], { do: 'lost', from: 11, to: 29 });
});

test('another epoch resets to the new position', () => {
  const cursor = openedAt(10);
  assert.deepEqual(kinds(cursor.opened({ epoch: 'b', offset: 2, recovered: 'reset', publications: [], more: false })), ['reset']);
  assert.deepEqual(cursor.position(), { epoch: 'b', offset: 2 });
});

test('another epoch in a history page asks to subscribe afresh, which counts as a reset', () => {
  const cursor = openedAt(4);
  cursor.push(item(9));
  assert.deepEqual(kinds(cursor.page({ epoch: 'b', offset: 2, publications: [], more: false })), ['resubscribe']);
  assert.deepEqual(kinds(cursor.opened({ epoch: 'b', offset: 2, recovered: 'new', publications: [], more: false })), ['reset']);
});

test('a slow gap is fetched, an expired one is reported and passed over', () => {
  const slow = openedAt(4);
  assert.deepEqual(slow.gap({ from: 5, to: 8, reason: 'slow' }), [{ do: 'fetch', after: 4 }]);
  const expired = openedAt(4);
  assert.deepEqual(expired.gap({ from: 5, to: 8, reason: 'expired' }), [{ do: 'lost', from: 5, to: 8 }]);
  assert.deepEqual(applied(expired.push(item(9))), [9]);
  assert.deepEqual(expired.gap({ from: 5, to: 8, reason: 'expired' }), []);
});

test('a head that moved without its publication is fetched', () => {
  const cursor = openedAt(4);
  assert.deepEqual(cursor.head(4), []);
  assert.deepEqual(cursor.head(6), [{ do: 'fetch', after: 4 }]);
  assert.deepEqual(cursor.head(6), [], 'not twice');
});

test('a hole that history no longer has is reported instead of asked for ever', () => {
  const cursor = openedAt(4);
  cursor.push(item(8));
  const steps = cursor.page({ epoch: 'a', offset: 8, publications: [], more: false });
  assert.deepEqual(kinds(steps), ['lost', 'apply']);
  assert.deepEqual(cursor.position().offset, 8);
});

test('more held than there is room for is fetched again', () => {
  const cursor = new ChannelCursor({ holdCount: 2 });
  cursor.opened({ epoch: 'a', offset: 0, recovered: 'new', publications: [], more: false });
  for (const offset of [2, 3, 4, 5]) cursor.push(item(offset));
  const steps = cursor.page({ epoch: 'a', offset: 1, publications: [item(1)], more: false });
  assert.deepEqual(applied(steps), [1, 2, 3]);
  assert.deepEqual(steps.at(-1), { do: 'fetch', after: 3 });
});

test('any order of arrival with any loss ends complete and in order', () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  const random = mulberry(seed);
  for (let round = 0; round < 300; round += 1) {
    const cursor = openedAt(0);
    const head = 1 + Math.floor(random() * 40);
    const seen = [];
    const owed = [];
    const obey = (steps) => {
      for (const step of steps) {
        if (step.do === 'apply') seen.push(step.item.offset);
        else if (step.do === 'fetch') owed.push(step.after);
        else assert.fail(`${step.do} in round ${round} of seed ${seed}`);
      }
    };
    const answer = () => {
      const after = owed.shift();
      const size = 1 + Math.floor(random() * 8);
      const publications = [];
      for (let offset = after + 1; offset <= head && publications.length < size; offset += 1) publications.push(item(offset));
      obey(cursor.page({ epoch: 'a', offset: head, publications, more: after + publications.length < head }));
    };
    const pushes = Array.from({ length: head }, (_, index) => index + 1).filter(() => random() > 0.3);
    for (const offset of pushes.sort(() => random() - 0.6)) {
      obey(cursor.push(item(offset)));
      if (owed.length > 0 && random() > 0.5) answer();
    }
    obey(cursor.head(head));
    while (owed.length > 0) answer();
    assert.deepEqual(seen, Array.from({ length: head }, (_, index) => index + 1), `round ${round} of seed ${seed}`);
  }
});

test('a state passes only if it is newer than the last of its key', () => {
  const versions = new StateVersions(2);
  assert.equal(versions.accept({ event: 'post.counts', key: 'p', version: 3 }), true);
  assert.equal(versions.accept({ event: 'post.counts', key: 'p', version: 3 }), false);
  assert.equal(versions.accept({ event: 'post.counts', key: 'p', version: 2 }), false);
  assert.equal(versions.accept({ event: 'comment.counts', key: 'p', version: 1 }), true);
  assert.equal(versions.accept({ event: 'post.counts', key: 'p', version: 4 }), true);
});

// --- whole conversations --------------------------------------------------------------------------------------------

test('connecting greets with the token and delivers a subscribed channel in order', async () => {
  const world = new World();
  const got = [];
  const client = world.client();
  client.subscribe('feed:x', { publication: (publication) => got.push(publication.offset) });
  client.start();
  await world.settle();
  const socket = world.accept();
  assert.equal(socket.sent[0][1], 'connect');
  assert.equal(socket.sent[0][2].token, 'token-1');
  socket.welcome();
  socket.answer('subscribe', { channel: 'feed:x', epoch: 'a', offset: 3, recovered: 'new', publications: [], more: false, states: [] });
  socket.push('publication', { channel: 'feed:x', ...item(4) });
  socket.push('publication', { channel: 'feed:x', ...item(6) });
  socket.answer('history', { epoch: 'a', offset: 6, publications: [item(5)], more: false });
  assert.deepEqual(got, [4, 5, 6]);
});

test('an unanswered command with an op is sent again with the same op, one without is given up', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  let socket = world.accept();
  socket.welcome();
  const kept = client.command('post.create', { op: 'one', content: 'hello' });
  const lost = client.command('post.get', { post_id: 'p' });
  const refused = assert.rejects(lost, (error) => error instanceof CommandError && error.code === 'disconnected');
  socket.close(1006);
  await refused;
  await world.advance(1_000);
  socket = world.accept();
  socket.welcome();
  const again = socket.last('post.create');
  assert.equal(again[2].op, 'one');
  socket.reply(again[0], 'ok', { post: { id: 'p' } });
  assert.deepEqual(await kept, { post: { id: 'p' } });
  assert.equal(socket.last('post.get'), undefined);
});

test('coming back resumes with the position, and a gap asks to load anew', async () => {
  const world = new World();
  const told = [];
  const client = world.client();
  client.subscribe('feed:x', { publication: (publication) => told.push(publication.offset), reset: () => told.push('reset') });
  client.start();
  await world.settle();
  let socket = world.accept();
  socket.welcome();
  socket.answer('subscribe', { channel: 'feed:x', epoch: 'a', offset: 3, recovered: 'new', publications: [], more: false, states: [] });
  socket.close(1006);
  await world.advance(1_000);
  socket = world.accept();
  assert.deepEqual(socket.sent[0][2].resume, { 'feed:x': { epoch: 'a', offset: 3 } });
  socket.welcome({ 'feed:x': { channel: 'feed:x', epoch: 'a', offset: 9, recovered: 'gap', gap: { from: 4, to: 7 }, publications: [item(8), item(9)], more: false, states: [] } });
  assert.deepEqual(told, ['reset', 8, 9]);
});

test('more channels than fit into resume follow by sync', async () => {
  const world = new World();
  const client = world.client();
  for (let n = 0; n < 40; n += 1) client.subscribe(`feed:${n}`, {});
  client.start();
  await world.settle();
  let socket = world.accept();
  socket.welcome();
  for (const [id, type, body] of [...socket.sent]) {
    if (type === 'subscribe') socket.reply(id, 'ok', { channel: body.channel, epoch: 'a', offset: 1, recovered: 'new', publications: [], more: false, states: [] });
  }
  socket.close(1006);
  await world.advance(1_000);
  socket = world.accept();
  const resumed = Object.entries(socket.sent[0][2].resume);
  assert.equal(resumed.length, 32);
  socket.welcome(Object.fromEntries(resumed.map(([channel, at]) => [channel, { channel, ...at, recovered: 'ok', publications: [], more: false, states: [] }])));
  assert.equal(socket.last('sync')[2].channels.length, 8);
  assert.equal(socket.last('subscribe'), undefined);
});

test('a drain keeps the slot of the reconnect push', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  socket.push('reconnect', { code: 4000, after_ms: 7_000 });
  socket.close(4000);
  await world.advance(6_900);
  assert.equal(world.sockets.length, 1);
  await world.advance(500);
  assert.equal(world.sockets.length, 2);
});

test('a final close code ends the attempts and cancels what waits', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  const waiting = assert.rejects(client.command('post.create', { op: 'x' }), { code: 'cancelled' });
  socket.close(4501);
  await waiting;
  await world.advance(120_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.status.at(-1).phase, 'stopped');
  assert.equal(world.status.at(-1).code, 4501);
});

test('an expired token is replaced before coming back', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  world.accept().welcome();
  world.sockets[0].close(4004);
  await world.advance(1_000);
  assert.deepEqual(world.asked, [false, true]);
  assert.equal(world.accept().sent[0][2].token, 'token-2');
});

test('a token about to expire is refreshed on the same socket', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  socket.push('token.expiring', { expires_at: world.now + 60_000 });
  await world.advance(20_000);
  assert.equal(socket.last('refresh')[2].token, 'token-2');
});

test('a connection that falls silent is given up, one that pings is not', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome({}, { ping_ms: 1_000 });
  for (let n = 0; n < 10; n += 1) {
    await world.advance(1_000);
    socket.push('ping', { at: 1, heads: {} });
  }
  assert.equal(client.phase, 'online');
  await world.advance(silenceLimitMs(1_000) + 1);
  assert.notEqual(client.phase, 'online');
});

test('a doubted connection that does not answer is replaced', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  await world.advance(10);
  client.check();
  assert.equal(socket.last('sync')[2].channels.length, 0);
  await world.advance(4_100);
  assert.equal(client.phase, 'waiting');
});

test('asking impatiently after a dead connection does not put off its end', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  world.accept().welcome();
  await world.advance(10);
  for (let asked = 0; asked < 2; asked += 1) {
    client.check();
    await world.advance(1_999);
  }
  assert.equal(client.phase, 'online', 'it has its four seconds');
  client.check();
  await world.advance(2);
  assert.equal(client.phase, 'waiting');
});

test('a connection that answered and dies at once after has four seconds from the next question', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  client.check();
  await world.advance(10);
  socket.answer('sync', { subscriptions: [] });
  await world.advance(1_000);
  client.check();
  await world.advance(3_999);
  assert.equal(client.phase, 'online');
  await world.advance(1);
  assert.equal(client.phase, 'waiting');
});

test('an unavailable answer is met by the same op again', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  const done = client.command('comment.add', { op: 'c', content: 'x' });
  socket.reply(socket.last('comment.add')[0], 'error', { code: 'unavailable', message: '', retry_after_ms: 300 });
  assert.equal(socket.count('comment.add'), 1);
  await world.advance(300);
  assert.equal(socket.count('comment.add'), 2);
  socket.reply(socket.last('comment.add')[0], 'ok', { comment: {} });
  assert.deepEqual(await done, { comment: {} });
});

test('a subscription that may not be is told, one that cannot be just now is asked again', async () => {
  const world = new World();
  const closed = [];
  const client = world.client();
  client.subscribe('feed:secret', { closed: (reason) => closed.push(reason) });
  client.subscribe('feed:busy', { closed: (reason) => closed.push(reason) });
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  socket.reply(socket.find('subscribe', 'feed:secret')[0], 'error', { code: 'not_found', message: '' });
  socket.reply(socket.find('subscribe', 'feed:busy')[0], 'error', { code: 'unavailable', message: '', retry_after_ms: 50 });
  assert.deepEqual(closed, ['not_found']);
  await world.advance(60);
  assert.equal(socket.sent.filter(([, type, body]) => type === 'subscribe' && body.channel === 'feed:busy').length, 2);
});

test('whoever stops following is not subscribed again by a repetition that waits', async () => {
  const world = new World();
  const client = world.client();
  const stop = client.subscribe('feed:busy', {});
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  socket.reply(socket.last('subscribe')[0], 'error', { code: 'unavailable', message: '', retry_after_ms: 50 });
  stop();
  await world.advance(1_000);
  assert.equal(socket.count('subscribe'), 1);

  const stopReading = client.subscribe('feed:read', {});
  socket.answer('subscribe', { channel: 'feed:read', epoch: 'a', offset: 1, recovered: 'new', publications: [], more: false, states: [] });
  socket.push('publication', { channel: 'feed:read', ...item(3) });
  socket.reply(socket.last('history')[0], 'error', { code: 'unavailable', message: '', retry_after_ms: 50 });
  stopReading();
  await world.advance(1_000);
  assert.equal(socket.count('history'), 1);
});

test('following anew while an older repetition waits asks once', async () => {
  const world = new World();
  const client = world.client();
  const stop = client.subscribe('feed:x', {});
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  socket.reply(socket.last('subscribe')[0], 'error', { code: 'unavailable', message: '', retry_after_ms: 50 });
  stop();
  const told = [];
  client.subscribe('feed:x', { opened: () => told.push('opened'), reset: () => told.push('reset') });
  socket.answer('subscribe', { channel: 'feed:x', epoch: 'a', offset: 1, recovered: 'new', publications: [], more: false, states: [] });
  await world.advance(1_000);
  assert.equal(socket.count('subscribe'), 2);
  assert.deepEqual(told, ['opened']);
});

test('a handler that throws is reported and costs nobody else a publication', async () => {
  const world = new World();
  const errors = [];
  const client = world.client({ onError: (error) => errors.push(error.message) });
  const got = [];
  client.subscribe('feed:x', {
    publication: ({ offset }) => {
      if (offset === 2) throw new Error('broken page');
      got.push(offset);
    },
  });
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  socket.answer('subscribe', { channel: 'feed:x', epoch: 'a', offset: 1, recovered: 'new', publications: [], more: false, states: [] });
  socket.push('publication', { channel: 'feed:x', ...item(3) });
  socket.answer('history', { epoch: 'a', offset: 3, publications: [item(2)], more: false });
  socket.push('publication', { channel: 'feed:x', ...item(4) });
  assert.deepEqual(got, [3, 4]);
  assert.deepEqual(errors, ['broken page']);
});

test('a skip, a slow gap and an expired one keep the order on a socket', async () => {
  const world = new World();
  const told = [];
  const client = world.client();
  client.subscribe('feed:x', { publication: ({ offset }) => told.push(offset), reset: ({ do: why }) => told.push(why) });
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  socket.answer('subscribe', { channel: 'feed:x', epoch: 'a', offset: 1, recovered: 'new', publications: [], more: false, states: [] });
  socket.push('skip', { channel: 'feed:x', offset: 2 });
  socket.push('publication', { channel: 'feed:x', ...item(3) });
  socket.push('gap', { channel: 'feed:x', from: 4, to: 5, reason: 'slow' });
  socket.push('publication', { channel: 'feed:x', ...item(6) });
  socket.answer('history', { epoch: 'a', offset: 6, publications: [item(4), { offset: 5, skip: true }], more: false });
  socket.push('gap', { channel: 'feed:x', from: 7, to: 9, reason: 'expired' });
  socket.push('publication', { channel: 'feed:x', ...item(10) });
  assert.deepEqual(told, [3, 4, 6, 'lost', 10]);
});

test('another epoch after coming back resets the states too', async () => {
  const world = new World();
  const told = [];
  const client = world.client();
  client.subscribe('post:p', { state: ({ version }) => told.push(version), reset: () => told.push('reset') });
  const counted = (version) => ({ event: 'post.counts', key: 'p', version, data: {} });
  client.start();
  await world.settle();
  let socket = world.accept();
  socket.welcome();
  socket.answer('subscribe', { channel: 'post:p', epoch: 'a', offset: 8, recovered: 'new', publications: [], more: false, states: [counted(7)] });
  socket.close(1006);
  await world.advance(1_000);
  socket = world.accept();
  socket.welcome({ 'post:p': { channel: 'post:p', epoch: 'b', offset: 1, recovered: 'reset', publications: [], more: false, states: [counted(2)] } });
  assert.deepEqual(told, [7, 'reset', 2]);
});

test('a server that sends people elsewhere is followed once, then the way home is tried', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  socket.push('reconnect', { code: 4000, after_ms: 100, url: 'ws://other/v1/ws' });
  socket.close(4000);
  await world.advance(1_000);
  assert.equal(world.sockets[1].url, 'ws://other/v1/ws');
  world.sockets[1].close(1006);
  await world.advance(2_000);
  assert.equal(world.sockets[2].url, 'ws://test/v1/ws');
});

test('a command that rests between two tries outlives the connection, and is sent once on the next', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  let socket = world.accept();
  socket.welcome();
  const done = client.command('post.create', { op: 'p' });
  socket.reply(socket.last('post.create')[0], 'error', { code: 'unavailable', message: '', retry_after_ms: 5_000 });
  socket.close(1006);
  await world.advance(1_000);
  socket = world.accept();
  socket.welcome();
  await world.advance(10_000);
  assert.equal(socket.count('post.create'), 1);
  socket.reply(socket.last('post.create')[0], 'ok', { post: {} });
  assert.deepEqual(await done, { post: {} });
});

test('a token that cannot be had in time is asked for again on the way back', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  let socket = world.accept();
  socket.welcome();
  world.tokenError = new Error('the server is away');
  socket.push('token.expiring', { expires_at: world.now + 60_000 });
  await world.advance(30_000);
  assert.equal(socket.count('refresh'), 0);
  assert.equal(client.phase, 'online');
  world.tokenError = null;
  socket.close(4004);
  await world.advance(1_000);
  assert.equal(world.asked.at(-1), true);
  assert.equal(world.accept().sent[0][2].token, `token-${world.asked.length}`);
});

test('unknown pushes and broken extras are ignored', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  socket.push('something.new', { channel: 'feed:x' });
  socket.onmessage({ data: '[0,"skip",{"channel":"feed:unknown","offset":3},"extra"]' });
  socket.onmessage({ data: '{}' });
  for (const type of ['ping', 'state', 'publication', 'reconnect', 'token.expiring']) socket.onmessage({ data: `[0,"${type}",null]` });
  assert.equal(client.phase, 'online');
});

test('what waits for its answer for longer than a second is told, and when nothing does any more', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  const told = () => world.status.filter(({ phase }) => phase === 'online').map(({ late }) => late);
  const command = (type) => client.command(type, {}, { repeat: true }).catch(() => {});
  command('feed.list');
  await world.advance(900);
  socket.answer('feed.list', {});
  await world.advance(5_000);
  assert.deepEqual(told(), [undefined], 'an answer within a second is no news');
  command('feed.list');
  await world.advance(600);
  command('community.list');
  await world.advance(600);
  assert.deepEqual(told(), [undefined, true]);
  socket.answer('feed.list', {});
  await world.advance(300);
  assert.deepEqual(told(), [undefined, true, false], 'the other has waited for less');
  await world.advance(200);
  assert.deepEqual(told(), [undefined, true, false, true]);
  socket.push('ping', {});
  assert.deepEqual(told(), [undefined, true, false, true], 'a push answers nothing');
  socket.answer('community.list', {});
  assert.deepEqual(told(), [undefined, true, false, true, false]);
  // A connection that is lost has nothing that waits for an answer.
  command('feed.list');
  await world.advance(2_000);
  const { length } = world.status;
  socket.close(1006);
  assert.deepEqual(world.status.slice(length).map(({ phase }) => phase), ['waiting']);
});

test('a connection whose life is in doubt says so after a second without an answer', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  const socket = world.accept();
  socket.welcome();
  client.check();
  await world.advance(999);
  assert.equal(world.status.at(-1).late, undefined);
  await world.advance(1);
  assert.equal(world.status.at(-1).late, true);
  socket.push('ping', {});
  assert.equal(world.status.at(-1).late, false, 'whatever comes shows that it lives');
  assert.equal(client.phase, 'online');
});

test('an attempt that hangs since before the network came back is made anew', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  client.check();
  await world.settle();
  assert.equal(world.sockets.length, 1, 'it has only begun');
  await world.advance(5_000);
  client.check();
  await world.settle();
  assert.equal(world.sockets.length, 2);
  world.accept().welcome();
  assert.equal(client.phase, 'online');
});

test('impatience leaves an attempt its time, and ends a wait', async () => {
  const world = new World();
  const client = world.client();
  client.start();
  await world.settle();
  for (let waited = 0; waited < 10_000; waited += 2_000) {
    await world.advance(2_000);
    client.hurry();
    await world.settle();
  }
  assert.equal(world.sockets.length, 1, 'a handshake over a slow way takes its seconds');
  await world.advance(2_000);
  assert.equal(client.phase, 'waiting', 'and not for ever');
  client.hurry();
  await world.settle();
  assert.equal(world.sockets.length, 2);
  world.accept().welcome();
  client.hurry();
  await world.advance(4_000);
  assert.equal(client.phase, 'waiting', 'a connection is asked whether it lives');
});

// --- the world of these tests ---------------------------------------------------------------------------------------

/** Virtual time, and sockets that are arrays. */
class World {
  now = 1_000_000;
  sockets = [];
  status = [];
  asked = [];
  tokenError = null;
  #timers = new Map();
  #nextTimer = 1;

  client(more = {}) {
    const world = this;
    return new Client({
      url: 'ws://test/v1/ws',
      client: { name: 'test', version: '1' },
      token: async ({ force }) => {
        world.asked.push(force);
        if (world.tokenError) throw world.tokenError;
        return `token-${world.asked.length}`;
      },
      onStatus: (status) => world.status.push(status),
      WebSocket: class extends FakeSocket {
        constructor(...given) {
          super(...given);
          world.sockets.push(this);
        }
      },
      random: () => 0.5,
      clock: {
        now: () => world.now,
        setTimeout: (run, ms) => {
          world.#timers.set(world.#nextTimer, { at: world.now + ms, run });
          return world.#nextTimer++;
        },
        clearTimeout: (timer) => world.#timers.delete(timer),
      },
      ...more,
    });
  }

  /** The newest socket, opened. */
  accept() {
    const socket = this.sockets.at(-1);
    socket.readyState = 1;
    socket.onopen({});
    return socket;
  }

  async settle() {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }

  async advance(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
      await this.settle();
    }
    this.now = end;
    await this.settle();
  }
}

class FakeSocket {
  readyState = 0;
  sent = [];

  constructor(url) {
    this.url = url;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason: '' });
  }

  reply(id, type, body) {
    this.onmessage({ data: JSON.stringify([id, type, body]) });
  }

  push(type, body) {
    this.reply(0, type, body);
  }

  welcome(subscriptions = {}, more = {}) {
    this.reply(this.last('connect')[0], 'ok', { session_id: 's', user: null, node: 'n', ping_ms: 25_000, subscriptions, ...more });
  }

  answer(type, body) {
    this.reply(this.last(type)[0], 'ok', body);
  }

  last(type) {
    return this.sent.filter((message) => message[1] === type).at(-1);
  }

  find(type, channel) {
    return this.sent.find((message) => message[1] === type && message[2].channel === channel);
  }

  count(type) {
    return this.sent.filter((message) => message[1] === type).length;
  }
}

/** A small seeded generator, so that a failure can be repeated with SEED. */
function mulberry(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
