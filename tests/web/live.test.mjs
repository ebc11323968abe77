// The media core without a network: whole stories of a viewer and a publisher over a peer connection made of variables,
// in virtual time. Run with `node --test tests/web/`; needs nothing installed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Publisher, Signalling, Viewer, bitrateFor, codecOrder, encodingsFor, summarize, tryPath, verdictOnClose, verdictOnError } from '../../src/web/live.js';

/** Timers that run when they are told to. */
class Clock {
  now = 0;
  #timers = new Map();
  #next = 1;

  setTimeout(run, ms) {
    this.#timers.set(this.#next, { at: this.now + ms, run });
    return this.#next++;
  }

  clearTimeout(id) {
    this.#timers.delete(id);
  }

  async pass(ms) {
    const end = this.now + ms;
    await settled();
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
      await settled();
    }
    this.now = end;
  }
}

/** Lets all that waits for answers run. */
const settled = async () => {
  for (let turn = 0; turn < 20; turn += 1) await null;
};

/** A server and a browser's peer connections, as far as the core sees of them. */
function world({ refuse = [], node } = {}) {
  const clock = new Clock();
  const connections = [];
  const asked = [];
  const statuses = [];
  const layers = [];
  let peers = 0;
  const refusals = [...refuse];
  const deaf = new Set();

  class Connection {
    connectionState = 'new';
    signalingState = 'stable';
    localDescription = null;
    closed = false;
    transceivers = [];

    constructor(configuration) {
      this.configuration = configuration;
      connections.push(this);
    }

    addTransceiver(trackOrKind, init) {
      const sender = { track: trackOrKind, transport: { state: 'connected' }, replaceTrack: async (track) => (sender.track = track) };
      const transceiver = { sender, receiver: {}, init, setCodecPreferences: (order) => (transceiver.order = order) };
      this.transceivers.push(transceiver);
      return transceiver;
    }

    getTransceivers() {
      return this.transceivers;
    }

    setConfiguration(configuration) {
      this.configuration = configuration;
    }

    async createOffer({ iceRestart = false } = {}) {
      return { type: 'offer', sdp: `offer ${iceRestart ? 'restart' : connections.indexOf(this)}` };
    }

    async setLocalDescription(description) {
      if (description.type === 'rollback') {
        this.signalingState = 'stable';
        return;
      }
      this.localDescription = description;
      this.signalingState = 'have-local-offer';
    }

    async setRemoteDescription() {
      this.signalingState = 'stable';
    }

    close() {
      this.closed = true;
    }

    become(state) {
      this.connectionState = state;
      this.onconnectionstatechange();
    }
  }

  const signalling = new Signalling(async (type, body) => {
    asked.push(`${type}${type === 'rtc.layer' ? ` ${body.max_height}` : ''}`);
    if (deaf.has(type)) return new Promise(() => {});
    const at = refusals.findIndex((refusal) => refusal.type === type);
    if (at >= 0) throw refusals.splice(at, 1)[0];
    if (type === 'live.join') return { live: {}, ice_servers: [] };
    if (type === 'rtc.watch' || type === 'rtc.publish') return { peer_id: `peer ${++peers}`, sdp: 'answer' };
    if (type === 'rtc.layer') return { layers: [], current: null };
    if (type === 'rtc.probe') return { sdp: 'answer', ice_servers: [{ urls: ['turn:turn.example.org'] }] };
    return type === 'rtc.restart' ? { sdp: 'answer' } : {};
  });
  if (node) signalling.welcomed({ node });
  const options = {
    signalling, liveId: 'l', RTCPeerConnection: Connection, clock, random: () => 1, codecs: [],
    onStatus: (status) => statuses.push(status), onLayers: (news) => layers.push(news),
  };
  return {
    clock, connections, asked, statuses, layers, signalling, options, deaf,
    refuse: (...more) => refusals.push(...more),
    latest: () => connections.at(-1),
    phases: () => statuses.map(({ phase }) => phase),
    close: (reason) => signalling.message('rtc.closed', { peer_id: `peer ${peers}`, reason }),
  };
}

