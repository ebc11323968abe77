// A function for a page: makes the offers of a broadcaster and of viewers, and answers them by name.
async () => {
  const gathered = (pc) =>
    new Promise((done) => {
      const look = () => pc.iceGatheringState === 'complete' && done();
      pc.addEventListener('icegatheringstatechange', look);
      setTimeout(done, 3000);
    });
  const offer = async (build) => {
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    await build(pc);
    await pc.setLocalDescription();
    await gathered(pc);
    const { sdp } = pc.localDescription;
    pc.close();
    return sdp;
  };
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720 } });
  const [audio] = media.getAudioTracks();
  const [video] = media.getVideoTracks();
  const send = { direction: 'sendonly', streams: [media] };
  const layers = [{ rid: 'l', scaleResolutionDownBy: 4 }, { rid: 'm', scaleResolutionDownBy: 2 }, { rid: 'h' }];
  return {
    publish: await offer((pc) => {
      pc.addTransceiver(audio, send);
      pc.addTransceiver(video, send);
    }),
    'publish-simulcast': await offer((pc) => {
      pc.addTransceiver(audio, send);
      pc.addTransceiver(video, { ...send, sendEncodings: layers });
    }),
    watch: await offer((pc) => {
      pc.addTransceiver('audio', { direction: 'recvonly' });
      pc.addTransceiver('video', { direction: 'recvonly' });
    }),
    'watch-data': await offer((pc) => {
      pc.createDataChannel('x');
      for (const track of media.getTracks()) pc.addTrack(track, media);
    }),
    'watch-data-first': await offer(async (pc) => {
      pc.createDataChannel('x');
      await pc.setLocalDescription();
      pc.addTransceiver('audio', { direction: 'recvonly' });
      pc.addTransceiver('video', { direction: 'recvonly' });
    }),
  };
};
