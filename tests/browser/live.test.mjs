// Lives in Chromium against the real binary: a picture that one sends and others see moving, and what becomes of it when
// networks break, devices change, and people misbehave.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertOpenToAll } from './axe.mjs';
import { MediaPath, Network } from './harness.mjs';
import { assertNoComplaints, fresh, open, pair, stage } from './stage.mjs';

const PLAYER = '[data-testid=live-player]';

/** Alice on air in a community of hers, and Bob who watches. */
async function watched() {
  const { alice, bob, community } = await pair();
  const live = await alice.goLive(community, 'Market day');
  await bob.visit(`#/l/${live}`);
  await bob.seesMovement();
  return { alice, bob, community, live };
}

test('whoever goes live is seen moving after one press, counted, answered and loved', async () => {
  const { alice, bob, community } = await pair();
  await bob.page.evaluate(() => (window.neverReloaded = true));
  const guest = await open();
  await guest.visit('#/live');
  const live = await alice.goLive(community, 'Market day');

  // It stands in the feed that Bob looks at, and in the guest's list.
  const card = bob.page.locator(`[data-testid=live-open][data-live-id="${live}"][data-state=live]`);
  await card.waitFor();
  await card.click();
  await bob.seesMovement();
  await guest.page.locator(`[data-testid=live-item][data-live-id="${live}"]`).click();
  await guest.seesMovement();
  assert.equal(await bob.page.locator('[data-testid=live-video]').evaluate((video) => video.muted), true, 'a page may not speak unasked');
  await bob.press('live-unmute');
  assert.equal(await bob.page.locator('[data-testid=live-video]').evaluate((video) => video.muted), false);

  await alice.page.locator('[data-testid=figure-current][data-value="2"]').waitFor();
  await bob.page.locator('[data-testid=live-viewers][data-count="2"]').waitFor();

  await bob.at('chat-input').fill('Hello from the quay');
  await bob.key('Enter');
  for (const person of [alice, guest]) await person.at('chat-message').filter({ hasText: 'Hello from the quay' }).waitFor();
  await alice.at('chat-input').fill('Hello Bob');
  await alice.press('chat-send');
  await bob.at('chat-message').filter({ hasText: 'Hello Bob' }).waitFor();
  assert.equal(await bob.at('chat-message').count(), 2, 'the copy that waited became the message');
  for (let taps = 0; taps < 3; taps += 1) await bob.press('live-react-love');
  await guest.page.locator('[data-testid=live-reaction-total][data-count="3"]').waitFor();
  await bob.press('live-people-open');
  await bob.at('live-person').filter({ hasText: 'Bob' }).waitFor();
  await bob.press('dialog-close');

  await guest.visit('#/live');
  await alice.page.locator('[data-testid=figure-current][data-value="1"]').waitFor();
  await bob.seesMovement();
  assert.equal(await bob.page.evaluate(() => window.neverReloaded), true);
  for (const person of [alice, bob, guest]) assertNoComplaints(person);
});

test('a viewer chooses the quality and gets it', async () => {
  const { bob } = await watched();
  await bob.at('live-quality').waitFor();
  await bob.at('live-quality').selectOption('180');
  await bob.page.locator(`${PLAYER}[data-height="180"]`).waitFor();
  await bob.at('live-quality').selectOption('auto');
  await bob.page.locator(`${PLAYER}[data-height="360"]`).waitFor();
  await bob.seesMovement();
  assert.equal(await bob.page.locator(PLAYER).getAttribute('data-connections'), '1');
});

test('a broadcaster whose network breaks comes back, and viewers go on over the same peer connection', async () => {
  const [network, mediaPath] = [await Network.before(stage.server), await MediaPath.before(stage.server)];
  try {
    const alice = await open({ mediaPath }, network);
    const bob = await open();
    await alice.register(fresh('alice'), 'Alice');
    await bob.register(fresh('bob'), 'Bob');
    const community = await alice.makeCommunity(fresh('Harbour '));
    const live = await alice.goLive(community, 'From the boat');
    await bob.visit(`#/l/${live}`);
    await bob.seesMovement();
    await bob.page.evaluate(() => (window.neverReloaded = true));

    network.cut();
    mediaPath.cut();
    await bob.page.locator(`${PLAYER}[data-state=interrupted]`).waitFor();
    await bob.at('live-note').waitFor();
    await alice.page.locator('[data-testid=cockpit][data-phase=reconnecting]').waitFor();
    network.restore();
    mediaPath.restore();

    await bob.page.locator(`${PLAYER}[data-state=live]`).waitFor();
    await bob.seesMovement();
    await bob.at('live-note').waitFor({ state: 'hidden' });
    assert.equal(await bob.page.locator(PLAYER).getAttribute('data-connections'), '1');
    assert.equal(await bob.page.evaluate(() => window.neverReloaded), true);
    await alice.page.locator('[data-testid=cockpit][data-phase=flowing]').waitFor();
    assertNoComplaints(bob);
    assertNoComplaints(alice, { cut: true });
  } finally {
    await network.close();
    mediaPath.close();
  }
});

