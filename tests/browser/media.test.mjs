// Pictures and videos in posts: chosen, pasted, described, sent, seen by those who may, and looked at large.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNoComplaints, open, pair } from './stage.mjs';

/** A picture of the browser's own, with so many pixels. */
async function painted(person, width, height) {
  const text = await person.page.evaluate(([width, height]) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d');
    context.fillStyle = 'teal';
    context.fillRect(0, 0, width, height);
    return canvas.toDataURL('image/png').split(',')[1];
  }, [width, height]);
  return { name: 'holiday.png', mimeType: 'image/png', buffer: Buffer.from(text, 'base64') };
}

/** Resolves once a picture has its pixels; answers how many and how wide it stands. */
async function shown(image) {
  await image.waitFor();
  return image.evaluate(async (element) => {
    if (!element.complete || element.naturalWidth === 0) await new Promise((resolve) => element.addEventListener('load', resolve, { once: true }));
    return { pixels: element.naturalWidth, width: element.clientWidth, height: element.clientHeight, source: element.currentSrc };
  });
}

test('a picture is chosen, described and posted, others see it in its place and look at it large', async () => {
  const { alice, bob } = await pair();
  await alice.at('composer-content').click();
  await alice.at('composer-file').setInputFiles(await painted(alice, 900, 600));
  await alice.at('composer-alt').fill('The sea');
  await alice.at('composer-content').fill('look at this');
  await alice.press('composer-submit');
  for (const person of [alice, bob]) {
    const card = person.card('look at this');
    const { pixels, width, height, source } = await shown(person.at('post-picture-image', card));
    assert.ok(pixels > 0 && Math.abs(width / height - 1.5) < 0.02, `${pixels} ${width}x${height}`);
    assert.match(source, /\/media\/[\w-]+\/(medium|large)$/);
  }
  const card = bob.card('look at this');
  assert.equal(await bob.at('post-picture-image', card).getAttribute('alt'), 'The sea');
  await bob.at('post-picture', card).click();
  assert.equal((await shown(bob.at('picture-whole'))).pixels, 900);
  await bob.page.keyboard.press('Escape');
  await bob.at('picture-dialog').waitFor({ state: 'detached' });
  for (const person of [alice, bob]) assertNoComplaints(person);
});

test('a private picture is shown to its author, though an image sends no token', async () => {
  const { alice, bob } = await pair();
  await alice.at('composer-content').click();
  await alice.at('composer-file').setInputFiles(await painted(alice, 300, 300));
  await alice.at('composer-content').fill('for me alone');
  await alice.at('composer-visibility').selectOption('private');
  await alice.press('composer-submit');
  const { pixels, source } = await shown(alice.at('post-picture-image', alice.card('for me alone')));
  assert.equal(pixels, 300);
  assert.match(source, /^blob:/);
  await alice.at('composer-content').click();
  await alice.at('composer-visibility').selectOption('public');
  await alice.post('for all');
  await bob.card('for all').waitFor();
  assert.equal(await bob.card('for me alone').count(), 0);
  assertNoComplaints(alice);
});

test('what is no picture is refused at once, and a sixth one as well', async () => {
  const { alice } = await pair();
  await alice.at('composer-content').click();
  await alice.at('composer-file').setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no') });
  await alice.page.locator('[data-testid=toast-error]').filter({ hasText: 'JPEG, PNG, GIF or WebP' }).first().waitFor();
  const picture = await painted(alice, 20, 20);
  await alice.at('composer-file').setInputFiles(Array.from({ length: 6 }, () => picture));
  await alice.page.locator('[data-testid=toast-error]').filter({ hasText: 'five pictures or videos' }).first().waitFor();
  assert.equal(await alice.page.locator('[data-testid=composer-attachment]').count(), 5);
  await alice.page.locator('[data-testid=composer-picture-remove]').first().click();
  assert.equal(await alice.page.locator('[data-testid=composer-attachment]').count(), 4);
  // One that calls itself a picture is refused by the server; the post waits with its words.
  await alice.at('composer-file').setInputFiles({ name: 'x.png', mimeType: 'image/png', buffer: Buffer.from('no picture at all, whatever it says') });
  await alice.at('composer-content').fill('with words');
  await alice.press('composer-submit');
  await alice.at('form-error').filter({ hasText: 'JPEG, PNG, GIF or WebP' }).waitFor();
  assert.equal(await alice.at('composer-content').inputValue(), 'with words');
});

test('a guest sees the pictures of public posts', async () => {
  const { alice, community } = await pair();
  await alice.at('composer-content').click();
  await alice.at('composer-file').setInputFiles(await painted(alice, 700, 350));
  await alice.press('composer-submit');
  await shown(alice.at('post-picture-image'));
  const guest = await open();
  await guest.visit(`#/c/${community}`);
  assert.ok((await shown(guest.at('post-picture-image'))).pixels > 0);
});

test('a profile photo is chosen, seen by others beside what one writes, and removed', async () => {
  const { alice, bob, community } = await pair();
  await alice.post('who is this');
  await alice.visit(await alice.at('post-author', alice.card('who is this')).getAttribute('href'));
  await alice.at('profile-photo-file').setInputFiles(await painted(alice, 400, 400));
  await shown(alice.at('profile').locator('img.avatar'));
  await bob.page.reload();
  await bob.visit(`#/c/${community}`);
  await shown(bob.card('who is this').locator('img.avatar').first());
  await alice.page.reload();
  await alice.press('profile-photo-remove');
  await alice.at('profile').locator('svg.avatar').waitFor();
  assertNoComplaints(alice);
});

test('a video is posted as the browser records it, and plays for others', async () => {
  const { alice, bob } = await pair();
  const recorded = await alice.page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
    const context = canvas.getContext('2d');
    const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/webm' });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.start();
    for (let frame = 0; frame < 30; frame += 1) {
      context.fillStyle = `hsl(${frame * 12} 80% 50%)`;
      context.fillRect(0, 0, 320, 180);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    await new Promise((resolve) => {
      recorder.onstop = resolve;
      recorder.stop();
    });
    return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
  });
  await alice.at('composer-content').click();
  await alice.at('composer-file').setInputFiles({ name: 'v.webm', mimeType: 'video/webm', buffer: Buffer.from(recorded) });
  await alice.at('composer-content').fill('it moves');
  await alice.press('composer-submit');
  const video = bob.at('post-video', bob.card('it moves'));
  await video.waitFor();
  const { width, time } = await video.evaluate(async (element) => {
    element.muted = true;
    await element.play();
    while (element.currentTime < 0.2) await new Promise((resolve) => setTimeout(resolve, 50));
    return { width: element.videoWidth, time: element.currentTime };
  });
  assert.equal(width, 320);
  assert.ok(time >= 0.2);
  assertNoComplaints(bob);
});
