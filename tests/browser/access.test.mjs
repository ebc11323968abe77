// Nobody is shut out: axe looks at every place of the page, in both themes, on a desktop and a phone.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fresh, open } from './stage.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Contrast, names, roles, target sizes and the like, by WCAG 2.2 AA. */
async function assertOpenToAll(person, where) {
  // What still moves or fades in has the colours of neither end.
  await person.page.waitForFunction(() => document.getAnimations().every((each) => each.playState === 'finished'));
  await person.page.evaluate(`if (!window.axe) { ${AXE} }`);
  const violations = await person.page.evaluate(async (rules) => {
    const { violations: found } = await window.axe.run(document, { runOnly: rules });
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ''}`).join('\n  ')}`);
  }, RULES);
  assert.deepEqual(violations, [], where);
}

for (const [device, viewport] of [['desktop', { width: 1280, height: 800 }], ['phone', { width: 390, height: 844 }]]) {
  for (const colorScheme of ['light', 'dark']) {
    test(`the page on a ${device}, ${colorScheme}, is open to all`, async () => {
      const person = await open({ viewport, colorScheme, bypassCSP: true, reducedMotion: 'reduce' });
      await assertOpenToAll(person, 'welcome');
      await person.press('welcome-register');
      await person.press('register-submit');
      await assertOpenToAll(person, 'registering, with everything wrong');
      await person.press('dialog-close');
      await person.register(fresh('robin'), 'Robin');
      await person.at('feed-empty').waitFor();
      await assertOpenToAll(person, 'empty home');
      const community = await person.makeCommunity(fresh('Slip '));
      for (const kind of ['info', 'event', 'help', 'announcement', 'discussion']) {
        await person.at('composer-content').click();
        await person.at('composer-kind').selectOption(kind);
        await person.post(`of ${kind}`, `About ${kind}`);
        await person.card(`of ${kind}`).locator('[data-testid=reaction-like]').waitFor();
      }
      await person.press('reaction-like', person.card('of event'));
      await person.at('composer-content').click();
      await assertOpenToAll(person, 'community');
      await person.press('post-menu');
      await assertOpenToAll(person, 'menu');
      await person.key('Escape');
      await person.press('post-comments', person.card('of event'));
      await person.at('comment-content-input').fill('and a comment');
      await person.press('comment-submit');
      await person.page.locator('[data-testid=comment][data-comment-id]').waitFor();
      await person.press('react-open', person.at('comment').first());
      await assertOpenToAll(person, 'post');
      for (const hash of ['#/', '#/communities', '#/notifications', `#/c/${community}`, '#/nowhere']) {
        await person.visit(hash);
        await person.page.locator('[data-testid=content] > *').waitFor();
        await assertOpenToAll(person, hash);
      }
      await person.press('nav-me');
      await person.at('profile-name').waitFor();
      await assertOpenToAll(person, 'profile');
    });
  }
}
