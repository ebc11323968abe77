// What people write is text: whatever it looks like it neither runs nor hides nor turns what stands around it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNoComplaints, fresh, open, pair } from './stage.mjs';

const RUNS = [
  '<img src=x onerror="window.ran=1">',
  '<svg onload=window.ran=2>',
  '<script>window.ran=3</script>',
  '<iframe srcdoc="<script>parent.ran=4</script>">',
  '<a href="javascript:window.ran=5">x</a>',
  'javascript:window.ran=6',
  'https://example.org/"onmouseover="window.ran=7"',
  '{{constructor.constructor("window.ran=8")()}}',
  '&lt;b&gt;&#x3c;script&#x3e;',
];

/** Nothing of what was written has become an element or run. */
async function assertOnlyText(person) {
  const found = await person.page.evaluate(() => ({
    ran: window.ran ?? null,
    elements: [...document.querySelectorAll('#app :is(script, iframe, object, embed, img[src="x"])')].map((each) => each.outerHTML),
    handlers: [...document.querySelectorAll('#app *')].filter((each) => each.getAttributeNames().some((name) => name.startsWith('on'))).length,
    links: [...document.querySelectorAll('#app a')].map((each) => each.protocol).filter((protocol) => !['http:', 'https:'].includes(protocol)),
  }));
  assert.deepEqual(found, { ran: null, elements: [], handlers: 0, links: [] });
}

test('markup in a name, a community, a title, a post and a comment is shown as it was written', async () => {
  const [alice, bob] = [await open(), await open()];
  const name = '<img src=x onerror="window.ran=1">';
  await alice.register(fresh('alice'), name);
  await bob.register(fresh('bob'), '<script>window.ran=9</script>');
  const called = `${fresh('Yard ')} <img src=x onerror=window.ran=10>`;
  const community = await alice.makeCommunity(called);
  await bob.joinCommunity(community);
  assert.equal((await bob.at('community-title').innerText()).trim(), called);

  const wild = RUNS.join('\n');
  await alice.post(wild, '<svg onload=window.ran=11>');
  const seen = bob.card('constructor');
  await seen.waitFor();
  assert.equal((await bob.at('post-content', seen).innerText()).trim(), wild);
  assert.equal((await bob.at('post-title', seen).innerText()).trim(), '<svg onload=window.ran=11>');
  assert.equal((await bob.at('post-author', seen).innerText()).trim(), name);
  await bob.press('post-comments', seen);
  await bob.at('comment-content-input').first().fill(wild);
  await bob.press('comment-submit');
  const comment = bob.at('comment-content').filter({ hasText: 'constructor' }).first();
  await comment.waitFor();
  assert.equal((await comment.innerText()).trim(), wild);
  await comment.hover();
  for (const link of await bob.page.locator('[data-testid=comment-content] a').all()) await link.hover();
  await bob.press('comment-reply');
  await assertOnlyText(bob);

  // The same in every other place that shows them: the notification, the profile, the tree, the title of the window.
  await alice.visit('#/notifications');
  await alice.at('notification').filter({ hasText: '<script>window.ran=9' }).waitFor();
  assert.match(await alice.at('notification-excerpt').first().innerText(), /<img src=x/);
  await assertOnlyText(alice);
  await alice.press('notification');
  await alice.at('comment').first().waitFor();
  await alice.press('post-author');
  await alice.at('profile-name').filter({ hasText: '<img' }).waitFor();
  await alice.visit('#/communities');
  await alice.at('community-item').filter({ hasText: called }).waitFor();
  await assertOnlyText(alice);
  assertNoComplaints(alice);
  assertNoComplaints(bob);
});

test('should markup ever slip in, the policy of the page still runs nothing', async () => {
  const guest = await open();
  await guest.page.evaluate(() => {
    document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.ran=1"><a id="trap" href="javascript:window.ran=2">x</a>');
    const script = document.createElement('script');
    script.textContent = 'window.ran=3';
    document.body.append(script);
    document.getElementById('trap').click();
  });
  await guest.page.waitForFunction(() => document.querySelector('img').complete);
  assert.equal(await guest.page.evaluate(() => window.ran ?? null), null);
  assert.ok(guest.complaints.some((text) => /policy: script-src/.test(text)), guest.complaints.join('\n'));
});

