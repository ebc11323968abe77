// Records Chromium's offers: node chromium.mjs FOLDER

import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { chromium } = createRequire(new URL('../../browser/package.json', import.meta.url))('playwright-core');
const page = readFileSync(new URL('page.js', import.meta.url), 'utf8').replace(/^\/\/.*\n/, '').replace(/;\s*$/, '');

// Cameras are for secure origins alone, and a loopback address is one.
const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
});
const tab = await browser.newPage();
await tab.goto(`http://127.0.0.1:${server.address().port}/`);
for (const [name, sdp] of Object.entries(await tab.evaluate(`(${page})()`))) {
  writeFileSync(join(process.argv[2], `chromium-${name}.offer.sdp`), sdp);
}
await browser.close();
server.close();
