// Records the offers of libdatachannel, which OBS is built on: node libdatachannel.mjs FOLDER

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import nodeDataChannel from 'node-datachannel';

const record = (name, build) =>
  new Promise((done) => {
    const peer = new nodeDataChannel.PeerConnection(name, { iceServers: [], disableAutoNegotiation: true });
    const kept = build(peer);
    peer.onGatheringStateChange((state) => {
      if (state !== 'complete') return;
      writeFileSync(join(process.argv[2], `libdatachannel-${name}.offer.sdp`), peer.localDescription().sdp);
      peer.close();
      done(kept);
    });
    peer.setLocalDescription('offer');
  });

const audio = (direction) => {
  const section = new nodeDataChannel.Audio('audio', direction);
  section.addOpusCodec(111);
  return section;
};
const video = (direction) => {
  const section = new nodeDataChannel.Video('video', direction);
  section.addH264Codec(96);
  return section;
};

await record('publish', (peer) => {
  const [sound, picture] = [audio('SendOnly'), video('SendOnly')];
  sound.addSSRC(1111, 'live', 'live', 'audio');
  picture.addSSRC(2222, 'live', 'live', 'video');
  return [peer.addTrack(sound), peer.addTrack(picture)];
});
await record('watch-data', (peer) => {
  const picture = video('RecvOnly');
  picture.addVP8Codec(97);
  picture.addVP9Codec(98);
  return [peer.addTrack(audio('RecvOnly')), peer.addTrack(picture), peer.createDataChannel('x')];
});
nodeDataChannel.cleanup();
