// The live that is sent from a page, without a browser: what becomes of the camera. One file for itself, since it needs what a
// browser has around a page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await null;
};

/** A peer connection that never says anything. */
class Connection {
  transceivers = [];
  localDescription = null;

  addTransceiver() {
    const transceiver = { sender: { transport: null }, receiver: {} };
    this.transceivers.push(transceiver);
    return transceiver;
  }

  getTransceivers() {
    return this.transceivers;
  }

  async createOffer() {
    return { type: 'offer', sdp: 'offer' };
  }

  async setLocalDescription(description) {
    this.localDescription = description;
  }

  async setRemoteDescription() {}

  close() {}
}

/** Somebody who sends, and a server that refuses to end the live with `refusal`. */
async function sending(refusal) {
  Object.assign(globalThis, {
    addEventListener: () => {},
    document: { addEventListener: () => {}, visibilityState: 'hidden' },
    setInterval: () => 0,
    setTimeout: () => 0,
    clearTimeout: () => {},
    RTCPeerConnection: Connection,
  });
  const { OnAir } = await import('../../src/web/app/live/onair.js');
  const { Signalling } = await import('../../src/web/live.js');
  const ask = async (type) => {
    if (type === 'live.stop') throw refusal;
    return type === 'live.join' ? { live: { id: 'l' }, ice_servers: [] } : { peer_id: 'p', sdp: 'answer' };
  };
  const onAir = new OnAir({ ask, signalling: new Signalling(ask), state: 'online' });
  const source = { kind: 'camera', height: 720, sound: { kind: 'audio' }, video: { kind: 'video' }, stopped: false, stop: () => (source.stopped = true) };
  await onAir.take({ id: 'l' }, source, { codec: 'auto' });
  await settled();
  assert.ok(onAir.is('l'));
  return { onAir, source };
}

test('a camera goes out when its live is to be stopped, also where only another node can end it', async () => {
  const elsewhere = Object.assign(new Error(), { code: 'unavailable', carrier: { node: 'a', url: null, isSilent: false } });
  const { onAir, source } = await sending(elsewhere);
  await assert.rejects(onAir.stop(), elsewhere, 'the live itself waits for somebody to go on, and that is told');
  assert.ok(source.stopped);
  assert.equal(onAir.sending, false);
});

test('a refusal that passes leaves the live on the air', async () => {
  const { onAir, source } = await sending(Object.assign(new Error(), { code: 'internal', carrier: null }));
  await assert.rejects(onAir.stop());
  assert.equal(source.stopped, false);
  assert.ok(onAir.is('l'));
});
