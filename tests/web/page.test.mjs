// The page without a browser: merging of news, the dictionary, the login shared by two tabs, and the rules that every
// module of the page keeps.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { apartBy, editable, foldedName, isolated, length, mergeComment, mergePost, nameOf, newestFirst, oneLine, subtree, withReaction } from '../../src/web/app/model.js';
import { stateOf } from '../../src/web/app/connection.js';
import { ACCOUNT_RULES, needed } from '../../src/web/app/rules.js';
import { choose, flawOf, sourceSet } from '../../src/web/app/picturerules.js';

const web = new URL('../../src/web/', import.meta.url);
const modules = readdirSync(new URL('app/', web), { recursive: true }).filter((name) => name.endsWith('.js')).map((name) => ({ name, text: readFileSync(new URL(`app/${name}`, web), 'utf8') }));

const counts = (version, reactions = {}) => ({ version, reactions, comments: 0, shares: 0, external_shares: 0, views: 0 });
const post = (more) => ({ id: 'p', version: 1, content: 'old', author: { id: 'u' }, counts: counts(1), created_at: 0, ...more });

test('an older edit never replaces a newer one, whatever the order of arrival', () => {
  const merged = mergePost(post({ version: 3, content: 'new' }), post({ version: 2, title: 'gone since', counts: counts(9) }), null);
  assert.equal(merged.content, 'new');
  assert.equal(merged.title, undefined);
  assert.equal(merged.counts.version, 9);
});

test('a publication does not take away what a reply said of the reader', () => {
  const known = post({ my: { author: true, reaction: 'love' } });
  assert.deepEqual(mergePost(known, post({ version: 2 }), 'u').my, { author: true, reaction: 'love' });
  assert.deepEqual(mergePost(undefined, post(), 'u').my, { author: true });
  assert.deepEqual(mergePost(undefined, post({ author: null }), 'u').my, { author: false });
  assert.deepEqual(mergePost(undefined, post({ author: null }), null).my, { author: false });
});

test('an edited comment is not undone by the list that was read before', () => {
  const edited = { id: 'c', content: 'new', edited_at: 5, author: null, counts: counts(0) };
  assert.equal(mergeComment(edited, { ...edited, content: 'old', edited_at: undefined }, null).content, 'new');
});

test('one reaction moves from kind to kind, and empty kinds vanish', () => {
  assert.deepEqual(withReaction({ like: 1, love: 2 }, 'like', 'love'), { love: 3 });
  assert.deepEqual(withReaction({}, undefined, 'wow'), { wow: 1 });
  assert.deepEqual(withReaction({ wow: 1 }, 'wow', null), {});
});

test('a removed comment takes its whole subtree', () => {
  const comments = [{ id: 'd', parent_id: 'c' }, { id: 'c', parent_id: 'b' }, { id: 'b', parent_id: 'a' }, { id: 'a' }, { id: 'z' }];
  assert.deepEqual([...subtree(comments, 'b')].sort(), ['b', 'c', 'd']);
});

test('newest first, the id breaking ties', () => {
  const sorted = [{ id: 'a', created_at: 1 }, { id: 'c', created_at: 2 }, { id: 'b', created_at: 2 }].sort(newestFirst);
  assert.deepEqual(sorted.map(({ id }) => id), ['c', 'b', 'a']);
});

test('a post can be edited by its author for half an hour', () => {
  const mine = post({ created_at: 0, my: { author: true } });
  assert.equal(editable(mine, 30 * 60_000 - 1), true);
  assert.equal(editable(mine, 30 * 60_000), false);
  assert.equal(editable({ ...mine, my: { author: false } }, 1), false);
});

test('characters are counted as the server does', () => {
  assert.equal(length('e\u0301'), 1);
  assert.equal(length('😀'), 1);
});

