// Markdown to nodes. Marked takes the text apart; what is made of it is made here, node by node, so that no text of a
// model can become markup: HTML is shown as it stands, links lead to the web alone, pictures are not loaded.

import { colour } from "./code.js";
import { copyButton, element } from "./dom.js";
import { GrowingLexer, lex } from "./markdown-lexer.js";
import { typeset } from "./maths.js";
import { say } from "./words.js";

// Of the time that a text takes to be shown, its share: however long it grows, the page stays at hand.
const REST = 3;
const LINK = /^(https?:\/\/|mailto:)/i;
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: "\u00a0" };

/** Text that grows: a block that has not changed keeps its node, and with it what the reader has selected in it. */
export class MarkdownView {
  #root;
  #shown = []; // what each child was made from
  #wanted = "";
  #isDue = false;
  #isDone = false;
  #lexer = new GrowingLexer();

  constructor(root) {
    this.#root = root;
  }

  /** To be shown soon; of several in between the last counts. */
  update(text) {
    this.#wanted = text;
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => this.#isDone || this.#draw());
  }

  /** The whole text, at once. */
  finish(text) {
    this.#isDone = true;
    this.#show(lex(text), true);
  }

  #draw() {
    const began = performance.now();
    const text = this.#wanted;
    this.#show(this.#lexer.lex(text), false);
    setTimeout(() => {
      const tookMs = performance.now() - began; // the browser has laid it out and drawn it meanwhile
      setTimeout(() => {
        this.#isDue = false;
        if (!this.#isDone && this.#wanted !== text) this.update(this.#wanted);
      }, REST * tookMs);
    });
  }

  #show(tokens, isDone) {
    // A definition may make links of words in any block.
    const definitions = tokens.filter(({ type }) => type === "def").length;
    const made = tokens.filter(isShown).map((token, index, all) => {
      // The last block may still change: it is coloured and typeset once it is whole.
      const isWhole = isDone || index < all.length - 1;
      return { token, isWhole, source: `${isWhole} ${definitions} ${token.raw}` };
    });
    made.forEach(({ token, isWhole, source }, index) => {
      if (this.#shown[index] === source) return;
      const node = block(token, isWhole);
      const old = this.#root.children[index];
      if (old) old.replaceWith(node);
      else this.#root.append(node);
    });
    while (this.#root.children.length > made.length) this.#root.lastElementChild.remove();
    this.#shown = made.map(({ source }) => source);
  }
}

function block(token, isWhole) {
  switch (token.type) {
    case "heading":
      return holding(`h${Math.min(6, token.depth + 2)}`, inlines(token.tokens));
    case "paragraph":
      return holding("p", inlines(token.tokens));
    case "code":
      return codeBlock(token, isWhole);
    case "blockquote":
      return holding("blockquote", blocks(token.tokens, isWhole));
    case "list":
      return list(token, isWhole);
    case "table":
      return table(token);
    case "hr":
      return element("hr");
    case "blockMath":
      return formula(token, isWhole);
    default:
      return holding("p", token.tokens ? inlines(token.tokens) : [token.raw]);
  }
}

const isShown = ({ type }) => type !== "space" && type !== "def";

const blocks = (tokens, isWhole) => tokens.filter(isShown).map((token) => block(token, isWhole));

function inline(token) {
  switch (token.type) {
    case "escape":
      return token.text;
    case "text":
      return token.tokens ? holding("span", inlines(token.tokens)) : plain(token.text);
    case "strong":
    case "em":
    case "del":
      return holding(token.type, inlines(token.tokens));
    case "codespan":
      return element("code", "", token.text);
    case "br":
      return element("br");
    case "link":
      return link(token.href, inlines(token.tokens));
    case "image":
      return link(token.href, [token.text || token.href]);
    case "checkbox":
      return checkbox(token.checked);
    case "inlineMath":
      return formula(token, true);
    default:
      return token.raw; // HTML too
  }
}

const inlines = (tokens = []) => tokens.map(inline);

function holding(tag, children, className = "") {
  const made = element(tag, className);
  made.append(...children);
  return made;
}

const plain = (text) => text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, name) => ENTITIES[name]);

function link(href, children) {
  if (!LINK.test(href)) return holding("span", children);
  const made = holding("a", children);
  made.href = href;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

function checkbox(isChecked) {
  const made = element("input");
  made.type = "checkbox";
  made.disabled = true;
  made.checked = isChecked;
  made.setAttribute("aria-label", isChecked ? "☑" : "☐");
  return made;
}

function list({ ordered, start, items }, isWhole) {
  const made = element(ordered ? "ol" : "ul");
  if (ordered && start !== 1) made.start = start;
  for (const item of items) {
    // The text of a tight item stands in it without a paragraph of its own.
    const children = item.tokens
      .filter(isShown)
      .flatMap((token) => {
        if (token.type === "text") return token.tokens ? inlines(token.tokens) : [plain(token.text)];
        return token.type === "checkbox" ? [inline(token)] : [block(token, isWhole)];
      });
    made.append(holding("li", children));
  }
  return made;
}

function table({ header, rows }) {
  const cell = (tag) => (one) => {
    const made = holding(tag, inlines(one.tokens));
    if (one.align) made.classList.add(`to-${one.align}`);
    return made;
  };
  const made = element("table");
  made.append(holding("thead", [holding("tr", header.map(cell("th")))]));
  made.append(holding("tbody", rows.map((row) => holding("tr", row.map(cell("td"))))));
  const frame = holding("div", [made], "scroll");
  reachable(frame, say("table"));
  return frame;
}

/** Something wide that scrolls by itself can be scrolled by the keyboard too. */
function reachable(node, label) {
  node.tabIndex = 0;
  node.setAttribute("role", "region");
  node.setAttribute("aria-label", label);
}

function codeBlock({ text, lang }, isWhole) {
  const language = (lang ?? "").trim().split(/[\s,{]/)[0];
  const code = element("code", "", text);
  const pre = holding("pre", [code]);
  reachable(pre, say("code", language));
  const head = element("figcaption", "", language);
  head.append(copyButton(say("copy"), () => text));
  if (isWhole && language) colour(code, text, language);
  return holding("figure", [head, pre], "code");
}

function formula({ text, isBlock, raw }, isWhole) {
  const made = element(isBlock ? "div" : "span", "formula", raw);
  if (isWhole) typeset(made, text, isBlock);
  return made;
}
