// A server whose data were deleted: whoever was logged in is told, and led back in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNoComplaints, fresh, open, stage } from './stage.mjs';

test('whoever the server has forgotten reads why they are a guest, and signs up anew', async () => {
  const person = await open();
  const username = fresh('emma');
  await person.register(username, 'Emma');
  await person.makeCommunity('Gone tomorrow');
  await stage.server.forget();
  const notice = person.at('login-forgotten');
  await notice.waitFor();
  assert.match(await notice.innerText(), /Emma.*does not know your login/s);
  assert.equal(await person.at('me').count(), 0);
  await person.press('forgotten-register');
  assert.equal(await person.at('register-username').inputValue(), username);
  await person.at('register-email').fill(`${username}@example.org`);
  await person.at('register-password').fill(`correct horse ${username}`);
  await person.press('register-submit');
  await person.at('me').first().waitFor({ state: 'attached' });
  assert.equal(await notice.count(), 0);
  await person.makeCommunity('Here again');
  // The first answers of a server that knows nobody are refusals, and the browser says so.
  person.complaints = person.complaints.filter((text) => !/status of 401/.test(text));
  assertNoComplaints(person, { cut: true });
});
