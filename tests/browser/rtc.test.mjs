// A live as two browsers have it: one sends a camera, one watches, over the socket's commands alone.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { chromium } from 'playwright-core';
import { Server } from './harness.mjs';

const server = await Server.start();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
  ],
});
after(async () => {
  await browser.close();
  await server.close();
});

/** Runs in the page: a client of the socket, and peer connections over it. */
function equip() {
  const PATIENCE = 15_000;

  class Client {
    #next = 0;
    #waiting = new Map();
    pushes = [];

    constructor() {
      this.socket = new WebSocket(`ws://${location.host}/v1/ws`, 'cc.v1.json');
      this.isOpen = new Promise((resolve) => (this.socket.onopen = resolve));
      this.socket.onmessage = ({ data }) => {
        const [id, kind, body] = JSON.parse(data);
        if (id === 0) this.pushes.push({ kind, body });
        else this.#waiting.get(id)({ kind, body });
      };
    }

    async ask(command, body = {}) {
      await this.isOpen;
      const id = ++this.#next;
      const replied = new Promise((resolve) => this.#waiting.set(id, resolve));
      this.socket.send(JSON.stringify([id, command, body]));
      const { kind, body: reply } = await replied;
      if (kind === 'error') throw new Error(`${command}: ${reply.code}`);
      return reply;
    }

    async told(kind, event, wanted = () => true) {
      const until = performance.now() + PATIENCE;
      for (;;) {
        const found = this.pushes.find((push) => push.kind === kind && push.body.event === event && wanted(push.body.data));
        if (found) return found.body.data;
        if (performance.now() > until) throw new Error(`never told: ${kind} ${event}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  const gathered = (peer) =>
    new Promise((resolve) => {
      const look = () => peer.iceGatheringState === 'complete' && resolve();
      peer.onicegatheringstatechange = look;
      look();
    });

  async function answered(client, command, live_id, peer) {
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const { peer_id, sdp } = await client.ask(command, { live_id, sdp: peer.localDescription.sdp });
    await peer.setRemoteDescription({ type: 'answer', sdp });
    return peer_id;
  }

  async function publish(client, live_id) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
    const peer = new RTCPeerConnection();
    for (const track of stream.getTracks()) peer.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
    return { peer, id: await answered(client, 'rtc.publish', live_id, peer) };
  }

  async function watch(client, live_id) {
    const peer = new RTCPeerConnection();
    for (const kind of ['audio', 'video']) peer.addTransceiver(kind, { direction: 'recvonly' });
    const video = Object.assign(document.createElement('video'), { muted: true, autoplay: true });
    video.srcObject = new MediaStream();
    peer.ontrack = ({ track }) => video.srcObject.addTrack(track);
    document.body.append(video);
    const frame = new Promise((resolve, refuse) => {
      video.requestVideoFrameCallback(resolve);
      setTimeout(() => refuse(new Error(`no picture: ${peer.connectionState}`)), PATIENCE);
    });
    const id = await answered(client, 'rtc.watch', live_id, peer);
    await frame;
    return { peer, id, video };
  }

  Object.assign(window, { Client, publish, watch });
}

async function person(name) {
  const registered = await fetch(`http://127.0.0.1:${server.port}/v1/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: name, email: `${name}@example.org`, password: 'password-1' }),
  });
  const { access_token: token } = await registered.json();
  const page = await (await browser.newContext({ permissions: ['camera', 'microphone'] })).newPage();
  await page.goto(`http://127.0.0.1:${server.port}/`);
  await page.evaluate(equip);
  await page.evaluate(async (token) => {
    window.client = new Client();
    await client.ask('connect', { token });
  }, token);
  return page;
}

test('a live goes from one browser to another, survives its broadcaster, and ends with a report', async () => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const live = await ada.evaluate(async () => {
    const { community } = await client.ask('community.create', { op: crypto.randomUUID(), name: 'Market' });
    const wish = { op: crypto.randomUUID(), title: 'Market day', community_id: community.id, visibility: 'public' };
    window.live = (await client.ask('live.start', wish)).live.id;
    await client.ask('live.join', { live_id: live });
    window.first = await publish(client, live);
    await client.told('publication', 'live.started');
    return live;
  });

  await bob.evaluate(async (live) => {
    await client.ask('live.join', { live_id: live });
    window.seen = await watch(client, live);
  }, live);
  await ada.evaluate(() => client.told('state', 'live.viewers', ({ current }) => current === 1));

  await ada.evaluate(() => first.peer.close());
  await bob.evaluate(() => client.told('publication', 'live.interrupted'));
  await ada.evaluate(async () => void (window.second = await publish(client, live)));
  await bob.evaluate(() => client.told('publication', 'live.resumed'));
  await bob.evaluate(() => new Promise((resolve) => seen.video.requestVideoFrameCallback(resolve)));
  assert.equal(await bob.evaluate(() => seen.peer.connectionState), 'connected', 'on the same connection');

  await ada.evaluate(async () => void (window.third = await publish(client, live)));
  const replaced = await ada.evaluate(() => client.told('message', 'rtc.closed', ({ peer_id }) => peer_id === second.id));
  assert.equal(replaced.reason, 'replaced');

  // What is delivered is counted once a second, and so is what the third upload sends.
  await ada.evaluate(async () => {
    for (;;) {
      const { watch_ms, upload } = (await client.ask('live.report', { live_id: live })).report;
      if (watch_ms.total > 0 && upload.bitrate > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  const { report } = await ada.evaluate(() => client.ask('live.stop', { live_id: live }));
  assert.deepEqual([report.viewers.peak, report.viewers.unique, report.joins, report.interruptions], [1, 1, 1, 1]);
  assert.ok(report.watch_ms.total > 0 && report.upload.bitrate > 0, JSON.stringify(report));
  const closed = await bob.evaluate(() => client.told('message', 'rtc.closed'));
  assert.equal(closed.reason, 'stopped');
  const ended = await bob.evaluate(() => client.told('publication', 'live.ended'));
  assert.deepEqual([ended.reason, ended.viewers], ['stopped', { peak: 1, unique: 1 }]);
});