async function watching(options) {
  const stage = world(options);
  const viewer = new Viewer(stage.options);
  viewer.start();
  await settled();
  stage.latest().become('connected');
  return { ...stage, viewer };
}

test('a viewer joins, offers and sees', async () => {
  const { viewer, asked, connections, phases } = await watching();
  assert.deepEqual(asked, ['live.join', 'rtc.watch']);
  assert.deepEqual(phases(), ['connecting', 'flowing']);
  assert.equal(connections.length, 1);
  viewer.stop();
  assert.deepEqual(asked.slice(2), ['rtc.close'], 'the chat may still be read');
  assert.ok(connections[0].closed);
  viewer.leave();
  assert.deepEqual(asked.slice(3), ['live.leave']);
});

test('a path that breaks is mended on the same connection', async () => {
  const { asked, connections, phases, clock } = await watching();
  connections[0].become('disconnected');
  assert.equal(phases().at(-1), 'reconnecting');
  assert.ok(!asked.includes('rtc.restart'), 'a short gap is waited out');
  await clock.pass(1_500);
  assert.equal(asked.at(-1), 'rtc.restart');
  connections[0].become('connected');
  await clock.pass(60_000);
  assert.equal(phases().at(-1), 'flowing');
  assert.equal(connections.length, 1);
});

test('a gap that closes by itself asks for nothing', async () => {
  const { asked, connections, phases, clock } = await watching();
  connections[0].become('disconnected');
  await clock.pass(1_000);
  connections[0].become('connected');
  await clock.pass(60_000);
  assert.deepEqual(asked, ['live.join', 'rtc.watch']);
  assert.deepEqual(phases(), ['connecting', 'flowing', 'reconnecting', 'flowing']);
});

test('where mending twice does not help, a new peer is made', async () => {
  const { asked, connections, clock, latest, phases } = await watching();
  connections[0].become('failed');
  await clock.pass(10_000);
  assert.deepEqual(asked.slice(2), ['rtc.restart', 'rtc.restart']);
  await clock.pass(1_000);
  assert.equal(connections.length, 2);
  assert.ok(connections[0].closed);
  assert.deepEqual(asked.slice(4), ['live.join', 'rtc.watch']);
  latest().become('connected');
  assert.equal(phases().at(-1), 'flowing');
});

test('a server that knows the peer no more gets a new one at once', async () => {
  const { asked, connections, clock } = await watching({ refuse: [{ type: 'rtc.restart', code: 'not_found' }] });
  connections[0].become('failed');
  await clock.pass(1);
  assert.deepEqual(asked.slice(2), ['rtc.restart', 'live.join', 'rtc.watch']);
});

test('a restart lost with the socket is repeated when the socket is back, and the path may have healed meanwhile', async () => {
  const { asked, connections, clock, signalling, phases } = await watching({ refuse: [{ type: 'rtc.restart', code: 'disconnected' }] });
  connections[0].become('failed');
  await clock.pass(60_000);
  assert.deepEqual(asked.slice(2), ['rtc.restart'], 'nothing without a socket');
  assert.equal(connections[0].signalingState, 'stable', 'the offer was taken back');
  signalling.welcomed();
  await settled();
  assert.deepEqual(asked.slice(3), ['live.join', 'rtc.restart']);
  connections[0].become('connected');
  assert.equal(phases().at(-1), 'flowing');
  assert.equal(connections.length, 1);
});

test('a restart whose answer comes late does no harm to a path that came back', async () => {
  const { asked, connections, clock, deaf, phases } = await watching();
  deaf.add('rtc.restart');
  connections[0].become('failed');
  await settled();
  connections[0].become('connected');
  await clock.pass(60_000);
  assert.equal(asked.filter((type) => type === 'rtc.restart').length, 1);
  assert.equal(phases().at(-1), 'flowing');
});