/** Whether the characters of an element stand from left to right. */
const runsForward = (locator) => locator.evaluate((element) => {
  const text = [...element.childNodes].find((node) => node.nodeType === Node.TEXT_NODE);
  const at = (index) => {
    const range = document.createRange();
    range.setStart(text, index);
    range.setEnd(text, index + 1);
    return range.getBoundingClientRect().left;
  };
  return at(0) < at(text.length - 1);
});

test('characters that turn or hide text stay within what they were written in', async () => {
  const turn = '\u202e';
  const [alice, bob] = [await open({ viewport: { width: 390, height: 844 } }), await open()];
  await alice.register(fresh('alice'), `${turn}Alice\u200b\u2069\u2069`);
  // A name that shows nothing is no name: it is refused where it was typed, and without one the user name is shown.
  await bob.press('welcome-register');
  await bob.at('register-name').fill('\u200b\u2060');
  await bob.at('register-username').fill(fresh('bare'));
  await bob.at('register-email').fill('bare@example.org');
  await bob.at('register-password').fill('correct horse bare');
  await bob.press('register-submit');
  await bob.at('auth-dialog').locator('[data-testid=field-error]:visible, [data-testid=form-error]:visible').filter({ hasText: /./ }).first().waitFor();
  bob.complaints.length = 0; // the browser itself tells of the refusal
  await bob.press('dialog-close');
  await bob.register(fresh('bob'), '');
  const pier = fresh('Pier ');
  const community = await alice.makeCommunity(`${pier}${turn}\u200badmin`, `${pier}admin`);
  await bob.joinCommunity(community);
  await alice.post(`${turn}gnp.exe https://example.org/${turn}gpj.x\nالسلام عليكم\nplain end`, `${turn}a title`);
  const seen = bob.card('plain end');
  await seen.waitFor();
  assert.equal(await bob.at('post-author', seen).innerText(), 'Alice');
  assert.equal(await runsForward(bob.at('post-author', seen)), true);
  assert.equal(await runsForward(seen.locator('.post-username').first()), true);
  assert.equal(await runsForward(bob.at('post-community', seen)), true);
  assert.equal(await runsForward(bob.at('community-title')), true);
  assert.equal(await seen.locator('[data-testid=post-content] a').getAttribute('href'), 'https://example.org/');

  await bob.press('post-comments', seen);
  await bob.at('comment-content-input').first().fill(`${turn}a comment`);
  await bob.press('comment-submit');
  await alice.visit('#/notifications');
  const notice = alice.at('notification').first();
  await notice.waitFor();
  assert.match(await notice.innerText(), new RegExp(bob.username));
  assert.doesNotMatch(await notice.innerText(), /[\u202a-\u202e]/);
  await alice.press('notification');
  const comment = alice.at('comment').first();
  assert.equal(await alice.at('comment-author', comment).innerText(), bob.username);
  assert.equal(await runsForward(comment.locator('time')), true);
  assertNoComplaints(alice);
  assertNoComplaints(bob);
});

test('a word, a title and a name without end push nothing off a phone', async () => {
  const phone = await open({ viewport: { width: 390, height: 844 } });
  await phone.register(fresh('wide'), 'W'.repeat(80));
  const community = await phone.makeCommunity('C'.repeat(80));
  await phone.post('w'.repeat(5000), 'T'.repeat(200));
  await phone.page.locator('[data-testid=post-card][data-pending=false]').waitFor();
  const fits = async (where) => {
    const over = await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(over, 0, where);
  };
  await fits('community');
  await phone.press('post-comments');
  await phone.at('comment-content-input').first().fill('c'.repeat(2000));
  await phone.press('comment-submit');
  await phone.page.locator('[data-testid=comment]:not([data-pending])').waitFor();
  await fits('post');
  for (const hash of ['#/', '#/communities', '#/notifications', `#/c/${community}`]) {
    await phone.visit(hash);
    await phone.page.locator('[data-testid=content] .view').waitFor();
    await fits(hash);
  }
  await phone.press('nav-me');
  await phone.at('profile-name').waitFor();
  await fits('profile');
  assertNoComplaints(phone);
});
