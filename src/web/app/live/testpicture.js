// A picture and a tone made here: for trying out a live without a camera, and for tests. It shows the time, so that
// whoever watches can tell how far behind they are, and never stands still.

const FRAMES_PER_SECOND = 20;
const TONE_HZ = 440;
const LOUDNESS = 0.06;
const BEEP_SECONDS = 0.12;

/** @returns {{stream: MediaStream, stop: () => void}} */
export function testPicture({ height = 720, words = '' } = {}) {
  const canvas = document.createElement('canvas');
  canvas.height = height;
  canvas.width = Math.round((height * 16) / 9 / 2) * 2;
  const pen = canvas.getContext('2d', { alpha: false });
  let frame = 0;
  const draw = () => paint(pen, canvas, (frame += 1), words);
  draw();
  const timer = setInterval(draw, 1_000 / FRAMES_PER_SECOND);
  const sound = tone();
  const stream = new MediaStream([...canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks(), ...sound.stream.getAudioTracks()]);
  return {
    stream,
    stop: () => {
      clearInterval(timer);
      sound.stop();
      stream.getTracks().forEach((track) => track.stop());
    },
  };
}

/** What viewers see while the camera is off: a still card, repeated so that the stream goes on. */
export function restingPicture({ height, words }) {
  const canvas = document.createElement('canvas');
  canvas.height = height;
  canvas.width = Math.round((height * 16) / 9 / 2) * 2;
  const pen = canvas.getContext('2d', { alpha: false });
  const draw = () => {
    pen.fillStyle = '#12302a';
    pen.fillRect(0, 0, canvas.width, canvas.height);
    rings(pen, canvas, 0);
    label(pen, words, canvas.width / 2, canvas.height / 2, canvas.height / 14);
  };
  draw();
  const timer = setInterval(draw, 500);
  const [track] = canvas.captureStream(5).getVideoTracks();
  return {
    track,
    stop: () => {
      clearInterval(timer);
      track.stop();
    },
  };
}

function paint(pen, { width, height }, frame, words) {
  const turn = (frame / FRAMES_PER_SECOND) % 60;
  pen.fillStyle = `hsl(${(frame * 2) % 360} 34% 22%)`;
  pen.fillRect(0, 0, width, height);
  rings(pen, { width, height }, turn / 6);
  const now = new Date();
  const clock = `${now.toLocaleTimeString('en-GB')}.${String(now.getMilliseconds()).padStart(3, '0')}`;
  label(pen, clock, width / 2, height * 0.47, height / 7);
  label(pen, words, width / 2, height * 0.62, height / 18);
  label(pen, String(frame), width / 2, height * 0.72, height / 24);
  // A dot that runs along the lower edge once in two seconds: a picture that stutters is seen at once.
  const place = (frame % (FRAMES_PER_SECOND * 2)) / (FRAMES_PER_SECOND * 2);
  pen.fillStyle = '#ffb28f';
  pen.beginPath();
  pen.arc(width * (0.06 + 0.88 * place), height * 0.9, height / 26, 0, 7);
  pen.fill();
}

function rings(pen, { width, height }, turn) {
  pen.lineWidth = height / 18;
  for (const [colour, side] of [['#5fcdb3', -1], ['#e8754f', 1]]) {
    pen.strokeStyle = colour;
    pen.globalAlpha = 0.5;
    pen.beginPath();
    pen.arc(width / 2 + side * height * 0.13, height / 2, height * 0.3, turn * side, turn * side + 4.9);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

function label(pen, text, x, y, size) {
  pen.font = `650 ${Math.round(size)}px system-ui, sans-serif`;
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.fillStyle = '#f2faf7';
  pen.fillText(text, x, y, x * 1.8);
}

/** A short beep each second: silence could be a fault. */
function tone() {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: TONE_HZ });
  const gate = new GainNode(context, { gain: 0 });
  const out = new MediaStreamAudioDestinationNode(context);
  oscillator.connect(gate).connect(out);
  oscillator.start();
  const beep = () => {
    gate.gain.setValueAtTime(LOUDNESS, context.currentTime);
    gate.gain.setValueAtTime(0, context.currentTime + BEEP_SECONDS);
  };
  beep();
  const timer = setInterval(beep, 1_000);
  void context.resume();
  return {
    stream: out.stream,
    stop: () => {
      clearInterval(timer);
      void context.close();
    },
  };
}
