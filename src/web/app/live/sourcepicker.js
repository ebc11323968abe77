// Choosing what is sent, and seeing and hearing it before others do.

import { fill, h, icon } from '../dom.js';
import { t } from '../i18n.js';
import { Signal } from '../signal.js';
import { remember, remembered } from '../storage.js';
import { deviceProblem, loudness } from './rules.js';
import { SOURCES, devicesAllowed, listDevices, openSource } from './sources.js';

const SYMBOLS = { camera: 'camera', screen: 'screen', test: 'testcard' };

export class SourcePicker {
  element;
  /** Emits when another source is open, or none any more. */
  changed = new Signal();
  source = null;
  /** Why the last one could not be opened, as the end of a key. */
  problem = null;
  height;
  #invitation;
  #turn = 0;
  #video = h('video', { class: 'preview-video', playsinline: true, autoplay: true, muted: true, testid: 'live-preview' });
  #note = h('p', { class: 'preview-note' });
  #choices;
  #devices = h('div', { class: 'preview-devices' });
  #meter = h('span', { class: 'meter-bar' });
  #meterRow;
  #hearing = null;

  /** `invitation` is the key of what is said while nothing is chosen. */
  constructor(height = 720, invitation = 'live.preview.none') {
    this.height = height;
    this.#invitation = invitation;
    this.#video.muted = true; // the attribute counts in parsed pages alone
    this.#choices = h('div', { class: 'segments', role: 'group', 'aria-label': t('live.source') }, SOURCES.map((kind) => h('button', {
      class: 'segment', type: 'button', 'aria-pressed': 'false', 'data-kind': kind, testid: `live-source-${kind}`, onclick: () => this.choose(kind),
    }, icon(SYMBOLS[kind]), h('span', {}, t(`live.source.${kind}`)))));
    this.#meterRow = h('div', { class: 'meter', hidden: true, testid: 'live-meter' }, icon('microphone'), h('span', { class: 'meter-track' }, this.#meter));
    this.element = h('div', { class: 'preview' },
      h('div', { class: 'preview-frame' }, this.#video, this.#note),
      this.#choices, this.#devices, this.#meterRow);
    this.#say();
  }

  /** Opens the source of this kind with the devices chosen last. */
  async choose(kind, change = {}) {
    const turn = (this.#turn += 1);
    const wish = { kind, height: this.height, sound: true, camera: remembered('cc.camera'), microphone: remembered('cc.microphone'), ...change };
    for (const button of this.#choices.children) button.setAttribute('aria-pressed', String(button.dataset.kind === kind));
    this.#let(null);
    this.problem = null;
    this.#say();
    try {
      const source = await openKindly(wish);
      if (turn !== this.#turn) return source.stop();
      this.#let(source);
      await this.#offerDevices(turn);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.problem = devicesAllowed() ? deviceProblem(error) : 'insecure';
      this.#say();
      this.changed.emit();
    }
  }

  /** Opens the same kind again with a picture of another size. */
  resize(height) {
    this.height = height;
    if (this.source) this.choose(this.source.kind);
  }

  /** Gives the source away: it is not stopped with the picker. */
  release() {
    const { source } = this;
    this.source = null;
    this.destroy();
    return source;
  }

  destroy() {
    this.#turn += 1;
    this.#let(null, { quietly: true });
  }

  #let(source, { quietly = false } = {}) {
    this.source?.stop();
    this.#hearing?.stop();
    this.#hearing = null;
    this.source = source;
    this.#video.srcObject = source?.stream ?? null;
    this.#video.classList.toggle('mirrored', source?.kind === 'camera');
    if (source) {
      this.problem = null;
      source.onended = () => this.#let(null);
      if (source.sound) this.#hearing = hear(source.sound, (level) => (this.#meter.style.inlineSize = `${Math.round(level * 100)}%`));
    }
    this.#meterRow.hidden = !source?.sound;
    fill(this.#devices);
    this.#say();
    if (!quietly) this.changed.emit();
  }

  #say() {
    this.#note.hidden = this.source !== null;
    fill(this.#note, this.problem ? t(`live.check.${this.problem}`) : t(this.#invitation));
  }

  async #offerDevices(turn) {
    const { cameras, microphones } = await listDevices();
    if (turn !== this.#turn || !this.source || this.source.kind === 'test') return;
    const select = (label, devices, kind, current) => devices.length > 1 && h('select', {
      'aria-label': label, testid: `live-${kind}`,
      onchange: ({ target }) => {
        remember(`cc.${kind}`, target.value);
        this.choose(this.source.kind, { [kind]: target.value });
      },
    }, devices.map((device, index) => h('option', { value: device.deviceId, selected: device.deviceId === current }, device.label || `${label} ${index + 1}`)));
    fill(this.#devices,
      this.source.kind === 'camera' && select(t('live.camera'), cameras, 'camera', this.source.picture?.getSettings().deviceId),
      this.source.sound && select(t('live.microphone'), microphones, 'microphone', this.source.sound.getSettings().deviceId));
  }
}

/** A device that was chosen once may be gone, and a laptop may have no microphone: what there is, is better than nothing. */
async function openKindly(wish) {
  try {
    return await openSource(wish);
  } catch (error) {
    if (wish.kind !== 'camera' || deviceProblem(error) !== 'missing') throw error;
    const { cameras, microphones } = await listDevices();
    if (cameras.length === 0) throw error;
    return openSource({ ...wish, camera: null, microphone: null, sound: microphones.length > 0 });
  }
}

/** Tells how loud a track is, a few times a second. */
function hear(track, tell) {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 1024 });
  new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) }).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    tell(loudness(samples));
  }, 100);
  void context.resume();
  return {
    stop: () => {
      clearInterval(timer);
      void context.close();
    },
  };
}