test('a viewer whose own network breaks sees on, without a press', async () => {
  const [network, mediaPath] = [await Network.before(stage.server), await MediaPath.before(stage.server)];
  try {
    const { live } = await watched();
    const guest = await open({ mediaPath }, network);
    await guest.visit(`#/l/${live}`);
    await guest.seesMovement();
    network.cut();
    mediaPath.cut();
    await guest.page.locator(`${PLAYER}[data-phase=reconnecting]`).waitFor();
    network.restore();
    mediaPath.restore();
    await guest.page.locator(`${PLAYER}[data-phase=flowing]`).waitFor();
    await guest.seesMovement();
  } finally {
    await network.close();
    mediaPath.close();
  }
});

test('a live goes on from another device, and viewers notice nothing but the picture', async () => {
  const { alice, bob, live } = await watched();
  const other = await alice.context.newPage();
  await other.goto(`${stage.network.origin}/#/l/${live}`);
  await other.getByTestId('cockpit-take').click();
  await other.getByTestId('source-dialog').getByTestId('live-source-camera').click();
  await other.locator('[data-testid=source-use]:enabled').click();
  await other.locator('[data-testid=cockpit][data-phase=flowing]').waitFor();
  await alice.page.locator('[data-testid=cockpit-note][data-key="cockpit.replaced"]').waitFor();
  await bob.page.locator(`${PLAYER}[data-state=live]`).waitFor();
  await bob.seesMovement();
  assert.equal(await bob.page.locator(PLAYER).getAttribute('data-connections'), '1');
});

test('muting, hiding and changing the picture never interrupt the stream', async () => {
  const { alice, bob } = await watched();
  await alice.press('cockpit-mute');
  await alice.page.locator('[data-testid=cockpit-mute][aria-pressed=true]').waitFor();
  await alice.press('cockpit-camera');
  await alice.page.locator('[data-testid=cockpit-camera][aria-pressed=true]').waitFor();
  // By then the server has judged how little the card in place of the picture brings.
  await alice.page.waitForFunction(() => Number(document.querySelector('[data-testid=figure-bitrate]')?.dataset.value) < 60_000);
  await alice.page.locator('[data-testid=live-duration]').filter({ hasText: '0:14' }).waitFor();
  await alice.page.locator('[data-testid=cockpit-health][data-level=good]').waitFor();
  await bob.seesMovement(5);
  await alice.press('cockpit-camera');
  await alice.press('cockpit-switch');
  await alice.press('live-source-camera', alice.at('source-dialog'));
  await alice.page.locator('[data-testid=source-use]:enabled').click();
  await bob.seesMovement();
  assert.equal(await alice.at('cockpit').getAttribute('data-state'), 'live');
  assert.equal(await bob.page.locator(PLAYER).getAttribute('data-connections'), '1');
  assertNoComplaints(alice);
});

test('the owner deletes a message and slows the chat down', async () => {
  const { alice, bob } = await watched();
  await bob.at('chat-input').fill('rubbish');
  await bob.key('Enter');
  const hers = alice.at('chat-message').filter({ hasText: 'rubbish' });
  await hers.waitFor();
  await alice.press('chat-menu', hers);
  await alice.press('chat-delete', hers);
  await bob.at('chat-message').filter({ hasText: 'rubbish' }).waitFor({ state: 'detached' });

  await alice.at('chat-slow-mode').selectOption('60');
  await bob.page.locator('[data-testid=chat-slow][data-seconds="60"]').waitFor();
  // What he wrote a moment ago counts: the next may come a minute after it.
  await bob.at('chat-input').fill('two');
  await bob.key('Enter');
  await bob.at('chat-form').getByTestId('form-error').filter({ hasText: /second/ }).waitFor();
  assert.equal(await bob.at('chat-input').inputValue(), 'two', 'what was refused is not lost');
});

