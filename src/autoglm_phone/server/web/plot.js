// A plot of the last minutes: lines over time, without a library.

import { element, svgElement } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 90;

/** lines: how many are drawn over each other. format: a value in words. */
export class Plot {
  #title;
  #names;
  #svg;
  #now;
  #top;
  #format;
  #series;
  #span;

  /** title() and names(): words, asked for each time, for the language may change. span: points that fit. */
  constructor(root, { title, names = () => [""], format, span }) {
    this.#title = title;
    this.#names = names;
    this.#format = format;
    this.#span = span;
    this.#series = names().map(() => []);
    const figure = element("figure", "plot");
    const caption = element("figcaption");
    this.name = element("span", "name");
    this.#now = element("output", "now");
    caption.append(this.name, this.#now);
    this.#svg = svgElement("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.#top = element("span", "top");
    const field = element("div", "field");
    field.append(this.#svg, this.#top);
    figure.append(caption, field);
    root.append(figure);
  }

  /** A further point of each line; null where there is none. */
  push(...values) {
    values.forEach((value, index) => {
      this.#series[index].push(value);
      if (this.#series[index].length > this.#span) this.#series[index].shift();
    });
  }

  draw(label, nothing) {
    const known = this.#series.flat().filter((value) => value !== null);
    const most = Math.max(...known, 0) || 1;
    this.#svg.replaceChildren(...this.#series.map((line, index) => svgElement("path", { class: `line-${index}`, d: this.#path(line, most) })));
    const names = this.#names();
    const now = this.#series.map((line, index) => {
      const last = line.findLast((value) => value !== null);
      return last === undefined ? null : `${this.#format(last)} ${names[index]}`.trim();
    });
    const told = now.some(Boolean) ? now.filter(Boolean) : [nothing];
    this.name.textContent = this.#title();
    this.#now.replaceChildren(...told.map((text) => element("span", "", text)));
    this.#top.textContent = known.length > 0 ? this.#format(most) : "";
    this.#svg.setAttribute("aria-label", label(this.#title(), told.join(", ")));
  }

  #path(line, most) {
    let pen = "M";
    const x = (index) => ((this.#span - line.length + index) / (this.#span - 1)) * WIDTH;
    const y = (value) => HEIGHT - 2 - (value / most) * (HEIGHT - 6);
    const steps = line.map((value, index) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const alone = pen === "M" ? "h1" : ""; // a point by itself shows as a dot
      const step = `${pen}${x(index).toFixed(1)} ${y(value).toFixed(1)}${alone}`;
      pen = "L";
      return step;
    });
    return steps.join("");
  }
}
