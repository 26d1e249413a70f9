// The words of the pages, in the language that was chosen.

import { ENGLISH } from "./words-en.js";
import { CHINESE } from "./words-zh.js";

const WORDS = { en: ENGLISH, zh: CHINESE };

let language = "en";

export const otherLanguage = () => (language === "en" ? "zh" : "en");

/** The word or sentence under this name, with its values filled in. */
export function say(name, ...values) {
  const words = WORDS[language][name] ?? WORDS.en[name] ?? name;
  return typeof words === "function" ? words(...values) : words;
}

/** A moment as people of this language write it. */
export const sayTime = (ms) =>
  new Date(ms).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

export function applyLanguage(chosen) {
  language = chosen;
  localStorage.setItem("language", chosen);
  document.documentElement.lang = chosen === "zh" ? "zh-Hans" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = say(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", say(node.dataset.label));
  for (const node of document.querySelectorAll("[data-title]")) node.title = say(node.dataset.title);
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = say(node.dataset.placeholder);
  const button = document.getElementById("language");
  button.textContent = chosen === "zh" ? "English" : "中文";
  button.lang = chosen === "zh" ? "en" : "zh";
  button.setAttribute("aria-label", chosen === "zh" ? "Switch to English" : "切换到中文");
}

/** The language chosen before, else the browser's. */
export function startLanguage() {
  const chosen = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  applyLanguage(chosen in WORDS ? chosen : "en");
}
