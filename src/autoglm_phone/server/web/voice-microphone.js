// The microphone, as 16-bit samples in pieces of 40 ms; on only between open() and close().

const WISHES = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };

export class Microphone {
  #context;
  #wishes;
  #onSamples;
  #onLost;
  #capture = null;
  #source = null;
  #stream = null;
  #wanted = null; // by the last open() that no close() has followed

  /** constraints: of the device. onSamples(ArrayBuffer). onLost(): it was pulled out, or taken away. */
  constructor(context, constraints, { onSamples, onLost }) {
    this.#context = context;
    this.#wishes = { ...WISHES, ...constraints };
    this.#onSamples = onSamples;
    this.#onLost = onLost;
  }

  /** Whether it is on now: it may have been closed while the browser asked for leave. Rejects where there is none. */
  async open() {
    const wanted = (this.#wanted = {});
    const stream = await navigator.mediaDevices.getUserMedia({ audio: this.#wishes });
    if (this.#wanted !== wanted) {
      end(stream);
      return false;
    }
    this.#stream = stream;
    stream.getAudioTracks()[0].addEventListener("ended", () => this.#stream === stream && this.#onLost());
    await this.#context.resume();
    if (this.#wanted !== wanted) return false;
    this.#capture ??= await this.#makeCapture();
    if (this.#wanted !== wanted) return false;
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#source.connect(this.#capture);
    return true;
  }

  close() {
    this.#wanted = null;
    this.#source?.disconnect();
    this.#source = null;
    if (this.#stream !== null) end(this.#stream);
    this.#stream = null;
  }

  async #makeCapture() {
    await this.#context.audioWorklet.addModule(new URL("./voice-capture.js", import.meta.url));
    const capture = new AudioWorkletNode(this.#context, "capture", { numberOfOutputs: 0 });
    capture.port.addEventListener("message", ({ data }) => this.#source !== null && this.#onSamples(data));
    capture.port.start();
    return capture;
  }
}

function end(stream) {
  for (const track of stream.getTracks()) track.stop();
}

const QUIETEST_DB = -60;

/** How loud samples are, on a scale of decibels from nothing, 0, to all there is, 1. */
export function levelOf(buffer) {
  const samples = new Int16Array(buffer);
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length);
  const db = 10 * Math.log10(power / 32768 ** 2);
  return Math.min(1, Math.max(0, 1 - db / QUIETEST_DB));
}
