// A spoken conversation: the microphone over a WebSocket to /v1/realtime, and the answers as text and as sound.
//
//   const voice = await startVoice({ key, onState, onHeard, onAnswer, onError });
//   voice.stop();
//
// Who answers by other ways than the session takes `answers: false`: then it only hears, and what is given to `say` is
// spoken.
//
// It draws nothing: whoever starts it shows what the callbacks tell.

import { BrowserVoice } from "./voice-browser.js";
import { Microphone, levelOf } from "./voice-microphone.js";
import { Player } from "./voice-player.js";
import { ServerVoice } from "./voice-server.js";

export const VOICE_RATE = 24000; // Hz, both ways
// Who lets go has often not quite said the last word.
const TAIL_MS = 160;
const EARLY_PIECES = 250; // 10 s

/** Where a microphone can be asked for: on https and on this machine. */
export const canHear = () => Boolean(navigator.mediaDevices?.getUserMedia && globalThis.AudioWorkletNode);

/**
 * Options, all but the callbacks optional:
 *   key           of the server
 *   handsFree     true: the server hears when a turn is over. false: the microphone is on between press() and release()
 *   answers       true: the server answers each turn in this session
 *   speaks        say the answers: with the server's voice, else with the browser's
 *   voice, speed  of the server's voice
 *   language      what is spoken, as `en` or `zh`; left out, it is detected
 *   instructions  the system prompt
 *   messages      what was said before: [{role: "user" | "assistant", text}]
 *   audio         constraints for the microphone
 *   onState(state)   "connecting", "listening" (without handsFree: "ready", and "opening" the microphone), "hearing",
 *                    "thinking", "answering", "speaking", "closed"
 *   onLevel(level)   of what the microphone gives, 25 times a second: 0 to 1
 *   onHeard({id, text, isFinal})    words of a turn, while it is spoken and in the end; empty: nothing was understood
 *   onAnswer({id, text, isFinal, isCut})  the whole answer so far; isCut: it was interrupted
 *   onInterrupt()    without `answers`: somebody speaks while an answer is given, or said
 *   onError(error)   an Error; the conversation goes on unless "closed" follows
 */
export async function startVoice(options) {
  const voice = new Voice(options);
  try {
    await voice.open();
  } catch (error) {
    voice.stop();
    throw error;
  }
  return voice;
}

class Voice {
  constructor(options) {
    this.options = { handsFree: true, answers: true, speaks: true, messages: [], ...options };
    this.state = "";
    this.isPressed = false;
    this.isSetUp = false;
    this.early = []; // samples from before the session was set up: who speaks at once is heard too
    this.answers = new Map(); // id -> text
    this.drafts = new Map(); // id -> the certain part
    this.setState("connecting");
  }

  async open() {
    const { audio, handsFree, key, voice, speed, onError } = this.options;
    this.context = new AudioContext({ sampleRate: VOICE_RATE });
    this.microphone = new Microphone(this.context, audio, {
      onSamples: (samples) => this.append(samples),
      onLost: () => this.lose(new Error("the microphone was taken away")),
    });
    this.player = new Player(this.context, () => this.settle());
    this.browserVoice = BrowserVoice.isThere ? new BrowserVoice(() => this.settle()) : null;
    this.serverVoice = new ServerVoice({
      player: this.player,
      key,
      request: { ...(voice ? { voice } : {}), ...(speed ? { speed } : {}) },
      onIdle: () => this.settle(),
      onError: (error) => onError?.(error),
    });
    if (handsFree) await this.microphone.open();
    await this.connect();
  }

  /** Until the session is set up. Rejects if the server cannot be reached or refuses. */
  async connect() {
    const address = new URL("../v1/realtime", import.meta.url);
    address.protocol = address.protocol.replace("http", "ws");
    const protocols = ["realtime"];
    if (this.options.key) protocols.push(`autoglm-api-key.${base64url(this.options.key)}`);
    this.socket = new WebSocket(address, protocols);
    await new Promise((resolve, reject) => {
      this.socket.addEventListener("message", (event) => this.take(JSON.parse(event.data)));
      const lost = new Error("the server closed the connection, or refused it");
      this.ready = () => {
        this.isSetUp = true;
        for (const samples of this.early.splice(0)) this.send(appended(samples));
        resolve();
      };
      this.socket.addEventListener("close", () => (this.isSetUp ? this.lose(lost) : reject(lost)));
    });
  }