test('who keeps order in a live is whom the server says: neither an old login nor the order of answers decides it', async () => {
  const { alice, bob, community } = await pair();
  const live = await bob.goLive(community, 'Market day');
  await bob.at('chat-input').fill('Welcome');
  await bob.key('Enter');
  const welcome = (person) => person.at('chat-message').filter({ hasText: 'Welcome' });

  // Alice moderates the community, and comes by a link: her right is known later than the live.
  await alice.visit(`#/l/${live}`);
  await alice.page.reload();
  await alice.at('chat-slow-mode').waitFor();
  await alice.press('chat-menu', welcome(alice));
  await alice.at('chat-delete', welcome(alice)).waitFor();

  const carol = await open();
  await carol.register(fresh('carol'), 'Carol');
  await carol.page.evaluate(() => {
    const session = JSON.parse(localStorage.getItem('cc.session'));
    localStorage.setItem('cc.session', JSON.stringify({ ...session, user: { ...session.user, role: 'moderator' } }));
  });
  await carol.visit(`#/l/${live}`);
  await carol.page.reload();
  await carol.press('chat-menu', welcome(carol));
  await carol.at('chat-reply', welcome(carol)).waitFor();
  assert.equal(await carol.at('chat-delete').count() + await carol.at('chat-slow-mode').count(), 0);

  // Once there is no form, there is nothing to answer with.
  await bob.press('cockpit-stop');
  await bob.press('confirm-yes');
  await carol.page.locator('[data-testid=live-over][data-reason=ended]').waitFor();
  assert.equal(await carol.at('chat-menu').count(), 0);
  await alice.page.locator('[data-testid=live-over][data-reason=ended]').waitFor();
  await alice.press('chat-menu', welcome(alice));
  assert.equal(await alice.at('chat-reply').count(), 0);
  await alice.press('chat-delete', welcome(alice));
  await welcome(alice).waitFor({ state: 'detached' });
  for (const person of [alice, bob, carol]) assertNoComplaints(person);
});

test('somebody whom the owner takes out sees no more and cannot come back', async () => {
  const { alice, bob, live } = await watched();
  await alice.press('live-people-open');
  await alice.press('live-ban', alice.at('live-person').filter({ hasText: 'Bob' }));
  await alice.press('confirm-yes');
  await bob.page.locator('[data-testid=live-over][data-reason=banned]').waitFor();
  await bob.page.reload();
  await bob.online();
  await bob.visit(`#/l/${live}`);
  await bob.page.locator('[data-testid=live-over][data-reason=forbidden]').waitFor();
});

test('somebody who was taken out is let back in, at once by the toast or later from the list', async () => {
  const { alice, bob } = await watched();
  const takeOut = async () => {
    await alice.press('live-people-open');
    await alice.press('live-ban', alice.at('live-person').filter({ hasText: 'Bob' }));
    await alice.press('confirm-yes');
    await alice.page.locator('[data-testid=live-people-count][data-count="1"]').waitFor();
    await bob.page.locator('[data-testid=live-over][data-reason=banned]').waitFor();
  };
  await takeOut();
  await alice.at('live-banned-person').filter({ hasText: 'Bob' }).waitFor();
  await alice.press('dialog-close');
  await alice.press('live-people-open'); // the server knows it, not the dialog that it was done in
  await alice.at('live-banned-person').filter({ hasText: 'Bob' }).waitFor();
  await alice.press('live-unban');
  await alice.at('live-banned-person').waitFor({ state: 'detached' });
  await alice.press('dialog-close');
  await bob.press('live-again');
  await bob.seesMovement();
  await bob.at('chat-input').fill('Back again');
  await bob.key('Enter');
  await alice.at('chat-message').filter({ hasText: 'Back again' }).waitFor();

  await takeOut();
  await alice.page.locator('[data-testid=dialog-close]:focus').waitFor(); // the button that was pressed is gone
  await alice.press('toast-action'); // while the dialog is open
  await alice.at('toast-action').waitFor({ state: 'detached' });
  await alice.press('dialog-close');
  await alice.at('toast-done').first().waitFor(); // it outlives the dialog
  await bob.press('live-again');
  await bob.seesMovement();
});