test('members are counted by states, the newest of which holds whatever comes late', async () => {
  const { Communities } = await import('../../src/web/app/communities.js');
  const community = { id: 'c', name: 'Quay', path: ['Quay'], members: 1, my: { member: false, role: null } };
  const asked = [];
  const communities = new Communities({
    ask: async (type) => {
      asked.push(type);
      return { community: { ...community, members: 2, my: { member: true, role: 'member' } } };
    },
  });
  communities.put(community);
  const state = (version, members) => ({ event: 'community.counts', key: 'c', version, data: { community_id: 'c', version, members } });
  communities.counts(state(7, 7));
  communities.counts(state(6, 6));
  assert.equal(communities.get('c').members, 7);
  communities.counts({ ...state(9, 9), key: 'unknown' });
  assert.equal(communities.get('unknown'), undefined);
  await communities.setMember('c', true);
  assert.deepEqual(asked, ['community.join', 'community.get']);
  assert.equal(communities.get('c').members, 2, 'an answer is as new as the question');
  assert.equal(communities.get('c').my.member, true);
  communities.counts(state(8, 8));
  assert.equal(communities.get('c').members, 8);
});

test('members that a state told while an answer was on its way are not taken back by it', async () => {
  const { Communities } = await import('../../src/web/app/communities.js');
  const answers = [];
  const communities = new Communities({ ask: () => new Promise((answer) => answers.push(answer)) });
  const community = { id: 'c', name: 'Quay', path: ['Quay'], members: 1, my: { member: false, role: null } };
  communities.put(community);
  const loaded = communities.load('c');
  communities.counts({ key: 'c', version: 7, data: { community_id: 'c', version: 7, members: 7 } });
  answers[0]({ community: { ...community, members: 6, name: 'Old quay' } });
  await loaded;
  assert.deepEqual([communities.get('c').members, communities.get('c').name], [7, 'Old quay']);
  const listed = communities.loadChildren();
  communities.counts({ key: 'c', version: 8, data: { community_id: 'c', version: 8, members: 8 } });
  answers[1]({ communities: [{ ...community, members: 7 }] });
  await listed;
  assert.equal(communities.get('c').members, 8);
});

test('a name neither hides nor turns what stands beside it', () => {
  assert.equal(oneLine('\u202eevil\u202c \u2066x\u2069'), 'evil x');
  assert.equal(oneLine('a\u200bd\u2060m\ufeffin\n  two'), 'admin two');
  assert.equal(oneLine('می‌خواهم 👩‍👩‍👧'), 'می‌خواهم 👩‍👩‍👧', 'joiners belong to the writing');
  assert.equal(nameOf({ name: '\u200b\u3164\u2800', username: 'ada' }), 'ada');
  assert.equal(nameOf({ name: '\u202e', username: 'ada' }), 'ada');
  assert.equal(nameOf({ name: ' Ada ', username: 'ada' }), 'Ada');
  assert.equal(isolated('Ada'), 'Ada');
  assert.equal(isolated('عمر'), '\u2068عمر\u2069');
  assert.equal(isolated('\u202eabc\u2069'), '\u2068abc\u2069', 'nobody closes the fence from inside');
});

test('while a name is typed only what more typing cannot mend is wrong', () => {
  const { username, password, email, name } = ACCOUNT_RULES;
  assert.equal(username('ada.l-1_'), null);
  assert.deepEqual(username('ab'), { key: 'rule.short', values: { count: 1 }, soon: false });
  assert.deepEqual(username('a b'), { key: 'rule.username.space', soon: true });
  assert.deepEqual(username('zoé!'), { key: 'rule.username.characters', values: { characters: 'é !' }, soon: true });
  assert.deepEqual(username('x'.repeat(33)), { key: 'rule.long', values: { count: 32 }, soon: true });
  assert.deepEqual(password('1234567'), { key: 'rule.short', values: { count: 1 }, soon: false });
  assert.equal(password('😀'.repeat(8)), null);
  assert.equal(password('x'.repeat(129)).soon, true);
  assert.equal(name(''), null);
  assert.equal(name('x'.repeat(81)).key, 'rule.long');
  assert.equal(email('ada@example.org'), null);
  assert.equal(email('ada@localhost'), null);
  assert.equal(email('ada').soon, false);
  assert.equal(email('ada lovelace@example.org').soon, true);
  assert.equal(email('').key, 'rule.empty');
  assert.equal(needed(3)('  ').key, 'rule.empty');
  assert.deepEqual(needed(3)('four'), { key: 'rule.long', values: { count: 3 }, soon: true });
  assert.equal(needed(3)(' 😀😀😀 '), null);
});

