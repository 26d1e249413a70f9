// Prometheus' text format, as far as the status page needs it.

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:\\.|[^"\\])*)"/g;

/** Values by name and labels: value("autoglm_tokens_total", {kind: "prompt"}); 0 for what is not there. */
export class Exposition {
  #values = new Map();

  constructor(text) {
    for (const line of text.split("\n")) {
      const found = line.startsWith("#") ? null : LINE.exec(line);
      if (found) this.#values.set(keyOf(found[1], labelsOf(found[2] ?? "")), Number(found[3]));
    }
  }

  value(name, labels = {}) {
    return this.#values.get(keyOf(name, Object.entries(labels))) ?? 0;
  }

  /** Of all series of this name. */
  sum(name) {
    let sum = 0;
    for (const [key, value] of this.#values) if (key === name || key.startsWith(`${name}|`)) sum += value;
    return sum;
  }
}

const labelsOf = (text) => [...text.matchAll(LABEL)].map(([, name, value]) => [name, value]);

const keyOf = (name, labels) => [name, ...labels.map((pair) => pair.join("=")).sort()].join("|");
