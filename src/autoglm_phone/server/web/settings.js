// What the user has set: kept in this browser, the key only as long as the tab is open.

import { $ } from "./dom.js";

// Fields of a request by the inputs that hold them; an empty one leaves the choice to the server.
const NUMBERS = {
  temperature: "temperature",
  "top-p": "top_p",
  repetition: "repetition_penalty",
  "max-tokens": "max_tokens",
  seed: "seed",
};
const CHECKS = { thinking: false, spoken: true };
const KEPT = [...Object.keys(NUMBERS), "system"];

/** onKey: the key was changed. */
export function startSettings({ onKey }) {
  for (const id of KEPT) {
    $(id).value = localStorage.getItem(`settings.${id}`) ?? "";
    $(id).addEventListener("input", () => localStorage.setItem(`settings.${id}`, $(id).value));
  }
  for (const [id, isUsual] of Object.entries(CHECKS)) {
    $(id).checked = (localStorage.getItem(`settings.${id}`) ?? String(isUsual)) === "true";
    $(id).addEventListener("change", () => localStorage.setItem(`settings.${id}`, String($(id).checked)));
  }
  $("theme").value = document.documentElement.dataset.theme;
  $("theme").addEventListener("change", ({ target }) => {
    document.documentElement.dataset.theme = target.value;
    localStorage.setItem("theme", target.value);
  });
  $("api-key").value = sessionStorage.getItem("apiKey") ?? "";
  $("api-key").addEventListener("change", () => {
    sessionStorage.setItem("apiKey", key());
    onKey();
  });
  $("settings-button").addEventListener("click", () => openSettings($("settings").hidden));
}

export function openSettings(isOpen) {
  $("settings").hidden = !isOpen;
  $("settings-button").setAttribute("aria-expanded", String(isOpen));
}

let isAsked = false;

/** Opens the settings at the key; what was opened for it is closed once it is there. */
export function askForKey(isNeeded) {
  if (isNeeded || isAsked) openSettings(isNeeded);
  if (isNeeded) $("api-key").focus();
  isAsked = isNeeded;
}

export const key = () => $("api-key").value.trim();

export const isSpoken = () => $("spoken").checked;

export const system = () => $("system").value.trim();

/** The fields of a request that were set. */
export function fields() {
  const set = $("thinking").checked ? { enable_thinking: true } : {};
  for (const [id, name] of Object.entries(NUMBERS)) {
    const value = $(id).valueAsNumber;
    if (!Number.isNaN(value)) set[name] = value;
  }
  return set;
}
