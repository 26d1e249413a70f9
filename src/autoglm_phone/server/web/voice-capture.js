// Runs on the audio thread: what the microphone gives, as 16-bit samples in pieces of 40 ms.

const PIECE_SAMPLES = 960; // at 24 kHz

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Int16Array(PIECE_SAMPLES);
    this.filled = 0;
  }

  process([channels]) {
    for (const level of channels[0] ?? []) {
      this.piece[this.filled] = Math.max(-1, Math.min(1, level)) * 32767;
      this.filled += 1;
      if (this.filled === PIECE_SAMPLES) {
        this.port.postMessage(this.piece.buffer, [this.piece.buffer]);
        this.piece = new Int16Array(PIECE_SAMPLES);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