test('after each new session a viewer joins again and asks whether the server still knows the peer', async () => {
  const { asked, connections, clock, signalling, refuse } = await watching();
  signalling.welcomed();
  await settled();
  assert.deepEqual(asked.slice(2), ['live.join', 'rtc.trickle']);
  await clock.pass(60_000);
  assert.equal(connections.length, 1);
  refuse({ type: 'rtc.trickle', code: 'not_found' });
  signalling.welcomed();
  await settled();
  await clock.pass(1);
  assert.equal(connections.length, 2);
});

test('each reason of the server is answered as it asks for', async () => {
  for (const reason of ['stopped', 'ended', 'banned', 'forbidden', 'duration', 'replaced', 'bitrate']) {
    const { connections, clock, statuses, close } = await watching();
    close(reason);
    await clock.pass(60_000);
    assert.equal(connections.length, 1, reason);
    assert.ok(connections[0].closed, reason);
    assert.deepEqual(statuses.at(-1), { phase: 'over', reason, error: undefined });
  }
  const moved = await watching();
  moved.close('renegotiate');
  await settled();
  assert.equal(moved.connections.length, 2, 'another codec is offered for at once');
  for (const reason of ['drain', 'timeout', 'closed', 'error', 'a reason of tomorrow']) {
    const { connections, clock, phases, close } = await watching();
    close(reason);
    assert.equal(phases().at(-1), 'reconnecting');
    assert.equal(connections.length, 1, `${reason}: not at once, or everybody would come at once`);
    await clock.pass(1_000);
    assert.equal(connections.length, 2, reason);
  }
});

test('a word about another peer is none of ours', async () => {
  const { signalling, phases } = await watching();
  signalling.message('rtc.closed', { peer_id: 'peer of another tab', reason: 'banned' });
  assert.equal(phases().at(-1), 'flowing');
});

test('a farewell of the secure transport waits for the word that says why', async () => {
  const gone = await watching();
  const [{ sender }] = gone.connections[0].transceivers;
  sender.transport.state = 'closed';
  sender.transport.onstatechange();
  gone.close('ended');
  await gone.clock.pass(60_000);
  assert.equal(gone.phases().at(-1), 'over');

  const silent = await watching();
  const [first] = silent.connections[0].transceivers;
  first.sender.transport.state = 'closed';
  first.sender.transport.onstatechange();
  await silent.clock.pass(2_000);
  assert.equal(silent.connections.length, 2);
});

test('a live that has not begun is asked for again when it says', async () => {
  const stage = world({ refuse: [{ type: 'rtc.watch', code: 'conflict', retryAfterMs: 2_000 }] });
  new Viewer(stage.options).start();
  await settled();
  assert.equal(stage.phases().at(-1), 'waiting');
  await stage.clock.pass(1_999);
  assert.equal(stage.connections.length, 1);
  await stage.clock.pass(1);
  assert.equal(stage.connections.length, 2);
});

test('what can never succeed is told and not repeated', async () => {
  for (const code of ['not_found', 'forbidden', 'unauthenticated', 'invalid', 'conflict']) {
    const stage = world({ refuse: [{ type: 'rtc.watch', code }] });
    new Viewer(stage.options).start();
    await stage.clock.pass(60_000);
    assert.equal(stage.statuses.at(-1).phase, 'over');
    assert.equal(stage.statuses.at(-1).reason, code);
    assert.equal(stage.connections.length, 1);
  }
});

test('a path that never opens is said to be unreachable, and tried again ever more slowly', async () => {
  const stage = world();
  new Viewer(stage.options).start();
  await stage.clock.pass(10_000);
  assert.equal(stage.statuses.at(-1).reason, 'unreachable');
  await stage.clock.pass(1_000);
  assert.deepEqual([stage.statuses.at(-1).phase, stage.statuses.at(-1).reason], ['connecting', 'unreachable'], 'still said while it is tried');
  await stage.clock.pass(60_000);
  const tries = stage.connections.length;
  assert.ok(tries > 3 && tries < 8, `${tries}`);
  assert.equal(stage.connections.filter(({ closed }) => !closed).length, 1, 'one at a time');
});

