// The microphone's button of the chat page: hands-free turns become messages of the chat, and answers are spoken.

import { canHear, startVoice } from "./voice.js";

const WORDS = {
  en: { off: "Talk", on: "Stop talking", listening: "Listening", thinking: "Thinking", speaking: "Speaking" },
  zh: { off: "对话", on: "结束对话", listening: "正在听", thinking: "正在想", speaking: "正在说" },
};
const ICON = "M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM5 11v1a7 7 0 0 0 14 0v-1M12 19v3";
const SVG = "http://www.w3.org/2000/svg";

/**
 * place: the element that gets the button; it stays empty where no microphone can be asked for.
 * key(): the server's key. onDraft(text): words while they are spoken. onTurn(text): a turn is over and is to be sent.
 * audio: constraints for the microphone. onInterrupt(): whoever speaks wants no more of the answer. onError(text).
 * Gives a listener for the chat's answers: hear({ text, isDone }).
 */
export function startTalk({ place, key, onDraft, onTurn, onInterrupt, onError, audio = {} }) {
  let voice = null;
  if (!canHear()) return () => {};
  const button = document.createElement("button");
  button.type = "button";
  button.className = "icon-button";
  button.append(icon());
  show("off");
  button.addEventListener("click", toggle);
  place.append(button);

  async function toggle() {
    if (voice !== null) {
      voice.stop();
      return;
    }
    button.disabled = true;
    try {
      voice = await startVoice({
        key: key(),
        audio,
        answers: false,
        onState: (state) => show(state === "closed" ? "off" : "on", state),
        onHeard: ({ text, isFinal }) => (isFinal ? text && onTurn(text) : onDraft(text)),
        onInterrupt,
        onError: (error) => onError(error.message),
      });
    } catch (error) {
      onError(error.message);
    }
    button.disabled = false;
  }

  function show(name, state = "") {
    if (state === "closed") voice = null;
    const words = WORDS[document.documentElement.lang.startsWith("zh") ? "zh" : "en"];
    button.setAttribute("aria-label", words[name]);
    button.setAttribute("aria-pressed", String(name === "on"));
    button.title = words[state] ?? words[name];
    button.dataset.state = state;
  }

  return ({ text, isDone }) => voice?.say(text, isDone);
}

function icon() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICON);
  svg.append(path);
  return svg;
}