test('communities of one name are told apart by when they began, as precisely as it takes', () => {
  const at = (...time) => ({ id: 'b', created_at: new Date(2025, 4, ...time).getTime() });
  const by = (precision, rank = null) => ({ precision, rank });
  assert.equal(apartBy(at(3, 14, 5), []), null);
  assert.deepEqual(apartBy(at(3, 14, 5), [at(4, 14, 5)]), by('day'));
  assert.deepEqual(apartBy(at(3, 14, 5), [at(4, 14, 5), at(3, 9, 0)]), by('minute'));
  assert.deepEqual(apartBy(at(3, 14, 5, 1), [at(3, 14, 5, 40)]), by('second'));
  const [first, last] = [{ ...at(3, 14, 5, 1), id: 'a' }, { ...at(3, 14, 5, 1), id: 'c' }];
  assert.deepEqual([apartBy(first, [last]), apartBy(last, [first])], [by('second', 1), by('second', 2)], 'began in one second');
  assert.equal(foldedName(' Market\u200b  street'), foldedName('MARKET street'));
  assert.notEqual(foldedName('Market'), foldedName('Markets'));
});

test('only communities that lie side by side under one name say since when they are there', async () => {
  const { Communities } = await import('../../src/web/app/communities.js');
  const communities = new Communities({});
  const put = (id, name, parent) => communities.put({ id, name, parent_id: parent, path: parent ? ['Town', name] : [name], members: 1, created_at: 0 });
  const [market, twin, inner] = [put('a', 'Market'), put('b', 'market '), put('c', 'Market', 't')];
  put('t', 'Town');
  assert.deepEqual([communities.apart(market)?.rank, communities.apart(twin)?.rank], [1, 2]);
  assert.equal(communities.apart(inner), null, 'its place says enough');
  assert.equal(communities.isOnlyOne(inner), false);
  assert.equal(communities.isOnlyOne(communities.get('t')), true);
  put('b', 'Harbour');
  assert.equal(communities.apart(market), null, 'the other bears another name now');
});

test('a community that somebody else opens is there at once, also while the lists are on their way', async () => {
  const { Communities } = await import('../../src/web/app/communities.js');
  const world = { answers: [], complaints: [], shown: 0 };
  const communities = new Communities({
    ask: () => new Promise((answer, fail) => world.answers.push({ answer, fail })),
    follow: (channel, listener) => Object.assign(world, { channel, listener }),
  });
  const community = (id, more) => ({ id, name: id, path: [id], members: 1, created_at: 0, ...more });
  const created = (id, more) => world.listener.publication({ event: 'community.created', data: { community: community(id, more) } });
  const names = (parent) => communities.children(parent)?.map(({ name }) => name);
  communities.follow((error) => world.complaints.push(error.code));
  assert.equal(world.channel, 'communities');
  world.listener.opened();
  const looked = communities.explore();
  world.answers.shift().answer({ communities: [community('old')] });
  await new Promise(setImmediate);
  created('new');
  communities.changed.listen(() => (world.shown += 1));
  created('new');
  assert.deepEqual([names(), world.shown], [['new', 'old'], 0], 'what is known already changes nothing');
  created('inner', { parent_id: 'new', path: ['new', 'inner'] });
  assert.deepEqual([names('new'), names('inner')], [['inner'], []], 'nothing is unfolded where nothing is');
  const again = communities.loadChildren();
  created('newer');
  world.answers.pop().answer({ communities: [community('old'), community('new')] });
  await again;
  assert.deepEqual(names(), ['new', 'newer', 'old'], 'an older answer takes none away');
  communities.put(community('mine', { my: { member: true, role: 'moderator' } }));
  created('mine');
  assert.deepEqual(communities.joined().map(({ id }) => id), ['mine'], 'one is still a member of what one has opened');
  world.answers.shift().fail(Object.assign(new Error('away'), { code: 'unavailable' }));
  await looked.catch(() => {});
  assert.deepEqual(world.complaints, ['unavailable']);
  world.listener.publication({ event: 'community.renamed', data: {} });
});