test('a server that gives up first says of a path that never opened what we would have said', async () => {
  const stage = world();
  new Viewer(stage.options).start();
  await settled();
  stage.close('timeout');
  assert.equal(stage.statuses.at(-1).reason, 'unreachable');
  const seen = await watching();
  seen.close('timeout');
  assert.equal(seen.statuses.at(-1).reason, 'timeout', 'what was open before is only lost');
});

test('an answer that comes after the viewer has left closes the peer it made', async () => {
  const stage = world();
  const viewer = new Viewer(stage.options);
  viewer.start();
  await null;
  viewer.stop();
  await settled();
  const made = stage.asked.includes('rtc.watch');
  assert.equal(stage.asked.includes('rtc.close'), made);
  assert.ok(stage.connections.every(({ closed }) => closed));
});

test('a wish for quality outlives the peer', async () => {
  const { viewer, asked, layers, close, clock, latest } = await watching();
  await viewer.wish(360);
  assert.equal(asked.at(-1), 'rtc.layer 360');
  assert.equal(layers.at(-1).cause, 'wish');
  close('drain');
  await clock.pass(1_000);
  assert.deepEqual(asked.slice(-3), ['live.join', 'rtc.watch', 'rtc.layer 360']);
  latest().become('connected');
});

const track = (kind, name) => ({ kind, name });

async function publishing(options) {
  const stage = world(options);
  const publisher = new Publisher({ ...stage.options, audio: track('audio', 'a'), video: track('video', 'v'), encodings: encodingsFor({ height: 720 }) });
  publisher.start();
  await settled();
  stage.latest().become('connected');
  return { ...stage, publisher };
}

test('a publisher sends sound and three layers', async () => {
  const { connections, asked } = await publishing();
  assert.deepEqual(asked, ['rtc.publish']);
  const [audio, video] = connections[0].transceivers;
  assert.equal(audio.init.direction, 'sendonly');
  assert.deepEqual(video.init.sendEncodings.map(({ rid }) => rid), ['q', 'h', 'f']);
});

test('a publisher who was replaced stays away, one whose network broke comes back', async () => {
  const replaced = await publishing();
  replaced.close('replaced');
  await replaced.clock.pass(60_000);
  assert.equal(replaced.connections.length, 1);

  const broken = await publishing({ refuse: [{ type: 'rtc.restart', code: 'disconnected' }] });
  broken.connections[0].become('disconnected');
  await broken.clock.pass(2_000);
  broken.signalling.welcomed();
  await settled();
  assert.deepEqual(broken.asked, ['rtc.publish', 'rtc.restart', 'rtc.restart']);
  broken.connections[0].become('connected');
  assert.equal(broken.phases().at(-1), 'flowing');
});

test('a socket that comes back at another node costs no upload that flows', async () => {
  const notFound = { type: 'rtc.trickle', code: 'not_found' };
  const elsewhere = { type: 'rtc.publish', code: 'unavailable', carrier: { node: 'b', url: null, isSilent: false } };
  const { asked, connections, clock, signalling, phases, refuse } = await publishing({ node: 'a' });
  refuse(notFound, elsewhere);
  signalling.welcomed({ node: 'b' });
  await clock.pass(60_000);
  assert.deepEqual(asked, ['rtc.publish'], 'another node knows nothing of this peer');
  assert.equal(phases().at(-1), 'flowing');
  assert.equal(connections[0].closed, false);

  signalling.welcomed({ node: 'a' });
  await clock.pass(1);
  assert.deepEqual(asked.slice(1, 3), ['rtc.trickle', 'rtc.publish'], 'its own is asked, and has forgotten it');
});

test('an upload that broke while its socket is at another node says where the live is carried', async () => {
  const { connections, clock, signalling, statuses, refuse } = await publishing({ node: 'a' });
  signalling.welcomed({ node: 'b' });
  refuse({ type: 'rtc.restart', code: 'not_found' }, { type: 'rtc.publish', code: 'unavailable', carrier: { node: 'a', url: 'https://a.example.org', isSilent: false } });
  connections[0].become('failed');
  await clock.pass(1);
  assert.deepEqual([statuses.at(-1).phase, statuses.at(-1).reason], ['over', 'elsewhere']);
});