test('a broadcaster sees how the picture reaches each viewer', async () => {
  const { alice, bob, live } = await watched();
  const guest = await open();
  await guest.visit(`#/l/${live}`);
  await guest.seesMovement();
  await alice.at('cockpit-viewers-open').locator('summary').click();
  const rows = alice.at('cockpit-viewers').locator('tr');
  await rows.filter({ hasText: 'Bob' }).filter({ hasText: '360p' }).waitFor();
  await rows.filter({ hasText: 'Guest' }).filter({ hasText: 'bit/s' }).waitFor();
  await alice.at('figure-join').waitFor();
  await bob.visit('#/live');
  await rows.filter({ hasText: 'Bob' }).waitFor({ state: 'detached' });
});

test('at the end viewers read what it was, the owner a report, and everybody what was said', async () => {
  const { alice, bob, live, community } = await watched();
  await bob.at('chat-input').fill('Well sung');
  await bob.key('Enter');
  await alice.at('chat-message').filter({ hasText: 'Well sung' }).waitFor();
  await alice.press('cockpit-stop');
  await alice.press('confirm-yes');
  await alice.at('live-report').waitFor();
  await alice.page.locator('[data-testid=report-unique][data-value="1"]').waitFor();
  await alice.page.locator('[data-testid=report-chat][data-value="1"]').waitFor();
  assert.equal(await alice.at('on-air').isVisible(), false);
  await bob.page.locator('[data-testid=live-over][data-reason=ended]').waitFor();
  assert.equal(await bob.at('chat-form').count(), 0);

  const late = await open();
  await late.visit(`#/l/${live}`);
  await late.page.locator('[data-testid=live-over][data-reason=ended]').waitFor();
  await late.at('chat-message').filter({ hasText: 'Well sung' }).waitFor();
  await late.visit('#/live');
  await late.page.locator(`[data-testid=live-item][data-live-id="${live}"]`).waitFor({ state: 'detached' });
  await late.visit(`#/c/${community}`);
  await late.page.locator(`[data-testid=live-open][data-live-id="${live}"][data-state=ended]`).waitFor();
  for (const person of [alice, bob, late]) assertNoComplaints(person);
});

test('whoever leaves the cockpit stays on air and finds the way back', async () => {
  const { alice, bob } = await watched();
  await alice.press('nav-home');
  await alice.at('on-air').waitFor();
  await bob.seesMovement();
  await alice.press('language-switch');
  await bob.seesMovement();
  await alice.press('nav-live');
  await alice.page.locator('[data-testid=cockpit][data-here=true]').waitFor();
  assert.equal(await bob.page.locator(PLAYER).getAttribute('data-connections'), '1');
});

test('what stands in the way is said before anybody is told of a live', async () => {
  const alice = await open();
  await alice.visit('#/live');
  await alice.press('go-live');
  await alice.at('auth-dialog').waitFor();
  await alice.press('dialog-close');
  await alice.visit('#/');
  await alice.register(fresh('alice'), 'Alice');
  await alice.visit('#/live/start');
  await alice.page.locator('[data-testid=live-check][data-key="live.check.member"]').waitFor();
  await alice.press('live-check-communities');
  await alice.at('community-create').waitFor();
  const community = await alice.makeCommunity(fresh('Harbour '));
  await alice.page.evaluate(() => (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))));
  await alice.visit(`#/live/start/${community}`);
  await alice.press('live-source-camera');
  await alice.page.locator('[data-testid=live-check][data-key="live.check.denied"]').waitFor();
  await alice.at('live-title').fill('Never seen');
  await alice.press('live-go');
  await alice.at('live-form').getByTestId('form-error').filter({ hasText: /Not yet/ }).waitFor();
  await alice.visit('#/live');
  await alice.at('live-list').or(alice.at('live-list-empty')).first().waitFor({ state: 'attached' });
  assert.equal(await alice.at('live-item').filter({ hasText: 'Never seen' }).count(), 0);
});

