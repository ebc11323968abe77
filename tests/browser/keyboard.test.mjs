// The page by keyboard and by ear: everything can be reached, dialogs keep and return the focus, news are told, and
// forms say what is wrong where it is wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNoComplaints, fresh, open, pair } from './stage.mjs';

/** Presses Tab until the keyboard is at `id`, as somebody without a mouse would. */
async function tabTo(person, id, { inside = 60 } = {}) {
  for (let presses = 0; presses < inside; presses += 1) {
    await person.key('Tab');
    if ((await person.focused()) === id) return;
  }
  assert.fail(`${id} was not reached by Tab; at the end the focus was at ${await person.focused()}`);
}

test('somebody without a mouse registers, founds a community, posts, reacts, comments and deletes', async () => {
  const person = await open();
  await person.key('Tab');
  assert.equal(await person.page.evaluate(() => document.activeElement.className), 'skip-link', 'the first stop');
  await person.key('Enter');
  await person.isAt('content');

  await tabTo(person, 'welcome-register');
  await person.key('Enter');
  await person.isAt('register-name');
  const username = fresh('kim');
  for (const text of ['Kim', username, `${username}@example.org`, 'correct horse']) {
    await person.page.keyboard.type(text);
    await person.key('Tab');
  }
  await person.isAt('register-submit');
  await person.key('Enter');
  await person.at('me').first().waitFor({ state: 'attached' });
  await person.online();
  await person.page.waitForFunction(() => document.activeElement.tagName === 'H1');

  await person.at('home-community-create').waitFor();
  await tabTo(person, 'home-community-create');
  await person.key('Enter');
  await person.isAt('community-name');
  await person.page.keyboard.type(fresh('Quay '));
  await person.key('Enter');
  await person.at('community-title').waitFor();

  await tabTo(person, 'composer-content');
  await person.page.keyboard.type('first words');
  await person.key('Control+Enter');
  const card = person.card('first words');
  await card.and(person.page.locator('[data-pending=false]')).waitFor();
  await person.isAt('content');
  await tabTo(person, 'reaction-like');
  await person.key('Enter');
  await card.locator('[data-testid=reaction-count-like][data-count="1"]').waitFor();
  await tabTo(person, 'react-open');
  await person.key('Enter');
  await person.isAt('react-like');
  await person.key('ArrowRight');
  await person.isAt('react-love');
  await person.key('ArrowLeft', 'ArrowLeft');
  await person.isAt('react-angry');
  await person.key('Escape');
  await person.isAt('react-open');
  await person.key('Enter', 'Tab', 'Enter');
  await card.locator('[data-testid=reaction-count-love][data-count="1"]').waitFor();
  await person.isAt('react-open');

  await tabTo(person, 'post-comments');
  await person.key('Enter');
  await person.at('comment-content-input').waitFor();
  await tabTo(person, 'comment-content-input');
  await person.page.keyboard.type('and a comment');
  await person.key('Control+Enter');
  await person.page.locator('[data-testid=comment]').waitFor();
  await tabTo(person, 'comment-reply');
  await person.key('Enter');
  await person.isAt('reply-content');
  await person.key('Escape');
  await person.isAt('comment-reply');

  await tabTo(person, 'comment-menu');
  await person.key('Enter', 'Tab', 'Enter');
  await person.isAt('comment-edit-content');
  await person.page.keyboard.type(' better');
  await person.key('Control+Enter');
  await person.at('comment-content').filter({ hasText: 'better' }).waitFor();
  await person.isAt('comment-menu');
  await person.key('Enter', 'Tab', 'Tab');
  await person.isAt('comment-delete');
  await person.key('Enter');
  await person.isAt('confirm-no');
  await person.key('Tab', 'Enter');
  await person.at('comments-empty').waitFor();
  assert.notEqual(await person.page.evaluate(() => document.activeElement.tagName), 'BODY', 'the focus has a place after the deletion');
  assertNoComplaints(person);
});

test('a dialog keeps the focus, Escape closes it, and it gives the focus back', async () => {
  const person = await open();
  await tabTo(person, 'register-open');
  await person.key('Enter');
  await person.isAt('register-name');
  for (let presses = 0; presses < 20; presses += 1) {
    await person.key('Tab');
    const outside = await person.page.evaluate(() => document.activeElement !== document.body && !document.activeElement.closest('dialog'));
    assert.equal(outside, false, `press ${presses}: ${await person.focused()}`);
  }
  await person.key('Escape');
  await person.at('auth-dialog').waitFor({ state: 'detached' });
  await person.isAt('register-open');

  // A slip beside it costs nothing that was typed.
  await person.key('Enter');
  await person.page.keyboard.type('Kim');
  await person.page.mouse.click(5, 400);
  assert.equal(await person.at('register-name').inputValue(), 'Kim');
});