test('a live whose node has not said yet where it is is asked for again, ever more rarely, and not for ever', async () => {
  const unplaced = { type: 'rtc.watch', code: 'unavailable', retryAfterMs: 5_000, carrier: { node: 'b', url: null, isSilent: false } };
  const placed = { ...unplaced, carrier: { ...unplaced.carrier, url: 'https://b.example.org' } };
  const found = world({ refuse: [unplaced, unplaced, placed] });
  new Viewer(found.options).start();
  await found.clock.pass(2_999);
  assert.deepEqual([found.statuses.at(-1).phase, found.statuses.at(-1).error.carrier.node], ['waiting', 'b'], 'who waits can be told for what');
  await found.clock.pass(1);
  assert.deepEqual([found.clock.now, found.statuses.at(-1).phase, found.statuses.at(-1).error], [3_000, 'over', placed]);

  const never = world({ refuse: Array(5).fill(unplaced) });
  new Viewer(never.options).start();
  await never.clock.pass(14_999);
  assert.notEqual(never.phases().at(-1), 'over');
  await never.clock.pass(60_000);
  assert.deepEqual([never.phases().at(-1), never.statuses.at(-1).reason], ['over', 'elsewhere']);
  assert.equal(never.asked.filter((type) => type === 'rtc.watch').length, 5);
});

test('the next peer belongs to the node that made it', async () => {
  const { asked, clock, signalling, close, latest } = await publishing({ node: 'a' });
  signalling.welcomed({ node: 'b' });
  close('timeout');
  await clock.pass(1_000);
  latest().become('connected');
  signalling.welcomed({ node: 'b' });
  await clock.pass(1);
  assert.deepEqual(asked.slice(1), ['rtc.publish', 'rtc.trickle']);
});

test('another camera is sent from now on, also over the next peer', async () => {
  const { publisher, connections, close, clock, latest } = await publishing();
  await publisher.replace(track('video', 'other'));
  assert.equal(connections[0].transceivers[1].sender.track.name, 'other');
  close('timeout');
  await clock.pass(1_000);
  assert.equal(latest().transceivers[1].sender.track.name, 'other');
});

test('VP9 and AV1 are sent flat, and a shared screen in one piece', () => {
  assert.ok(encodingsFor({ height: 720, codec: 'VP9' }).every(({ scalabilityMode }) => scalabilityMode === 'L1T1'));
  assert.equal(encodingsFor({ height: 720, codec: 'VP8' })[0].scalabilityMode, undefined);
  assert.deepEqual(encodingsFor({ height: 1080, simulcast: false }), [{ maxBitrate: 3_200_000 }]);
  assert.deepEqual(encodingsFor({ height: 360 }).map(({ rid, scaleResolutionDownBy }) => `${rid}${scaleResolutionDownBy}`), ['h2', 'f1'], 'the best layer is never one too many');
  assert.equal(encodingsFor({ height: 180 }).length, 1);
  const rates = encodingsFor({ height: 720 }).map(({ maxBitrate }) => maxBitrate);
  assert.deepEqual(rates, [...rates].sort((a, b) => a - b), 'the smallest first');
  assert.ok(rates.reduce((a, b) => a + b) < 12_000_000, 'well below what a publisher may send');
  assert.equal(bitrateFor(4000), bitrateFor(1080));
});

test('the wished codec is offered first, the repairing ones stay', () => {
  const codecs = ['video/VP8', 'video/rtx', 'video/VP9', 'video/H264'].map((mimeType) => ({ mimeType }));
  assert.deepEqual(codecOrder(codecs, 'VP9').map(({ mimeType }) => mimeType), ['video/VP9', 'video/VP8', 'video/rtx', 'video/H264']);
  assert.equal(codecOrder(codecs, 'auto'), null);
  assert.equal(codecOrder(codecs, 'AV1'), null, 'a browser that cannot keeps its own order');
});