  // ---- what the user does

  /** Without handsFree: what is said from here to release() is a turn. Ends the answer that is given or said. */
  async press() {
    if (this.isPressed || this.state === "closed") return;
    if (this.tail) this.commit();
    this.isPressed = true;
    this.interrupt();
    this.setState("opening");
    try {
      if (await this.microphone.open()) this.setState("hearing");
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  /** Send what was said. Nothing is sent, and false comes back, where the microphone was not on yet. */
  release() {
    if (!this.isPressed) return false;
    if (this.state !== "hearing") {
      this.cancel();
      return false;
    }
    this.isPressed = false;
    this.tail = setTimeout(() => this.commit(), TAIL_MS);
    this.setState("thinking");
    return true;
  }

  /** Forget what was said since press(). */
  cancel() {
    if (!this.isPressed) return;
    this.isPressed = false;
    this.microphone.close();
    this.send({ type: "input_audio_buffer.clear" });
    this.settle();
  }

  /** A written turn in the same conversation. */
  write(text) {
    this.interrupt();
    this.addItem("user", text);
    this.send({ type: "response.create" });
    this.setState("thinking");
  }

  /** Without `answers`: the next piece of the answer, to be said; isLast behind its end. */
  say(text, isLast = false) {
    if (!this.options.speaks || this.state === "closed") return;
    const mouth = this.hasVoice ? this.serverVoice : this.browserVoice;
    mouth?.push(text);
    if (isLast) mouth?.finish();
    if (this.state === this.resting) this.settle();
  }

  /** Say no more of the answer. */
  hush() {
    this.fallSilent();
    this.settle();
  }

  /** End the answer that is being given. */
  interrupt() {
    this.fallSilent();
    if (!this.options.answers) this.options.onInterrupt?.();
    if (this.isAnswering) this.send({ type: "response.cancel" });
  }

  stop() {
    if (this.state === "closed") return;
    this.setState("closed");
    this.player?.stop();
    this.browserVoice?.stop();
    this.serverVoice?.stop();
    this.socket?.close();
    clearTimeout(this.tail);
    this.microphone?.close();
    this.context?.close();
  }

  // ---- what the server says

  take(event) {
    switch (event.type) {
      case "session.created":
        this.hasVoice = event.session.output_modalities.includes("audio");
        this.configure();
        break;
      case "session.updated":
        for (const { role, text } of this.options.messages) this.addItem(role, text);
        this.setState(this.resting);
        this.ready();
        break;
      case "input_audio_buffer.speech_started":
        this.fallSilent(); // an answer of this session is ended by the server
        if (!this.options.answers) this.options.onInterrupt?.();
        this.setState("hearing");
        break;
      case "input_audio_buffer.speech_stopped":
        this.setState("thinking");
        break;
      case "conversation.item.input_audio_transcription.delta":
        this.heard(event);
        break;
      case "conversation.item.input_audio_transcription.completed":
        this.drafts.delete(event.item_id);
        this.options.onHeard?.({ id: event.item_id, text: event.transcript, isFinal: true });
        if (event.transcript === "" || !this.options.answers) this.settle();
        break;
      case "conversation.item.input_audio_transcription.failed":
        this.fail(event.error);
        this.settle();
        break;
      case "response.created":
        this.isAnswering = true;
        break;
      case "response.output_text.delta":
      case "response.output_audio_transcript.delta":
        this.answered(event);
        break;
      case "response.output_audio.delta":
        if (this.isPressed) break; // of an answer that was just ended
        this.player.play(event.item_id, event.delta);
        this.setState("speaking");
        break;
      case "response.done":
        this.done(event.response);
        break;
      case "error":
        this.fail(event.error);
        break;
    }
  }

  configure() {
    const { handsFree, answers, speaks, language, instructions, voice, speed } = this.options;
    const session = {
      type: answers ? "realtime" : "transcription",
      output_modalities: [this.hasVoice && speaks ? "audio" : "text"],
      audio: {
        input: {
          format: { type: "audio/pcm", rate: VOICE_RATE },
          transcription: { model: "whisper-1", ...(language ? { language } : {}) },
          turn_detection: handsFree ? { type: "server_vad" } : null,
        },
        output: { ...(voice ? { voice } : {}), ...(speed ? { speed } : {}) },
      },
    };
    if (instructions) session.instructions = instructions;
    this.send({ type: "session.update", session });
  }

  heard({ item_id: id, delta, hypothesis }) {
    const certain = (this.drafts.get(id) ?? "") + delta;
    this.drafts.set(id, certain);
    this.options.onHeard?.({ id, text: hypothesis ?? certain, isFinal: false });
  }

  answered({ item_id: id, delta }) {
    const text = (this.answers.get(id) ?? "") + delta;
    this.answers.set(id, text);
    this.options.onAnswer?.({ id, text, isFinal: false, isCut: false });
    if (this.usesBrowserVoice) this.browserVoice.push(delta);
    if (this.state === "thinking") this.setState("answering");
  }

  done(response) {
    this.isAnswering = false;
    const isCut = response.status === "cancelled";
    if (this.usesBrowserVoice && !isCut) this.browserVoice.finish();
    for (const item of response.output) {
      if (item.type !== "message") continue;
      const text = item.content[0].transcript ?? item.content[0].text ?? "";
      this.answers.delete(item.id);
      this.options.onAnswer?.({ id: item.id, text, isFinal: true, isCut });
    }
    if (this.state !== "hearing") this.settle();
  }

  // ---- the rest

  get usesBrowserVoice() {
    return this.options.speaks && !this.hasVoice && this.browserVoice !== null;
  }

  /** Where it goes back to when nothing is said and nothing awaited. */
  get resting() {
    return this.options.handsFree ? "listening" : "ready";
  }

  append(samples) {
    this.options.onLevel?.(levelOf(samples));
    if (this.isSetUp) this.send(appended(samples));
    else if (this.early.length < EARLY_PIECES) this.early.push(samples);
  }

  commit() {
    clearTimeout(this.tail);
    this.tail = 0;
    this.microphone.close();
    this.send({ type: "input_audio_buffer.commit" });
    if (this.options.answers) this.send({ type: "response.create" });
  }

  addItem(role, text) {
    const type = role === "user" ? "input_text" : "output_text";
    this.send({ type: "conversation.item.create", item: { type: "message", role, content: [{ type, text }] } });
  }

  fallSilent() {
    this.browserVoice?.stop();
    this.serverVoice.stop();
    const cut = this.player.stop();
    if (cut !== null && this.options.answers) {
      const { itemId, heardMs } = cut;
      this.send({ type: "conversation.item.truncate", item_id: itemId, content_index: 0, audio_end_ms: heardMs });
    }
  }

  /** Back to rest, once nothing is said and nothing is awaited. */
  settle() {
    if (this.state === "closed" || this.isAnswering || this.isPressed) return;
    const isSpeaking = [this.player, this.serverVoice, this.browserVoice].some((mouth) => mouth?.isPlaying);
    this.setState(isSpeaking ? "speaking" : this.resting);
  }

  setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.options.onState?.(state);
  }

  fail({ message }) {
    this.options.onError?.(new Error(message));
  }

  lose(error) {
    if (this.state === "closed") return;
    this.options.onError?.(error);
    this.stop();
  }

  send(event) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event));
  }
}

const appended = (samples) => ({ type: "input_audio_buffer.append", audio: base64(new Uint8Array(samples)) });

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

const base64url = (text) =>
  base64(new TextEncoder().encode(text)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