test('what is wrong with an account is said at its field while it is typed, the server’s word too', async () => {
  const [first, second] = [await open(), await open()];
  const taken = fresh('taken');
  await first.register(taken);

  await second.press('register-open');
  const errorOf = (id) => second.page.locator('.field', { has: second.at(id) }).getByTestId('field-error');
  const says = (id, text) => errorOf(id).filter({ hasText: text }).waitFor({ state: 'attached' });
  await second.at('register-username').pressSequentially('a b');
  await says('register-username', 'No spaces');
  assert.equal(await second.at('register-username').getAttribute('aria-invalid'), 'true');
  await second.at('register-username').fill('ab');
  await says('register-username', /^$/);
  await second.at('register-password').pressSequentially('short');
  assert.equal(await errorOf('register-password').innerText(), '', 'not finished is no mistake');
  await says('register-username', '1 more character');
  await second.press('register-submit');
  await says('register-password', '3 more characters');
  await says('register-email', 'fill this in');
  await second.isAt('register-username');

  await second.at('register-username').fill(taken);
  await second.at('register-email').fill(`${fresh('other')}@example.org`);
  await second.at('register-password').fill('correct horse');
  await says('register-password', /^$/);
  await second.press('register-submit');
  await says('register-username', 'taken');
  await second.isAt('register-username');
  await second.at('register-username').fill(fresh('free'));
  await says('register-username', /^$/);
  await second.press('register-submit');
  await second.at('me').first().waitFor({ state: 'attached' });
});

test('new posts and comments are told to whoever listens', async () => {
  const { alice, bob } = await pair();
  await alice.post('hear, hear');
  await bob.at('announcer').filter({ hasText: 'New post by Alice' }).waitFor({ state: 'attached' });
  assert.equal(await bob.at('announcer').getAttribute('aria-live'), 'polite');
  await bob.press('post-comments', bob.card('hear, hear'));
  await bob.at('comment-content-input').waitFor();
  await alice.press('post-comments', alice.card('hear, hear'));
  await alice.at('comment-content-input').fill('and more');
  await alice.press('comment-submit');
  await bob.at('announcer').filter({ hasText: 'New comment by Alice' }).waitFor({ state: 'attached' });
});

test('whoever wants calm is shown no movement', async () => {
  const { alice } = await pair();
  const calm = await open({ reducedMotion: 'reduce' });
  await calm.visit(new URL(alice.page.url()).hash);
  await alice.post('no movement');
  await calm.card('no movement').waitFor();
  const longest = await calm.page.evaluate(() => Math.max(0, ...document.getAnimations().map((each) => Number(each.effect.getComputedTiming().activeDuration))));
  assert.ok(longest < 1, `an animation of ${longest} ms`);
  // Nor does anything stay as it was in the middle of a movement: the form folds back to where it began.
  await calm.register(fresh('calm'));
  await calm.visit(new URL(alice.page.url()).hash);
  await calm.page.locator('[data-testid=community-join][data-member=false]').click();
  const height = () => calm.at('composer').evaluate((form) => form.offsetHeight);
  await calm.at('composer').waitFor();
  const folded = await height();
  await calm.post('and fold');
  await calm.card('and fold').waitFor();
  assert.ok(Math.abs((await height()) - folded) <= 2, `${await height()} instead of ${folded}`);
});

test('a message waits as long as the keyboard or the pointer is on it, and goes when both have left', async () => {
  const { community } = await pair();
  const other = await open();
  await other.page.clock.install();
  await other.register(fresh('kim'), 'Kim');
  await other.joinCommunity(community);
  const message = other.at('toast-done').filter({ hasText: 'Harbour' });
  await message.getByTestId('toast-dismiss').focus();
  await other.page.clock.fastForward(20_000);
  assert.equal(await message.count(), 1, 'the keyboard is on it');
  await message.hover();
  await other.at('composer-content').focus();
  await other.page.clock.fastForward(20_000);
  assert.equal(await message.count(), 1, 'the pointer is on it');
  await other.page.mouse.move(0, 0);
  await other.page.clock.fastForward(20_000);
  await message.waitFor({ state: 'detached' });
});
