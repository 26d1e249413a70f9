// Formulas: found in Markdown between $…$, $$…$$, \(…\) and \[…\], and set as MathML by Temml, which is loaded when the
// first one comes. Until then, and where it cannot be set, its source stands there.

// Bounded, so that a thousand opening marks are not a thousand walks to the end of the text.
const INLINE = [/^\$(?!\s)((?:\\.|[^\\$\n]){1,500}?)(?<!\s)\$(?!\d)/, /^\\\(((?:\\[^)]|[^\\\n]){1,500}?)\\\)/];
const BLOCK = [/^ {0,3}\$\$((?:[^$]|\$(?!\$)){1,5000}?)\$\$(?:\n+|$)/, /^ {0,3}\\\[((?:[^\\]|\\(?!\])){1,5000}?)\\\](?:\n+|$)/];
// The largest letters and gaps: in units of the text, and in points.
const MAX_SIZE = [20, 200];

function extension(name, level, patterns, isBlock, start) {
  const tokenizer = (source) => {
    for (const pattern of patterns) {
      const found = pattern.exec(source);
      if (found) return { type: name, raw: found[0], text: found[1].trim(), isBlock };
    }
  };
  return { name, level, tokenizer, start: (source) => source.match(start)?.index };
}

/** Extensions of Marked. Prices ($5 to $7) are no formulas: a dollar before a digit closes none. */
export const MATHS = [
  extension("blockMath", "block", BLOCK, true, /\$\$(?!\$)|\\\[/),
  extension("inlineMath", "inline", INLINE, false, /\$|\\\(/),
];

let loading = null;

function load() {
  if (loading === null) {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = new URL("vendor/temml.css", import.meta.url).href;
    document.head.append(sheet);
    loading = import("./vendor/temml.js").then((module) => module.default);
  }
  return loading;
}

export async function typeset(node, tex, isBlock) {
  const source = node.textContent;
  try {
    const temml = await load();
    temml.render(tex, node, { displayMode: isBlock, throwOnError: true, annotate: true, maxSize: MAX_SIZE });
  } catch {
    node.textContent = source;
  }
}
