// Code in colours, by highlight.js, which is loaded when the first block comes that names its language.

// Longer code stays as it is: a grammar may take seconds over it.
const MAX_CHARS = 50_000;

/** Takes what highlight.js finds and builds nodes; its usual output is markup. */
class NodeEmitter {
  constructor() {
    this.root = document.createDocumentFragment();
    this.open = [this.root];
  }

  addText(text) {
    this.open.at(-1).append(text);
  }

  startScope(scope) {
    const span = document.createElement("span");
    span.className = `hljs-${scope.split(".")[0]}`;
    this.open.at(-1).append(span);
    this.open.push(span);
  }

  endScope() {
    this.open.pop();
  }

  openNode(scope) {
    this.startScope(scope);
  }

  closeNode() {
    this.endScope();
  }

  __addSublanguage(emitter) {
    this.open.at(-1).append(emitter.root);
  }

  finalize() {}

  toHTML() {
    return "";
  }
}

let loading = null;

function load() {
  loading ??= import("./vendor/highlight.js").then(({ default: highlighter }) => {
    highlighter.configure({ __emitter: NodeEmitter });
    return highlighter;
  });
  return loading;
}

export async function colour(node, text, language) {
  if (text.length > MAX_CHARS) return;
  const highlighter = await load();
  if (!highlighter.getLanguage(language)) return;
  const found = highlighter.highlight(text, { language, ignoreIllegals: true });
  if (!found.errorRaised) node.replaceChildren(found._emitter.root);
}
