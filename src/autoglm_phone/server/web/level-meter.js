// How loud it was in the last second, as a row of strokes.

import { svgElement } from "./dom.js";

const STROKES = 24;
const STEP = 4;
const HEIGHT = 24;

export class LevelMeter {
  #path = svgElement("path");
  #levels;

  constructor(root) {
    const svg = svgElement("svg", { viewBox: `0 0 ${STROKES * STEP} ${HEIGHT}`, "aria-hidden": "true" });
    svg.append(this.#path);
    root.append(svg);
    this.clear();
  }

  /** level: 0 to 1. */
  push(level) {
    this.#levels = [...this.#levels.slice(1), level];
    this.#draw();
  }

  clear() {
    this.#levels = Array(STROKES).fill(0);
    this.#draw();
  }

  #draw() {
    const stroke = (level, index) => {
      const length = Math.max(1, level * (HEIGHT - 4));
      return `M${(index + 0.5) * STEP} ${((HEIGHT - length) / 2).toFixed(1)}v${length.toFixed(1)}`;
    };
    this.#path.setAttribute("d", this.#levels.map(stroke).join(""));
  }
}
