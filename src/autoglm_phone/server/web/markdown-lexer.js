// Markdown, taken apart by Marked, within bounds: a text can be made to take minutes, or to be nested without end.

import { MATHS } from "./maths.js";
import { Lexer, Marked } from "./vendor/marked.js";

const marked = new Marked({ gfm: true, breaks: true, extensions: MATHS });
// No person writes longer paragraphs. Marks within one may take the square of its length.
const MAX_INLINE_CHARS = 8000;

/** Blocks, spaces and definitions; joined, their `raw` is the text. links: definitions, which those of the text join. */
export function lex(text, links = {}) {
  try {
    const lexer = new Lexer(marked.defaults);
    lexer.tokens.links = links;
    lexer.blockTokens(withUnixLines(text), lexer.tokens);
    for (const { src, tokens } of lexer.inlineQueue) {
      if (src.length > MAX_INLINE_CHARS) tokens.push({ type: "text", raw: src, text: src });
      else lexer.inlineTokens(src, tokens);
    }
    return [...lexer.tokens];
  } catch {
    return [{ type: "html", raw: text }]; // nested deeper than any person writes: plain text will do
  }
}

/** For a text that grows: it is not taken apart from its beginning each time. */
export class GrowingLexer {
  #settled = []; // blocks that cannot change any more
  #length = 0; // of their text
  #links = {};

  /** text: the last one, and more. */
  lex(text) {
    const rest = lex(withUnixLines(text).slice(this.#length), this.#links);
    const all = [...this.#settled, ...rest];
    // The last block grows, and what grows may join it to the one before.
    const places = rest.flatMap(({ type }, index) => (type === "space" ? [] : [index]));
    for (const token of rest.slice(0, places.at(-2) ?? 0)) {
      this.#settled.push(token);
      this.#length += token.raw.length;
    }
    return all;
  }
}

const withUnixLines = (text) => text.replace(/\r\n?/g, "\n");