test('a network that blocks UDP is found out before going live, and tried again when asked', async () => {
  const mediaPath = await MediaPath.before(stage.server);
  try {
    mediaPath.cut();
    const alice = await open({ mediaPath });
    await alice.register(fresh('alice'), 'Alice');
    const community = await alice.makeCommunity(fresh('Harbour '));
    await alice.visit(`#/live/start/${community}`);
    await alice.press('live-source-test');
    await alice.page.locator('[data-testid=live-check][data-key="live.check.blocked"]').waitFor();
    await alice.at('live-title').fill('Not yet');
    await alice.press('live-go');
    await alice.at('live-form').getByTestId('form-error').filter({ hasText: /Not yet/ }).waitFor();
    mediaPath.restore();
    await alice.press('live-check-again');
    await alice.at('live-check-ok').waitFor();
    await alice.isAt('live-go');
    assertNoComplaints(alice);
  } finally {
    mediaPath.close();
  }
});

test('a server whose own test stream failed says so before anybody goes live', async () => {
  const alice = await open();
  await alice.register(fresh('alice'), 'Alice');
  const community = await alice.makeCommunity(fresh('Harbour '));
  await alice.context.route('**/readyz', (route) => route.fulfill({ json: { status: 'ready', live: { state: 'failed', step: 'reach', reason: 'no answer' } } }));
  await alice.visit(`#/live/start/${community}`);
  await alice.press('live-source-test');
  await alice.page.locator('[data-testid=live-check][data-key="live.check.selftest.before"]').waitFor();
  await alice.context.unroute('**/readyz');
  await alice.press('live-check-again');
  await alice.at('live-check-ok').waitFor();
});

test('a picture that never gets through is said to be blocked, and a live that never was leaves no trace', async () => {
  const mediaPath = await MediaPath.before(stage.server);
  try {
    const alice = await open({ mediaPath });
    await alice.register(fresh('alice'), 'Alice');
    const community = await alice.makeCommunity(fresh('Harbour '));
    await alice.visit(`#/live/start/${community}`);
    await alice.press('live-source-test');
    await alice.at('live-check-ok').waitFor();
    mediaPath.cut(); // between the check and the first packet
    await alice.at('live-title').fill('Never seen');
    await alice.press('live-go');
    await alice.page.locator('[data-testid=cockpit-note][data-key="cockpit.unreachable"]').waitFor();
    await alice.press('cockpit-mend');
    await alice.at('live-form').waitFor();
    await alice.visit(`#/c/${community}`);
    await alice.at('feed-empty').waitFor();
  } finally {
    mediaPath.close();
  }
});

test('a key for an encoder is shown once', async () => {
  const alice = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
  await alice.register(fresh('alice'), 'Alice');
  const community = await alice.makeCommunity(fresh('Harbour '));
  await alice.visit(`#/live/start/${community}`);
  await alice.at('live-encoder').locator('summary').click();
  await alice.press('live-key-rotate');
  await alice.at('live-key-card').waitFor();
  const key = await alice.at('live-key').inputValue();
  assert.ok(key.length >= 20);
  await alice.press('live-key-copy');
  assert.equal(await alice.page.evaluate(() => navigator.clipboard.readText()), key);
  await alice.at('live-default-title').fill('From OBS');
  await alice.press('live-defaults-save');
  await alice.at('toast-done').filter({ hasText: 'Saved' }).waitFor();
  await alice.page.reload();
  await alice.online();
  await alice.at('live-encoder').locator('summary').click();
  await alice.at('live-key-rotate').waitFor();
  assert.equal(await alice.at('live-key-card').count(), 0);
  assert.equal(await alice.at('live-default-title').inputValue(), 'From OBS');
});

