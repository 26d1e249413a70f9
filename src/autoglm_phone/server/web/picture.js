// A picture with what was found on it: boxes around the words that were read, a mark where the phone is to be touched.

import { $, element, iconButton, svgElement } from "./dom.js";
import { GRID } from "./phone-action.js";
import { say } from "./words.js";

const percent = (value) => `${(value / GRID) * 100}%`;

/** A figure. marks: points of one action. Returns it; showBoxes(figure, lines) draws on it. */
export function picture(url, name, { marks = [], label = name } = {}) {
  const figure = element("figure", "picture");
  const image = element("img");
  image.src = url;
  image.alt = label;
  const layer = svgElement("svg", { class: "layer", "aria-hidden": "true" });
  const frame = element("button", "frame");
  frame.type = "button";
  frame.setAttribute("aria-label", marks.length > 0 ? label : say("enlarge", name));
  frame.append(image, layer);
  frame.addEventListener("click", () => enlarge(frame));
  figure.append(frame);
  drawMarks(layer, marks);
  return figure;
}

/** Boxes around lines, with a button that shows and hides them. */
export function addBoxes(figure, { lines, seconds }) {
  if (lines.length === 0) return;
  const group = svgElement("g", { class: "boxes" });
  for (const { text, box: [left, top, right, bottom] } of lines) {
    const rect = svgElement("rect", {
      x: percent(left),
      y: percent(top),
      width: percent(right - left),
      height: percent(bottom - top),
    });
    const title = svgElement("title");
    title.textContent = text;
    rect.append(title);
    group.append(rect);
  }
  figure.querySelector(".layer").prepend(group);
  const toggle = iconButton("boxes", say("showBoxes"), () => show(toggle.getAttribute("aria-pressed") !== "true"));
  const show = (isShown) => {
    figure.classList.toggle("with-boxes", isShown);
    toggle.setAttribute("aria-pressed", String(isShown));
  };
  const caption = element("figcaption", "", say("read", lines.length, seconds.toFixed(1)));
  caption.prepend(toggle);
  figure.append(caption);
  show(true);
}

function drawMarks(layer, marks) {
  if (marks.length === 2) {
    const [from, to] = marks;
    layer.append(svgElement("line", { x1: percent(from.x), y1: percent(from.y), x2: percent(to.x), y2: percent(to.y) }));
  }
  marks.forEach(({ x, y }, index) => {
    const isEnd = index === marks.length - 1;
    layer.append(svgElement("circle", { class: isEnd ? "mark" : "mark from", cx: percent(x), cy: percent(y), r: isEnd ? 14 : 7 }));
  });
}

function enlarge(frame) {
  const dialog = $("large");
  const close = element("button", "", say("close"));
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  const copy = element("div", "frame with-boxes");
  copy.append(...[...frame.children].map((child) => child.cloneNode(true)));
  dialog.replaceChildren(close, copy);
  dialog.showModal();
}
