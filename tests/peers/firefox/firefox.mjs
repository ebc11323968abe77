// Firefox as a peer without a driver: it opens one page of ours, which asks for what to do and tells what came of it.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { speakWhip } from '../harness.mjs';

/** A cold start on a busy machine. */
const STARTING = 60_000;
/** One wish: an offer with its answer, or a look at figures. */
const ANSWERING = 30_000;

/** No camera, nobody to ask, nothing to fetch from elsewhere, and a page that works without being looked at. */
const PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.suspend-bkgnd-video.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'app.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'browser.shell.checkDefaultBrowser': false,
};

export class Firefox {
  #home = mkdtempSync(join(tmpdir(), 'communiconnect-firefox-'));
  #pages;
  #child;
  /** What the page is to do next, and who waits for it to ask. */
  #wishes = [];
  #waiting = null;
  #answers = new Map();
  #asked = 0;
  #isThere;

  static async start() {
    const firefox = new Firefox();
    const isThere = new Promise((resolve) => (firefox.#isThere = resolve));
    firefox.#pages = createServer((request, response) => firefox.#serve(request, response));
    await new Promise((resolve) => firefox.#pages.listen(0, '127.0.0.1', resolve));
    firefox.#open(`http://127.0.0.1:${firefox.#pages.address().port}/`);
    await inTime(isThere, STARTING, () => `Firefox opened no page:\n${firefox.log()}`);
    return firefox;
  }

  /** Has the page run one of its functions; what it answers. */
  run(name, ...args) {
    const id = (this.#asked += 1);
    const answered = new Promise((resolve, refuse) => this.#answers.set(id, { resolve, refuse }));
    this.#wishes.push({ id, name, args });
    this.#hand();
    return inTime(answered, ANSWERING, () => `${name} was not answered:\n${this.log()}`);
  }

  log() {
    return readFileSync(join(this.#home, 'firefox.log'), 'utf8').split('\n').slice(-20).join('\n');
  }

  async close() {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    // Its children end with it.
    this.#child.kill('SIGTERM');
    const killed = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(killed);
    this.#pages.closeAllConnections();
    await new Promise((resolve) => this.#pages.close(resolve));
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 5 });
  }

  #open(url) {
    const profile = join(this.#home, 'profile');
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
    mkdirSync(profile);
    writeFileSync(join(profile, 'user.js'), lines.join('\n'));
    const log = openSync(join(this.#home, 'firefox.log'), 'a');
    this.#child = spawn(process.env.FIREFOX ?? 'firefox-esr', ['--headless', '--no-remote', '--profile', profile, url], {
      stdio: ['ignore', log, log], env: { ...process.env, HOME: this.#home },
    });
    closeSync(log);
  }

  /** `GET /` the page, `GET /wish` the next wish once there is one, `POST /answer`. */
  async #serve(request, response) {
    if (request.method === 'POST') {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      const { id, value, error } = JSON.parse(Buffer.concat(pieces));
      const { resolve, refuse } = this.#answers.get(id);
      this.#answers.delete(id);
      if (error) refuse(new Error(error));
      else resolve(value);
      response.writeHead(204).end();
    } else if (request.url === '/wish') {
      this.#isThere();
      this.#waiting = response;
      this.#hand();
    } else if (request.url === '/') {
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
      response.end(`<!doctype html><body><script>(${speakWhip})();\n(${obey})();</script>`);
    } else {
      response.writeHead(404).end();
    }
  }

  #hand() {
    if (!this.#waiting || this.#wishes.length === 0) return;
    this.#waiting.writeHead(200, { 'Content-Type': 'application/json' });
    this.#waiting.end(JSON.stringify(this.#wishes.shift()));
    this.#waiting = null;
  }
}

/** Runs in the page: does what the story wishes, one thing after the other. */
async function obey() {
  const connections = new Map();
  // The page's functions know one connection at a time: each name has its own.
  const under = (name, run) => async (...args) => {
    window.connection = connections.get(name);
    const value = await run(...args);
    connections.set(name, window.connection);
    return value;
  };
  const functions = {
    publish: (name, wish) => under(name, window.publish)({ codec: 'VP8', ...wish }),
    watch: (name, url) => under(name, window.watch)(url),
    figures: (name) => under(name, window.figures)(),
    closeAll: () => {
      for (const connection of connections.values()) connection?.close();
      connections.clear();
    },
  };
  for (;;) {
    const { id, name, args } = await (await fetch('/wish')).json();
    const answer = { id };
    try {
      answer.value = (await functions[name](...args)) ?? null;
    } catch (error) {
      answer.error = String(error);
    }
    await fetch('/answer', { method: 'POST', body: JSON.stringify(answer) });
  }
}

async function inTime(promise, ms, complaint) {
  let timer;
  const late = new Promise((_, refuse) => (timer = setTimeout(() => refuse(new Error(complaint())), ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
