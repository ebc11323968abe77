// Where picture and sound of a live come from: a camera, the screen, or a test picture.

import { t } from '../i18n.js';
import { restingPicture, testPicture } from './testpicture.js';

export const SOURCES = ['camera', 'screen', 'test'];

const FRAMES_PER_SECOND = 30;

/** Whether the browser lets a page use devices at all: only over https, or on this machine. */
export function devicesAllowed() {
  return globalThis.isSecureContext !== false && navigator.mediaDevices !== undefined;
}

/** Devices to choose from; their names are known once the person has allowed one. */
export async function listDevices() {
  if (!devicesAllowed()) return { cameras: [], microphones: [] };
  const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  const of = (kind) => devices.filter((device) => device.kind === kind && device.deviceId !== '');
  return { cameras: of('videoinput'), microphones: of('audioinput') };
}

/**
 * Opens a source: `wish` is `{kind, height, camera?, microphone?, sound}` with ids of devices and whether the microphone
 * is wanted. Throws what the browser throws.
 */
export async function openSource(wish) {
  if (wish.kind === 'test') {
    const { stream, stop } = testPicture({ height: wish.height, words: t('live.test.words') });
    return new Source(wish, stream, stop);
  }
  if (!devicesAllowed()) throw new DOMException('devices need a secure context', 'SecurityError');
  const stream = wish.kind === 'screen' ? await captureScreen(wish) : await captureCamera(wish);
  return new Source(wish, stream, () => stream.getTracks().forEach((track) => track.stop()));
}

/** What is sent, and the means to change it while it is sent. */
export class Source {
  wish;
  stream;
  muted = false;
  /** Called when the source has ended by itself: a camera was unplugged, sharing was stopped in the browser's own bar. */
  onended = null;
  #stop;
  #rest = null;

  constructor(wish, stream, stop) {
    this.wish = wish;
    this.stream = stream;
    this.#stop = stop;
    for (const track of stream.getTracks()) track.addEventListener('ended', () => this.onended?.(track.kind));
    const video = this.picture;
    // A screen is read: sharp and slow is better than smooth and blurred.
    if (video) video.contentHint = wish.kind === 'screen' ? 'detail' : 'motion';
  }

  get kind() {
    return this.wish.kind;
  }

  /** The camera's own track, whether it is shown or not. */
  get picture() {
    return this.stream.getVideoTracks()[0] ?? null;
  }

  get sound() {
    return this.stream.getAudioTracks()[0] ?? null;
  }

  /** Lines of the picture as it is, which may be fewer than were wished for. */
  get height() {
    return this.picture?.getSettings().height ?? this.wish.height;
  }

  get hidden() {
    return this.#rest !== null;
  }

  /** The track to send now. */
  get video() {
    return this.#rest?.track ?? this.picture;
  }

  mute(on) {
    this.muted = on;
    if (this.sound) this.sound.enabled = !on;
  }

  /** Shows a card instead of the picture. The camera is let go, so that its light goes out. */
  async hide(on) {
    if (on === this.hidden) return this.video;
    if (on) {
      // As large as the picture before: viewers stay on the layer that they have, and see the card at once.
      this.#rest = restingPicture({ height: this.height, words: t('live.camera.off.card') });
      if (this.kind === 'camera') this.picture?.stop();
    } else {
      if (this.kind === 'camera') await this.#wakeCamera();
      this.#rest.stop();
      this.#rest = null;
    }
    return this.video;
  }

  /** Lets go of everything; again does nothing. */
  stop() {
    this.onended = null;
    this.#rest?.stop();
    this.#stop?.();
    this.#rest = null;
    this.#stop = null;
  }

  async #wakeCamera() {
    const stream = await navigator.mediaDevices.getUserMedia({ video: cameraWish(this.wish) });
    const [track] = stream.getVideoTracks();
    const old = this.picture;
    if (old) this.stream.removeTrack(old);
    this.stream.addTrack(track);
    track.contentHint = 'motion';
    track.addEventListener('ended', () => this.onended?.('video'));
  }
}

function cameraWish({ height, camera }) {
  return {
    ...(camera && { deviceId: { exact: camera } }),
    height: { ideal: height }, width: { ideal: Math.round((height * 16) / 9) }, frameRate: { ideal: FRAMES_PER_SECOND },
  };
}

function microphoneWish({ microphone }) {
  return { ...(microphone && { deviceId: { exact: microphone } }), echoCancellation: true, noiseSuppression: true };
}

async function captureCamera(wish) {
  return navigator.mediaDevices.getUserMedia({ video: cameraWish(wish), audio: wish.sound ? microphoneWish(wish) : false });
}

/** A screen brings its own sound where the browser can; a voice is what people come for, so the microphone goes first. */
async function captureScreen(wish) {
  const screen = await navigator.mediaDevices.getDisplayMedia({
    video: { frameRate: { ideal: 15, max: FRAMES_PER_SECOND }, height: { max: Math.max(1080, wish.height) } },
    audio: true,
  });
  if (!wish.sound) return screen;
  try {
    const voice = await navigator.mediaDevices.getUserMedia({ audio: microphoneWish(wish) });
    screen.getAudioTracks().forEach((track) => {
      track.stop();
      screen.removeTrack(track);
    });
    screen.addTrack(voice.getAudioTracks()[0]);
  } catch {
    // Without a microphone the screen is still worth showing.
  }
  return screen;
}
