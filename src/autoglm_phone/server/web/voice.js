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
import { Player } from "./voice-player.js";
import { ServerVoice } from "./voice-server.js";

export const VOICE_RATE = 24000; // Hz, both ways

/** Where a microphone can be asked for: on https and on this machine. */
export const canHear = () => Boolean(navigator.mediaDevices?.getUserMedia && globalThis.AudioWorkletNode);

/**
 * Options, all but the callbacks optional:
 *   key           of the server
 *   handsFree     true: the server hears when a turn is over. false: between press() and release()
 *   answers       true: the server answers each turn in this session
 *   speaks        say the answers: with the server's voice, else with the browser's
 *   voice, speed  of the server's voice
 *   language      what is spoken, as `en` or `zh`; left out, it is detected
 *   instructions  the system prompt
 *   messages      what was said before: [{role: "user" | "assistant", text}]
 *   audio         constraints for the microphone
 *   onState(state)   "connecting", "listening", "hearing", "thinking", "answering", "speaking", "closed"
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
    this.answers = new Map(); // id -> text
    this.drafts = new Map(); // id -> the certain part
    this.setState("connecting");
  }

  async open() {
    const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    this.microphone = await navigator.mediaDevices.getUserMedia({ audio: { ...audio, ...this.options.audio } });
    this.context = new AudioContext({ sampleRate: VOICE_RATE });
    await this.context.audioWorklet.addModule(new URL("./voice-capture.js", import.meta.url));
    this.player = new Player(this.context, () => this.settle());
    this.browserVoice = BrowserVoice.isThere ? new BrowserVoice(() => this.settle()) : null;
    const { key, voice, speed } = this.options;
    this.serverVoice = new ServerVoice({
      player: this.player,
      key,
      request: { ...(voice ? { voice } : {}), ...(speed ? { speed } : {}) },
      onIdle: () => this.settle(),
      onError: (error) => this.options.onError?.(error),
    });
    await this.connect();
    const capture = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    capture.port.addEventListener("message", (event) => this.append(event.data));
    capture.port.start();
    this.context.createMediaStreamSource(this.microphone).connect(capture);
    await this.context.resume();
  }

  /** Until the session is set up. Rejects if the server cannot be reached or refuses. */
  async connect() {
    const address = new URL("../v1/realtime", import.meta.url);
    address.protocol = address.protocol.replace("http", "ws");
    const protocols = ["realtime"];
    if (this.options.key) protocols.push(`autoglm-api-key.${base64url(this.options.key)}`);
    this.socket = new WebSocket(address, protocols);
    await new Promise((resolve, reject) => {
      this.ready = resolve;
      this.socket.addEventListener("message", (event) => this.take(JSON.parse(event.data)));
      this.socket.addEventListener("close", () => {
        reject(new Error("the server closed the connection, or refused it"));
        this.stop();
      });
    });
  }

  // ---- what the user does

  /** Begin a turn. Without handsFree only what is said between press and release is sent. */
  press() {
    if (this.isPressed) return;
    this.isPressed = true;
    this.interrupt();
    this.setState("hearing");
  }

  release() {
    if (!this.isPressed) return;
    this.isPressed = false;
    this.send({ type: "input_audio_buffer.commit" });
    if (this.options.answers) this.send({ type: "response.create" });
    this.setState("thinking");
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
    if (this.state === "listening") this.settle();
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
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
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
        this.setState("listening");
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

  append(samples) {
    if (this.state === "closed" || this.state === "connecting") return;
    if (!this.options.handsFree && !this.isPressed) return;
    this.send({ type: "input_audio_buffer.append", audio: base64(new Uint8Array(samples)) });
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

  /** Back to listening, once nothing is said and nothing is awaited. */
  settle() {
    if (this.state === "closed" || this.isAnswering || this.isPressed) return;
    const isSpeaking = [this.player, this.serverVoice, this.browserVoice].some((mouth) => mouth?.isPlaying);
    this.setState(isSpeaking ? "speaking" : "listening");
  }

  setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.options.onState?.(state);
  }

  fail({ message }) {
    this.options.onError?.(new Error(message));
  }

  send(event) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event));
  }
}

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

const base64url = (text) =>
  base64(new TextEncoder().encode(text)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
