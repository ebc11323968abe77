// What the browser stories stand on: the real binary on free ports, Debian's Chromium, and a network that can be cut.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, openSync, closeSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

/** How long a story waits for something that must happen. Bounds a failure, never a success. */
export const PATIENCE = 20_000;

const BINARY = process.env.COMMUNICONNECT ?? new URL('../../target/debug/communiconnect', import.meta.url).pathname;
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** The server as a child process with a folder of its own; `restart` keeps the folder. */
export class Server {
  #home = mkdtempSync(join(tmpdir(), 'communiconnect-browser-'));
  #child;
  #port = 0;
  /** Where media is received; another after each start. */
  mediaPort = 0;

  #udp;
  #settings;

  /** `udp`: where media is received; `settings` are further ones, as `name=value`. */
  static async start({ udp = '127.0.0.1:0', settings = [] } = {}) {
    const server = new Server();
    server.#udp = udp;
    server.#settings = settings;
    await server.restart();
    return server;
  }

  get port() {
    return this.#port;
  }

  async restart() {
    const log = openSync(join(this.#home, 'server.log'), 'a');
    const settings = [`live.udp=${this.#udp}`, 'admin.listen=127.0.0.1:0', 'limits.rates=off', ...this.#settings];
    const listen = `127.0.0.1:${this.#port}`;
    const flags = ['serve', '--listen', listen, '--data', join(this.#home, 'data'), ...settings.flatMap((each) => ['--set', each])];
    this.#child = spawn(BINARY, flags, { cwd: this.#home, stdio: ['ignore', 'pipe', log] });
    closeSync(log);
    const ended = new Promise((_, refuse) => {
      this.#child.once('error', refuse);
      this.#child.once('exit', (code) => refuse(new Error(`the server ended with ${code}:\n${this.log()}`)));
    });
    ended.catch(() => {});
    const ready = new Promise((resolve) => {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        const found = /^ready http=[^ ]*:(\d+) udp=[^ ]*:(\d+) /.exec(line);
        if (!found) return;
        this.mediaPort = Number(found[2]);
        resolve(Number(found[1]));
      });
    });
    this.#port = await Promise.race([ready, ended]);
  }

  /** `kill -9`. */
  async kill() {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Ends it, and starts it on an empty folder, as after somebody has deleted `./data`. */
  async forget() {
    await this.kill();
    rmSync(join(this.#home, 'data'), { recursive: true });
    await this.restart();
  }

  log() {
    return readFileSync(join(this.#home, 'server.log'), 'utf8').split('\n').slice(-60).join('\n');
  }

  async close() {
    await this.kill();
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * A TCP relay in front of the server: while cut, what is open breaks and nothing new is let through; while held, what is open
 * stays open and nothing passes.
 */
export class Network {
  #relay;
  #open = new Set();
  /** Both directions of what is open, as `[from, to]`. */
  #ways = new Set();
  #cut = false;
  #held = false;

  static async before(server) {
    const network = new Network();
    network.#relay = createServer((near) => network.#join(near, server));
    await new Promise((resolve) => network.#relay.listen(0, '127.0.0.1', resolve));
    return network;
  }

  get origin() {
    return `http://127.0.0.1:${this.#relay.address().port}`;
  }

  cut() {
    this.#cut = true;
    for (const socket of this.#open) socket.destroy();
  }

  restore() {
    this.#cut = false;
  }

  hold() {
    this.#held = true;
    for (const [from, to] of this.#ways) from.unpipe(to);
  }

  release() {
    this.#held = false;
    for (const [from, to] of this.#ways) from.pipe(to);
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.#relay.close(resolve));
  }

  #join(near, server) {
    if (this.#cut) {
      near.destroy();
      return;
    }
    const far = connect(server.port, '127.0.0.1');
    for (const way of [[near, far], [far, near]]) {
      const [from, to] = way;
      this.#open.add(from);
      this.#ways.add(way);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#open.delete(from);
        this.#ways.delete(way);
        to.destroy();
      });
      if (!this.#held) from.pipe(to);
    }
  }
}

/**
 * A UDP relay in front of the server's media port, for the pages whose answers are led through it: while cut, nothing
 * passes either way and nobody is told, as when a network goes.
 */
export class MediaPath {
  #near = createSocket('udp4');
  /** port of a page's socket -> its own socket towards the server */
  #far = new Map();
  #cut = false;
  #server;
  /** Is given every packet that a page sends. */
  heard = null;

  static async before(server) {
    const path = new MediaPath();
    path.#server = server;
    path.#near.on('message', (packet, from) => path.#pass(packet, from));
    await new Promise((resolve) => path.#near.bind(0, '127.0.0.1', resolve));
    return path;
  }

  /** Leads the media of this person's pages through here; to be asked before they are opened. */
  async lead(context) {
    const ports = { ours: this.#near.address().port, theirs: this.#server.mediaPort };
    await context.addInitScript(({ ours, theirs }) => {
      const real = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = function led({ type, sdp }) {
        return real.call(this, { type, sdp: sdp.replaceAll(` 127.0.0.1 ${theirs} typ`, ` 127.0.0.1 ${ours} typ`) });
      };
    }, ports);
  }

  cut() {
    this.#cut = true;
  }

  restore() {
    this.#cut = false;
  }

  close() {
    this.#near.close();
    for (const socket of this.#far.values()) socket.close();
  }

  #pass(packet, from) {
    if (this.#cut) return;
    this.heard?.(packet);
    let far = this.#far.get(from.port);
    if (!far) {
      far = createSocket('udp4');
      far.on('message', (back) => this.#cut || this.#near.send(back, from.port, from.address));
      this.#far.set(from.port, far);
    }
    far.send(packet, this.#server.mediaPort, '127.0.0.1');
  }
}

/** One Chromium; each person gets a context of their own, which is a browser of their own. */
export async function launchBrowser() {
  return chromium.launch({
    executablePath: CHROMIUM,
    timeout: 60_000,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
      // A camera and a microphone that exist nowhere, and nobody to ask whether they may be used.
      '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    ],
  });
}

/** A person in front of a page, with everything that the page complained of. */
export class Person {
  /** Console errors, broken policies and exceptions, as text. */
  complaints = [];
  username = null;

  static async open(browser, origin, { mediaPath, ...options } = {}) {
    const person = new Person();
    person.context = await browser.newContext({ locale: 'en-GB', ...options });
    await mediaPath?.lead(person.context);
    person.context.setDefaultTimeout(PATIENCE);
    await person.context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    person.page = await person.context.newPage();
    person.page.on('console', (message) => message.type() === 'error' && person.complaints.push(message.text()));
    person.page.on('pageerror', (error) => person.complaints.push(String(error.stack ?? error)));
    person.page.on('dialog', (dialog) => {
      person.complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await person.page.goto(origin);
    await person.online();
    return person;
  }

  /** The element with this test id. */
  at(id, inside = this.page) {
    return inside.getByTestId(id);
  }

  async press(id, inside) {
    await this.at(id, inside).first().click();
  }

  async online() {
    await this.page.locator('[data-testid=connection-state][data-state=online]').waitFor({ state: 'attached' });
  }

  async register(username, name = username) {
    this.username = username;
    // Phones have room for it on the welcome alone.
    await this.page.locator('[data-testid=register-open]:visible, [data-testid=welcome-register]:visible').first().click();
    await this.at('register-name').fill(name);
    await this.at('register-username').fill(username);
    await this.at('register-email').fill(`${username}@example.org`);
    await this.at('register-password').fill(`correct horse ${username}`);
    await this.press('register-submit');
    await this.at('me').first().waitFor({ state: 'attached' });
    await this.online();
  }

  /** Makes a community, which may be shown otherwise than it was written; its id. */
  async makeCommunity(name, shown = name) {
    await this.page.goto(`${new URL(this.page.url()).origin}/#/communities`);
    await this.press('community-create');
    await this.at('community-name').fill(name);
    await this.press('community-submit');
    const item = this.page.locator('[data-testid=community-title], [data-testid=community-item]').filter({ hasText: shown });
    await item.first().waitFor();
    if (!/#\/c\//.test(this.page.url())) await item.first().click();
    await this.page.waitForURL(/#\/c\//);
    return /#\/c\/([\w-]+)/.exec(this.page.url())[1];
  }

  async visit(hash) {
    await this.page.goto(`${new URL(this.page.url()).origin}/${hash}`);
  }

  async joinCommunity(id) {
    await this.visit(`#/c/${id}`);
    await this.page.locator('[data-testid=community-join][data-member=false]').click();
    await this.page.locator('[data-testid=community-join][data-member=true]').waitFor();
  }

  async post(content, title) {
    await this.at('composer-content').click();
    if (title) await this.at('composer-title').fill(title);
    await this.at('composer-content').fill(content);
    await this.press('composer-submit');
  }

  /** Goes live from a community with the test picture; small, so that many fit on one machine. */
  async goLive(community, title) {
    await this.visit(`#/live/start/${community}`);
    await this.press('live-more');
    await this.at('live-height').selectOption('360');
    await this.press('live-source-test');
    await this.at('live-check-ok').waitFor();
    await this.at('live-title').fill(title);
    await this.press('live-go');
    await this.page.locator('[data-testid=cockpit][data-state=live][data-phase=flowing]').waitFor();
    return this.at('cockpit').getAttribute('data-live-id');
  }

  /** Waits until the picture of the live that is watched has moved on by some frames. */
  async seesMovement(frames = 15) {
    const before = await this.#frames();
    await this.page.waitForFunction(([least]) => Number(document.querySelector('[data-testid=live-player]')?.dataset.frames ?? 0) >= least, [before + frames]);
  }

  async #frames() {
    const player = this.at('live-player');
    await player.waitFor();
    return Number((await player.getAttribute('data-frames')) ?? 0);
  }

  /** The post that says this. */
  card(content) {
    return this.page.getByTestId('post-card').filter({ has: this.page.getByTestId('post-content').filter({ hasText: content }) });
  }

  /** What the keyboard would press now: its test id, or its tag and text. */
  async focused() {
    return this.page.evaluate(() => document.activeElement.dataset.testid ?? `${document.activeElement.tagName} ${document.activeElement.textContent.slice(0, 40)}`);
  }

  /** Waits until the keyboard is at the element with this test id. */
  async isAt(id) {
    await this.page.waitForFunction((wanted) => document.activeElement.dataset.testid === wanted, id);
  }

  async key(...names) {
    for (const name of names) await this.page.keyboard.press(name);
  }

  async close() {
    await this.context.close();
  }
}