for (const [device, viewport] of [['desktop', { width: 1280, height: 800 }], ['phone', { width: 390, height: 844 }]]) {
  for (const colorScheme of ['light', 'dark']) {
    test(`a live on a ${device}, ${colorScheme}, is open to all`, async () => {
      const settings = { viewport, colorScheme, bypassCSP: true, reducedMotion: 'reduce' };
      const alice = await open(settings);
      await alice.register(fresh('alice'), 'Alice');
      const community = await alice.makeCommunity(fresh('Harbour '));
      const live = await alice.goLive(community, 'Market day');
      const bob = await open(settings);
      await bob.register(fresh('bob'), 'Bob');
      await bob.visit(`#/l/${live}`);
      await bob.seesMovement();
      await bob.at('chat-input').fill('Hello');
      await bob.key('Enter');
      await alice.at('chat-message').filter({ hasText: 'Hello' }).waitFor();
      await alice.at('cockpit-viewers-open').locator('summary').click();
      await alice.at('cockpit-viewers').locator('tr').first().waitFor();
      await assertOpenToAll(alice, 'cockpit');
      await assertOpenToAll(bob, 'watching');
      await bob.press('live-people-open');
      await bob.at('live-person').first().waitFor();
      await assertOpenToAll(bob, 'who is here');
      await bob.press('dialog-close');
      for (const hash of ['#/live', `#/c/${community}`]) {
        await bob.visit(hash);
        await bob.page.locator('[data-testid=live-item], [data-testid=live-open]').first().waitFor();
        await assertOpenToAll(bob, hash);
      }
      for (const person of [alice, bob]) assert.equal(await person.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, 'nothing sticks out to the side');
      await alice.at('cockpit-encoder').locator('summary').click();
      await alice.at('live-key-card').waitFor();
      const [card, rows] = [await alice.at('live-key-card').boundingBox(), await alice.at('live-key-ffmpeg-copy').boundingBox()];
      assert.ok(rows.x + rows.width <= card.x + card.width, 'a key lies within its card');
      await alice.press('live-people-open');
      await alice.press('live-ban', alice.at('live-person').filter({ hasText: 'Bob' }));
      await alice.press('confirm-yes');
      await alice.at('live-banned-person').waitFor();
      await assertOpenToAll(alice, 'who was taken out');
      await alice.press('dialog-close');
      await alice.press('cockpit-stop');
      await alice.press('confirm-yes');
      await alice.at('live-report').waitFor();
      await assertOpenToAll(alice, 'report');
      await alice.visit('#/live/start');
      await alice.press('live-source-test');
      await alice.at('live-check-ok').waitFor();
      await assertOpenToAll(alice, 'studio');
    });
  }
}

test('somebody without a mouse goes live, writes and ends it', async () => {
  const { alice, bob, community } = await pair();
  await alice.visit(`#/live/start/${community}`);
  await alice.at('live-source-test').focus();
  await alice.key('Enter');
  await alice.at('live-check-ok').waitFor();
  await alice.at('live-title').focus();
  await alice.page.keyboard.type('By keyboard');
  await alice.key('Enter');
  await alice.page.locator('[data-testid=cockpit][data-state=live]').waitFor();
  await bob.visit(`#/l/${await alice.at('cockpit').getAttribute('data-live-id')}`);
  await bob.seesMovement();
  await bob.at('live-unmute').focus();
  await bob.key('m');
  assert.equal(await bob.page.locator('[data-testid=live-video]').evaluate((video) => video.muted), false);
  await alice.at('chat-input').focus();
  await alice.page.keyboard.type('Hello');
  await alice.key('Enter');
  await bob.at('chat-message').filter({ hasText: 'Hello' }).waitFor();
  await alice.at('cockpit-stop').focus();
  await alice.key('Enter');
  await alice.isAt('confirm-no');
  await alice.key('Tab', 'Enter');
  await alice.at('live-report').waitFor();
});

// The last story of this file: what runs in the others would end with it.
test('a server that dies takes its lives along, and both sides are told when it is back', async () => {
  const { alice, bob } = await watched();
  // What is left is what was noted last; in its first second on air that was nothing.
  await bob.page.waitForFunction(() => /0:0[3-9]/.test(document.querySelector('[data-testid=live-watch]').textContent));
  await stage.server.kill();
  await bob.page.locator('[data-testid=connection-state]:not([data-state=online])').waitFor({ state: 'attached' });
  await stage.server.restart();
  await bob.online();
  await bob.page.locator('[data-testid=live-over][data-reason=ended]').waitFor();
  await alice.at('live-past').waitFor();
  const end = alice.page.locator('[data-testid=report-end][data-reason=lost]');
  await end.filter({ hasText: 'figures go up to' }).waitFor();
  const noted = await alice.at('report-duration').innerText();
  assert.match(noted, /^0:0\d$/);
  assert.match(await end.innerText(), new RegExp(`server that carried it stopped.* ${noted},`));
  assert.equal(await alice.at('report-peak').getAttribute('data-value'), '1', 'whoever had come is in what is left');
  assert.equal(await alice.at('report-curve').count(), 0, 'a count or two are no curve');
  assertNoComplaints(bob, { cut: true });
});
