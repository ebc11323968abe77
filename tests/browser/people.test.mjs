// People and what lies between them: blocks and their end, communities and their numbers, and what cannot be loaded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNoComplaints, fresh, open, pair } from './stage.mjs';

test('after unblocking somebody every feed shows again what it left out', async () => {
  const { alice, bob, community } = await pair();
  await alice.post('the lost words');
  await bob.card('the lost words').waitFor();
  const profile = await bob.at('post-author', bob.card('the lost words')).getAttribute('href');
  await bob.visit('#/');
  await bob.card('the lost words').waitFor();
  await bob.visit(`#/c/${community}`);
  await bob.press('post-menu', bob.card('the lost words'));
  await bob.press('post-block');
  await bob.press('confirm-yes');
  await bob.card('the lost words').waitFor({ state: 'detached' });
  await bob.visit('#/');
  await bob.at('feed-empty').waitFor();

  await bob.visit(profile);
  await bob.page.locator('[data-testid=block][aria-pressed=true]').click();
  await bob.page.locator('[data-testid=block][aria-pressed=false]').waitFor();
  await bob.card('the lost words').waitFor();
  for (const hash of [`#/c/${community}`, '#/']) {
    await bob.visit(hash);
    await bob.card('the lost words').waitFor();
  }
  // And what is written from now on arrives by itself.
  await alice.post('the new words');
  await bob.card('the new words').waitFor();
  assertNoComplaints(bob);
});

test('joining and leaving show in the number of members', async () => {
  const { bob, community } = await pair();
  const members = (count) => bob.at('community-members').filter({ hasText: `${count} member` }).waitFor();
  await members(2);
  await bob.page.locator('[data-testid=community-join][data-member=true]').click();
  await members(1);
  await bob.at('composer').waitFor({ state: 'hidden' });
  await bob.page.locator('[data-testid=community-join][data-member=false]').click();
  await members(2);
  await bob.at('composer').waitFor();
  assert.match(bob.page.url(), new RegExp(community));
});

test('comments that could not be loaded say so, and are asked for again', async () => {
  const { alice, bob } = await pair();
  await alice.post('talk to me');
  await bob.press('post-comments', bob.card('talk to me'));
  await bob.at('comment-content-input').fill('here');
  await bob.press('comment-submit');
  await bob.page.locator('[data-testid=comment]').waitFor();
  const address = bob.page.url();

  const reader = await open();
  let refusals = 1;
  await reader.page.routeWebSocket(/\/v1\/ws$/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      const [id, type] = JSON.parse(message);
      if (type === 'comment.list' && refusals > 0) {
        refusals -= 1;
        socket.send(JSON.stringify([id, 'error', { code: 'rate_limited', message: 'too fast', retry_after_ms: 60_000 }]));
      } else {
        server.send(message);
      }
    });
  });
  await reader.page.goto('about:blank');
  await reader.page.goto(address);
  await reader.at('comments-failed').waitFor();
  assert.equal(await reader.at('comments-empty').count(), 0, 'not known to be empty');
  await reader.press('comments-again');
  await reader.at('comment').filter({ hasText: 'here' }).waitFor();
  assert.equal(await reader.at('comments-failed').count(), 0);
});

test('empty places say what to do', async () => {
  const person = await open();
  await person.register(fresh('dana'));
  await person.at('feed-empty').filter({ hasText: 'Join a community' }).waitFor();
  await person.press('home-communities');
  await person.at('community-create').waitFor();
  await person.makeCommunity(fresh('Mole '));
  await person.at('feed-empty').filter({ hasText: 'Write the first one' }).waitFor();
  await person.press('filter-event');
  await person.at('feed-empty').filter({ hasText: 'of this kind' }).waitFor();
  await person.press('feed-show-all');
  await person.page.locator('[data-testid=filter-all][aria-pressed=true]').waitFor();
  await person.visit('#/notifications');
  await person.at('notifications-empty').waitFor();
  await person.press('nav-me');
  await person.at('feed-empty').filter({ hasText: 'have not posted' }).waitFor();
  assertNoComplaints(person);
});

test('two communities of one name can be told apart in every list', async () => {
  const [alice, bob] = [await open(), await open()];
  await alice.register(fresh('alice'), 'Alice');
  await bob.register(fresh('bob'), 'Bob');
  const name = fresh('Allotments ');
  const ids = [await alice.makeCommunity(name), await bob.makeCommunity(name)];
  await bob.joinCommunity(ids[0]);
  const lists = { rail: 'tree-item', page: 'community-item' };
  await bob.visit('#/communities');
  for (const [list, testid] of Object.entries(lists)) {
    const items = bob.at(testid).filter({ hasText: name });
    await items.nth(1).getByTestId('community-since').waitFor();
    const [one, other] = await items.allInnerTexts();
    assert.notEqual(one, other, list);
  }
  await bob.visit('#/');
  await bob.at('composer-content').click();
  const choices = await bob.at('composer-community').locator('option').allInnerTexts();
  assert.equal(new Set(choices).size, 2, choices.join(', '));
  assertNoComplaints(bob);
});

test('where replies go no deeper, a word stands in place of the button', async () => {
  const { alice, bob } = await pair();
  await alice.post('how deep?');
  await bob.press('post-comments', bob.card('how deep?'));
  await bob.at('comment-content-input').fill('depth 0');
  await bob.press('comment-submit');
  const own = (depth) => bob.page.locator(`[data-testid=comment][data-depth="${depth}"] > .comment-own`);
  for (const depth of [0, 1, 2]) {
    await bob.press('comment-reply', own(depth));
    await bob.at('reply-content').fill(`depth ${depth + 1}`);
    await bob.press('reply-submit');
    await own(depth + 1).waitFor();
  }
  assert.match(await bob.at('comment-end', own(3)).innerText(), /Replies end here/);
  assert.equal(await bob.at('comment-reply', own(3)).count(), 0);
  assertNoComplaints(bob);
});
