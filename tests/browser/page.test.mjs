// The page in Chromium against the real binary: what one person does, another sees without a reload.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Network, PATIENCE } from './harness.mjs';
import { assertNoComplaints, fresh, open, pair, stage } from './stage.mjs';

test('what one person posts, reacts, comments, replies, edits and deletes, another sees without a reload', async () => {
  const { alice, bob, community } = await pair();
  await bob.page.evaluate(() => (window.neverReloaded = true));

  await alice.post('The ferry leaves at nine', 'Timetable');
  const seen = bob.card('The ferry leaves at nine');
  await seen.waitFor();
  assert.match(await bob.at('post-title', seen).innerText(), /Timetable/);
  assert.match(await bob.at('post-author', seen).innerText(), /Alice/);
  assert.equal(await alice.card('The ferry leaves at nine').count(), 1, 'the pending copy became the post');

  await bob.press('reaction-like', seen);
  await alice.card('The ferry').locator('[data-testid=reaction-count-like][data-count="1"]').waitFor();
  await bob.press('react-open', seen);
  await bob.press('react-love', seen);
  const hers = alice.card('The ferry');
  await hers.locator('[data-testid=reaction-count-love][data-count="1"]').waitFor();

  await bob.press('post-comments', seen);
  await bob.at('comment-content-input').first().fill('From which pier?');
  await bob.press('comment-submit');
  await bob.at('comment').filter({ hasText: 'From which pier?' }).waitFor();
  await hers.locator('[data-testid=comment-count][data-count="1"]').waitFor();
  await alice.press('post-comments', hers);
  const comment = alice.at('comment').filter({ hasText: 'From which pier?' }).first();
  await comment.waitFor();
  await alice.press('comment-reply', comment);
  await alice.at('reply-content').first().fill('The second one');
  await alice.press('reply-submit');
  await bob.at('comment').filter({ hasText: 'The second one' }).last().waitFor();
  const depth = await bob.at('comment').filter({ hasText: 'The second one' }).last().getAttribute('data-depth');
  assert.equal(depth, '1');
  // Bob hears of the reply, wherever he looks.
  await bob.page.locator('[data-testid=unread-badge]:not([data-count="0"])').first().waitFor({ state: 'attached' });

  await alice.visit(`#/c/${community}`);
  await bob.visit(`#/c/${community}`);
  const own = alice.card('The ferry leaves at nine').first();
  await alice.press('post-menu', own);
  await alice.press('post-edit');
  await alice.at('edit-content').fill('The ferry leaves at ten');
  await alice.press('edit-save');
  await bob.card('The ferry leaves at ten').waitFor();
  await bob.at('post-edited', bob.card('The ferry leaves at ten')).waitFor();
  await alice.press('post-menu', alice.card('leaves at ten').first());
  await alice.press('post-delete');
  await alice.press('confirm-yes');
  await bob.card('The ferry leaves at ten').waitFor({ state: 'detached' });
  await alice.card('The ferry leaves at ten').waitFor({ state: 'detached' });
  assert.equal(await bob.page.evaluate(() => window.neverReloaded), true);
  assertNoComplaints(alice);
  assertNoComplaints(bob);
});