test('whoever comes back to the page often does not make it read every list each time', async () => {
  const { Communities } = await import('../../src/web/app/communities.js');
  const world = { now: 0, asked: 0 };
  const ask = async () => ({ communities: [], asked: (world.asked += 1) });
  const communities = new Communities({ stands: true, ask }, () => world.now);
  await communities.exploreIfLongAgo();
  world.now += 4 * 60_000;
  await communities.exploreIfLongAgo();
  assert.equal(world.asked, 1);
  await communities.explore();
  assert.equal(world.asked, 2, 'whoever asks for it gets it');
  world.now += 5 * 60_000;
  await communities.exploreIfLongAgo();
  assert.equal(world.asked, 3);
  await new Communities({ stands: false, ask }, () => world.now).exploreIfLongAgo();
  assert.equal(world.asked, 3, 'nothing is asked where nothing answers');
});

test('the page claims to be online only while nothing waits for an answer', () => {
  const network = (status, more) => stateOf(status, { hasNetwork: true, wasOnline: true, ...more });
  assert.equal(network({ phase: 'online' }), 'online');
  assert.equal(network({ phase: 'online' }, { hasNetwork: false }), 'online', 'a server on this machine answers without any network');
  assert.equal(network({ phase: 'online', late: true }), 'unanswered');
  assert.equal(network({ phase: 'online', late: true }, { hasNetwork: false }), 'offline');
  assert.equal(network({ phase: 'waiting', attempt: 1 }), 'reconnecting');
  assert.equal(network({ phase: 'waiting', attempt: 1 }, { hasNetwork: false }), 'offline');
  assert.equal(network({ phase: 'waiting', attempt: 4 }), 'offline');
  assert.equal(network({ phase: 'connecting' }, { wasOnline: false }), 'connecting');
  assert.equal(network({ phase: 'stopped' }), 'closed');
});