test('verdicts stand for every reason and every error', () => {
  assert.equal(verdictOnClose('renegotiate'), 'now');
  assert.equal(verdictOnClose('drain'), 'again');
  assert.equal(verdictOnError({ code: 'offline' }), 'socket');
  assert.equal(verdictOnError({ code: 'unavailable' }), 'again');
  assert.equal(verdictOnError({ code: 'unavailable', carrier: { node: 'b', isSilent: false } }), 'over', 'a live does not move');
  assert.equal(verdictOnError({ code: 'unavailable', carrier: { node: 'b', isSilent: true } }), 'again');
  assert.equal(verdictOnError(Object.assign(new Error(), { code: 9 })), 'over', 'a browser that refuses by number');
});

test('rates are taken between two reports, layers together', () => {
  const report = (at, packets, lost) => new Map([
    ['a', { type: 'inbound-rtp', kind: 'audio', timestamp: at, bytesReceived: packets * 10, packetsReceived: packets, packetsLost: 0 }],
    ['v', { type: 'inbound-rtp', kind: 'video', timestamp: at, bytesReceived: packets * 1000, packetsReceived: packets, packetsLost: lost, framesDecoded: packets / 10, frameWidth: 640, frameHeight: 360, framesPerSecond: 15, freezeCount: 1 }],
    ['p', { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.021 }],
  ]);
  const first = summarize(report(1_000, 100, 0));
  assert.equal(first.bitrate, 0);
  const second = summarize(report(2_000, 200, 50), first);
  assert.equal(second.bitrate, 808_000);
  assert.equal(second.loss, 20);
  assert.deepEqual([second.width, second.height, second.fps, second.frames, second.freezes, second.rtt_ms], [640, 360, 15, 20, 1, 21]);
});

test('the way is tried with a peer that is let go, whatever comes of it', async () => {
  const tried = async (happens, options) => {
    const stage = world(options);
    const verdict = tryPath(stage.options);
    await settled();
    await happens(stage);
    const found = await verdict;
    assert.equal(stage.latest().closed, true);
    return { ...stage, found };
  };
  const open = await tried(({ latest }) => latest().become('connected'));
  assert.equal(open.found, 'open');
  assert.equal(open.latest().transceivers[0].init.direction, 'recvonly', 'nothing is sent');
  assert.deepEqual(open.latest().configuration.iceServers, [{ urls: ['turn:turn.example.org'] }], 'relays count as a way');
  const failsTwice = async ({ latest }) => {
    latest().become('failed');
    await settled();
    latest().become('failed');
  };
  assert.equal((await tried(failsTwice)).found, 'blocked');
  const silent = await tried(({ clock }) => clock.pass(12_000));
  assert.equal(silent.found, 'blocked');
  assert.deepEqual(silent.asked, ['rtc.probe', 'rtc.probe'], 'twice, and no more');
  const refused = await tried(() => {}, { refuse: [{ type: 'rtc.probe', code: 'unavailable' }] });
  assert.equal(refused.found, 'unknown', 'a server that does not answer says nothing of the way');
  assert.equal(await tryPath({ ...refused.options, RTCPeerConnection: undefined }), 'unknown');
});

test('a try that another tab of the same person cut short is no blocked way', async () => {
  const stage = world();
  const verdict = tryPath(stage.options);
  await stage.clock.pass(8_000); // the server has dropped this peer for the other tab's, and says nothing
  assert.equal(stage.connections.length, 2);
  assert.ok(stage.connections[0].closed);
  stage.latest().become('connected');
  assert.equal(await verdict, 'open');
  assert.ok(stage.latest().closed);

  const refused = world({ refuse: [{ type: 'rtc.probe', code: 'unavailable' }] });
  assert.equal(await tryPath(refused.options), 'unknown');
  assert.deepEqual(refused.asked, ['rtc.probe']);
});