test('a post is shared, shared with a comment, taken back, and carried to other places, and others see the count', async () => {
  const { alice, bob } = await pair();
  await alice.post('Pass this on & on');
  const card = bob.card('Pass this on');
  await card.waitFor();
  await bob.press('share-open', card);
  await bob.press('share-toggle');
  await alice.card('Pass this on').locator('[data-testid=share-count][data-count="1"]').waitFor();
  await bob.page.locator('[data-testid=share-toggle][aria-pressed=true]').waitFor();
  await bob.press('repost-submit'); // nothing said: refused, in words
  await bob.page.locator('[data-testid=repost-comment][aria-invalid]').waitFor();
  await bob.at('repost-comment').fill('All of you');
  await bob.press('repost-submit');
  await bob.at('repost-undo').waitFor();
  await bob.page.locator('[data-testid=share-item]', { hasText: 'All of you' }).waitFor();
  assert.equal(await bob.at('share-item').count(), 2, 'the share and the repost');
  await alice.card('Pass this on').locator('[data-testid=share-count][data-count="2"]').waitFor();
  await bob.press('share-toggle');
  await alice.card('Pass this on').locator('[data-testid=share-count][data-count="1"]').waitFor();
  await bob.page.waitForFunction(() => document.querySelectorAll('[data-testid=share-item]').length === 1);
  await bob.press('share-to-telegram');
  const link = await bob.at('share-link-telegram').getAttribute('href');
  const carried = new URL(link);
  assert.equal(carried.searchParams.get('text'), 'Pass this on & on');
  await bob.press('dialog-close');
  await bob.page.locator('[data-testid=share-open][aria-pressed=true]').first().waitFor();
  // Who follows the link comes to the post.
  await bob.page.goto(carried.searchParams.get('url'));
  await bob.card('Pass this on').first().waitFor();
  assert.match(bob.page.url(), /#\/p\//);
  await alice.page.locator('[data-testid=unread-badge]:not([data-count="0"])').first().waitFor({ state: 'attached' });
  assertNoComplaints(alice);
  assertNoComplaints(bob);
});

test('an author sees how a post is received while it happens, and nobody else does', async () => {
  const { alice, bob } = await pair();
  await alice.post('Count me');
  await bob.card('Count me').waitFor();
  await alice.card('Count me').locator('a[href^="#/p/"]').first().click();
  await alice.at('post-figures').locator('summary').click();
  const figure = (name, value) => alice.page.locator(`[data-testid=figures-${name}][data-value="${value}"]`).waitFor();
  await figure('reactions', 0);
  await figure('label', 'normal');
  await bob.card('Count me').locator('a[href^="#/p/"]').first().click();
  await figure('views', 2);
  await bob.press('share-open');
  await bob.press('share-toggle');
  await bob.press('share-to-telegram');
  await bob.at('share-link-telegram').waitFor();
  await bob.press('dialog-close');
  await figure('shares', 1);
  await figure('rate', 50);
  await figure('label', 'popular');
  await figure('elsewhere', 1);
  await figure('unique', 1);
  await alice.at('figures-platforms').waitFor();
  assert.equal(await bob.at('post-figures').count(), 0);
  assertNoComplaints(alice);
  assertNoComplaints(bob);
});

test('a page whose network was cut says so, keeps what is written, and catches up by itself', async () => {
  const { alice, bob } = await pair();
  await alice.post('before the cut');
  await bob.card('before the cut').waitFor();
  const cutOff = await Network.before(stage.server);
  try {
    // Bob moves behind a network of his own, so that Alice's stays whole.
    const hash = new URL(bob.page.url()).hash;
    await bob.page.goto(`${cutOff.origin}/`);
    await bob.online();
    await bob.press('login-open');
    await bob.at('login-username').fill(bob.username);
    await bob.at('login-password').fill(`correct horse ${bob.username}`);
    await bob.press('login-submit');
    await bob.at('me').first().waitFor({ state: 'attached' });
    await bob.visit(hash);
    await bob.card('before the cut').waitFor();

    cutOff.cut();
    await bob.page.locator('[data-testid=connection-state]:not([data-state=online])').waitFor({ state: 'attached' });
    await alice.post('said meanwhile');
    await alice.post('and this');
    await alice.press('reaction-like', alice.card('before the cut'));
    await alice.card('before the cut').locator('[data-testid=reaction-count-like][data-count="1"]').waitFor();
    await bob.post('written in the dark');
    assert.equal(await bob.card('said meanwhile').count(), 0);

    cutOff.restore();
    await bob.online();
    for (const text of ['said meanwhile', 'and this', 'written in the dark']) {
      await bob.card(text).waitFor();
      assert.equal(await bob.card(text).count(), 1, `${text}: once`);
    }
    await bob.card('before the cut').locator('[data-testid=reaction-count-like][data-count="1"]').waitFor();
    await alice.card('written in the dark').waitFor();
    assert.equal(await alice.card('written in the dark').count(), 1);
    assertNoComplaints(bob, { cut: true });
    assertNoComplaints(alice);
  } finally {
    await cutOff.close();
  }
});

test('whoever comes back to a feed is told of what came above what they see, and of nothing that they see', async () => {
  const { alice, bob, community } = await pair();
  await bob.page.setViewportSize({ width: 390, height: 500 });
  for (let number = 1; number <= 4; number += 1) await alice.post(`Post ${number}\n\n\n\n\n\n\nwith much to read`);
  await bob.card('Post 4').waitFor();
  const meanwhile = async (content) => {
    await bob.visit('#/communities');
    await bob.at('community-create').waitFor();
    await alice.post(content);
    await alice.page.locator('[data-testid=post-card][data-pending=false]').filter({ hasText: content }).waitFor();
    await bob.visit(`#/c/${community}`);
    await bob.card(content).waitFor({ state: 'attached' });
  };
  await bob.card('Post 1').scrollIntoViewIfNeeded();
  await meanwhile('Far above');
  await bob.at('feed-new').waitFor();
  await bob.press('feed-new');
  await bob.at('feed-new').waitFor({ state: 'hidden' });
  await bob.page.waitForFunction(() => scrollY === 0);
  await meanwhile('In sight');
  await bob.at('feed-new').waitFor({ state: 'hidden' });
  assert.match(await bob.card('In sight').getAttribute('class'), /post-new/, 'it is marked where it stands');
});

test('a page whose words find no answer does not claim to be online', async () => {
  const slow = await Network.before(stage.server);
  try {
    const person = await open({}, slow);
    await person.register(fresh('dana'), 'Dana');
    await person.makeCommunity(fresh('Lighthouse '));
    const state = (name) => person.page.locator(`[data-testid=connection-state][data-state=${name}]`).waitFor({ state: 'attached' });
    slow.hold();
    await person.post('is anybody there?');
    await state('unanswered');
    await person.context.setOffline(true);
    await state('offline');
    await person.context.setOffline(false);
    slow.release();
    await person.online();
    await person.card('is anybody there?').and(person.page.locator('[data-pending=false]')).waitFor();
    assert.equal(await person.card('is anybody there?').count(), 1);
    assertNoComplaints(person, { cut: true });
  } finally {
    await slow.close();
  }
});

test('whoever reads a post behind a cut network finds its comments as they are now', async () => {
  const { alice, bob } = await pair();
  await alice.post('long talk');
  await alice.press('post-comments', alice.card('long talk'));
  await alice.at('comment-content-input').fill('first');
  await alice.press('comment-submit');
  const first = alice.at('comment').filter({ hasText: 'first' });
  await first.and(alice.page.locator('[data-comment-id]')).waitFor();

  const weak = await Network.before(stage.server);
  try {
    const reader = await open({}, weak);
    await reader.visit(new URL(alice.page.url()).hash);
    const read = reader.at('comment').filter({ hasText: 'first' }).first();
    await read.waitFor();
    weak.cut();
    await reader.page.locator('[data-testid=connection-state]:not([data-state=online])').waitFor({ state: 'attached' });

    await bob.press('post-comments', bob.card('long talk'));
    await bob.press('reaction-like', bob.at('comment').filter({ hasText: 'first' }).first());
    await alice.press('comment-reply', first);
    await alice.at('reply-content').fill('second');
    await alice.press('reply-submit');
    await alice.at('comment').filter({ hasText: 'second' }).last().and(alice.page.locator('[data-comment-id]')).waitFor();
    await first.first().locator('[data-testid=reaction-count-like][data-count="1"]').first().waitFor();

    weak.restore();
    await reader.online();
    await reader.at('comment').filter({ hasText: 'second' }).last().waitFor();
    await read.locator('[data-testid=reaction-count-like][data-count="1"]').first().waitFor();
    assert.equal(await reader.at('comment').count(), 2);
    assertNoComplaints(reader, { cut: true });
  } finally {
    await weak.close();
  }
});

test('kill -9 of the server: both pages come back with the same state', async () => {
  const { alice, bob } = await pair();
  await alice.post('survives');
  await bob.card('survives').waitFor();
  await stage.server.kill();
  await alice.page.locator('[data-testid=connection-state]:not([data-state=online])').waitFor({ state: 'attached' });
  await alice.post('written while it was down');
  await alice.at('post-state', alice.card('written while it was down')).waitFor();
  await stage.server.restart();
  await alice.online();
  await bob.online();
  await bob.post('after the restart');
  await alice.card('after the restart').waitFor();
  await bob.card('written while it was down').waitFor();
  for (const person of [alice, bob]) {
    assert.equal(await person.card('survives').count(), 1);
    assert.equal(await person.card('written while it was down').count(), 1, 'once');
    assertNoComplaints(person, { cut: true });
  }
});

test('two people who react at once see the same count', async () => {
  const { alice, bob } = await pair();
  await alice.post('count me');
  await bob.card('count me').waitFor();
  await Promise.all([alice.press('reaction-like', alice.card('count me')), bob.press('reaction-like', bob.card('count me'))]);
  for (const person of [alice, bob]) {
    await person.card('count me').locator('[data-testid=reaction-count-like][data-count="2"]').waitFor();
    assert.equal(await person.card('count me').locator('[data-testid=reaction-like]').getAttribute('aria-pressed'), 'true');
  }
});

test('a guest reads along and is asked to register', async () => {
  const { alice, community } = await pair();
  const guest = await open();
  await guest.visit(`#/c/${community}`);
  await alice.post('everybody may read this');
  await guest.card('everybody may read this').waitFor();
  assert.equal(await guest.at('me').count(), 0);
  assert.ok((await guest.at('register-open').count()) > 0);
  assertNoComplaints(guest);
});

test('logging out in one tab ends the other, and logging in again shows oneself', async () => {
  const person = await open();
  const username = fresh('casey');
  await person.register(username, 'Casey');
  const second = await person.context.newPage();
  await second.goto(stage.network.origin);
  await second.getByTestId('me').first().waitFor({ state: 'attached' });
  await person.press('logout');
  await person.at('login-open').first().waitFor();
  await second.getByTestId('login-open').first().waitFor({ timeout: PATIENCE });
  await person.press('login-open');
  await person.at('login-username').fill(username);
  await person.at('login-password').fill(`correct horse ${username}`);
  await person.press('login-submit');
  await person.at('me').first().waitFor({ state: 'attached' });
  assert.match(await person.at('me-name').first().innerText(), /Casey/);
});

test('the page fits a phone and speaks French', async () => {
  const person = await open({ viewport: { width: 390, height: 844 }, locale: 'fr-FR', colorScheme: 'dark' });
  await person.page.waitForFunction(() => document.documentElement.lang === 'fr');
  const wide = await person.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, 'nothing sticks out to the side');
  assertNoComplaints(person);
});

test('a community that somebody else opens shows by itself, once', async () => {
  const { alice, bob } = await pair();
  await bob.visit('#/communities');
  await bob.at('community-item').first().waitFor();
  const name = fresh('Newest ');
  await alice.makeCommunity(name);
  const shown = bob.at('community-item').filter({ hasText: name });
  await shown.waitFor();
  await bob.visit('#/');
  await bob.visit('#/communities');
  await shown.waitFor();
  assert.equal(await shown.count(), 1);
});
