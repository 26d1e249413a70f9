// Plays the pieces of a spoken answer one behind the other, and knows how much of each was heard.

const VOICE_RATE = 24000; // Hz

export class Player {
  /** onSilence: called when all that came has been played. */
  constructor(context, onSilence) {
    this.context = context;
    this.onSilence = onSilence;
    this.sources = new Set();
    this.end = 0; // of the last piece, in seconds of the context
    this.start = 0; // of the first piece of this answer
    this.itemId = null;
  }

  get isPlaying() {
    return this.sources.size > 0;
  }

  play(itemId, base64) {
    this.playSamples(itemId, samplesOf(base64));
  }

  /** samples: Float32Array at VOICE_RATE. */
  playSamples(itemId, samples) {
    if (itemId !== this.itemId) {
      this.itemId = itemId;
      this.start = Math.max(this.context.currentTime, this.end);
      this.end = this.start;
    }
    if (samples.length === 0) return;
    const buffer = this.context.createBuffer(1, samples.length, VOICE_RATE);
    buffer.copyToChannel(samples, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    this.end = Math.max(this.context.currentTime, this.end);
    source.start(this.end);
    this.end += buffer.duration;
    this.sources.add(source);
    source.addEventListener("ended", () => {
      if (this.sources.delete(source) && !this.isPlaying) this.onSilence();
    });
  }

  /** Fall silent. Gives the item that was cut off and how many milliseconds of it were heard, or null. */
  stop() {
    if (!this.isPlaying) return null;
    const heardMs = Math.max(0, Math.round((this.context.currentTime - this.start) * 1000));
    const sources = [...this.sources];
    this.sources.clear();
    for (const source of sources) source.stop();
    this.end = 0;
    const cut = { itemId: this.itemId, heardMs };
    this.itemId = null;
    return cut;
  }
}

function samplesOf(base64) {
  return toFloats(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer);
}

/** 16-bit little-endian samples to levels. */
export function toFloats(buffer) {
  const view = new DataView(buffer);
  return Float32Array.from({ length: buffer.byteLength / 2 }, (_, index) => view.getInt16(index * 2, true) / 32768);
}