test('every word exists in both languages, with the same blanks to fill', async () => {
  const { DICTIONARY } = await import('../../src/web/app/dictionary.js');
  const blanks = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
  for (const [key, entry] of Object.entries(DICTIONARY)) {
    for (const form of entry.other ? [entry.one, entry.other] : [entry]) {
      assert.ok(form.en && form.fr, key);
      assert.deepEqual(blanks(form.en), blanks(form.fr), key);
      assert.doesNotMatch(form.fr, / [:;?!»]|« /, `${key}: French punctuation hangs on by a no-break space`);
    }
  }
  for (const { name, text } of modules) {
    for (const [, key] of text.matchAll(/\bt\('([\w.]+)'/g)) assert.ok(key in DICTIONARY, `${key} in ${name}`);
  }
});

test('what people write is never parsed as markup, and no style or script is inline', () => {
  const index = readFileSync(new URL('index.html', web), 'utf8');
  assert.doesNotMatch(index, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  for (const { name, text } of modules) {
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function/, name);
    assert.doesNotMatch(text, /setAttribute\('style'/, name);
    assert.doesNotMatch(text, /https?:\/\/(?!www\.w3\.org)\w/, name);
  }
});

test('every name that a browser test may use is told at the top of main.js', () => {
  const told = modules.find(({ name }) => name === 'main.js').text.split('\nimport ')[0];
  for (const { name, text } of modules) {
    for (const [, testid] of text.matchAll(/testid: '([\w-]+)'/g)) {
      const family = testid.replace(/^(auth-to|toast)-.*/, '$1');
      assert.ok(told.includes(family), `${testid} of ${name}`);
    }
  }
});

test('every stylesheet is linked, and whole', () => {
  const index = readFileSync(new URL('index.html', web), 'utf8');
  for (const name of readdirSync(new URL('css/', web))) {
    assert.ok(index.includes(`href="css/${name}"`), name);
    const text = readFileSync(new URL(`css/${name}`, web), 'utf8').replace(/\/\*.*?\*\//gs, '');
    assert.equal(text.split('{').length, text.split('}').length, `${name}: every brace has its other`);
  }
});

test('every icon that is asked for is drawn', () => {
  const drawn = new Set([...readFileSync(new URL('index.html', web), 'utf8').matchAll(/<symbol id="icon-([\w-]+)"/g)].map((match) => match[1]));
  for (const { name, text } of modules) {
    for (const [, symbol] of text.matchAll(/(?:\bicon\(|symbol: )'([\w-]+)'/g)) assert.ok(drawn.has(symbol), `${symbol} of ${name}`);
  }
});

test('two tabs use a refresh token once', async () => {
  const { Account, world } = await accounts({ expires_at: Date.now() - 1 });
  const [one, other] = [new Account(), new Account()];
  const tokens = await Promise.all([one.token({}), other.token({}), one.token({}), other.token({})]);
  assert.deepEqual(new Set(tokens), new Set(['access-1']));
  assert.deepEqual(world.used, ['refresh-0']);
});

test('a token that the server refused is replaced even if it looks fresh', async () => {
  const { Account, world } = await accounts({ expires_at: Date.now() + 3_600_000 });
  const account = new Account();
  assert.equal(await account.token({}), 'access-0');
  assert.equal(await account.token({ force: true }), 'access-1');
  assert.deepEqual(world.used, ['refresh-0']);
});

test('a login that the server has ended makes a guest, a server that is away does not', async () => {
  const { Account, world } = await accounts({ expires_at: Date.now() - 1 });
  const account = new Account();
  const reasons = [];
  account.changed.listen((reason) => reasons.push(reason));
  world.answer = { status: 503, body: { code: 'unavailable', message: '' } };
  await assert.rejects(account.token({}));
  assert.equal(account.user.id, 'u');
  world.answer = { status: 401, body: { code: 'unauthenticated', message: '' } };
  assert.equal(await account.token({}), null);
  assert.equal(account.user, null);
  assert.deepEqual(reasons, ['expired']);
});

test('whether what is asked now goes out is asked of the connection, for which `online` is one of two answers', () => {
  for (const { name, text } of modules) assert.doesNotMatch(text, /connection\.state === 'online'/, name);
});

test('no module asks from the root of its address: the page works under a path', () => {
  for (const { name, text } of modules) assert.doesNotMatch(text, /['"`]\/(v1|readyz|healthz)/, name);
});

/** The account module over a storage and a server made of variables. */
async function accounts({ expires_at }) {
  const stored = new Map([['cc.session', JSON.stringify({ user: { id: 'u' }, access_token: 'access-0', refresh_token: 'refresh-0', expires_at })]]);
  const world = { used: [], answer: null };
  globalThis.addEventListener ??= () => {};
  Object.defineProperty(globalThis, 'localStorage', {
    configurable: true,
    value: { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value), removeItem: (key) => stored.delete(key) },
  });
  globalThis.fetch = async (path, { body }) => {
    world.used.push(JSON.parse(body).refresh_token);
    const count = world.used.length;
    const fresh = { user: { id: 'u' }, access_token: `access-${count}`, refresh_token: `refresh-${count}`, expires_at: Date.now() + 3_600_000 };
    const { status, body: answer } = world.answer ?? { status: 200, body: fresh };
    return { ok: status === 200, status, json: async () => answer };
  };
  const { Account } = await import('../../src/web/app/account.js');
  return { Account, world };
}

test('of chosen files pictures are taken, five at most, and the first reason against one is told', () => {
  const file = (type, size = 10) => ({ type, size });
  const png = file('image/png');
  assert.deepEqual(choose([png, file('text/html'), file('image/webp')], 0), { taken: [png, file('image/webp')], flaw: 'type' });
  assert.deepEqual(choose([png, png], 4), { taken: [png], flaw: 'count' });
  assert.deepEqual(choose([file('image/jpeg', 10485761)], 0), { taken: [], flaw: 'size' });
  assert.equal(flawOf(file('image/jpeg', 10485760)), null);
});

test('a browser is told how wide each variant of a picture is', () => {
  const urls = { original: '/o', large: '/l', medium: '/m', thumb: '/t' };
  assert.equal(sourceSet({ width: 3000, height: 2000, urls }), '/m 600w, /l 1600w');
  assert.equal(sourceSet({ width: 1000, height: 2000, urls }), '/m 300w, /l 800w');
  assert.equal(sourceSet({ width: 800, height: 400, urls }), '/m 600w, /l 800w');
  assert.equal(sourceSet({ width: 30, height: 20, urls }), '/m 30w');
});
