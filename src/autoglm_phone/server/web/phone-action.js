// What a phone agent wants to do, as AutoGLM writes it: do(action="Tap", element=[540,620]). Read, never evaluated.

const CALL = /\bdo\(\s*action\s*=\s*"([^"\n]{1,40})"([^\n]*)/g;
const POINT = /\b(element|start|end)\s*=\s*\[\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\]/g;
/** Coordinates are thousandths of the screen's width and height. */
export const GRID = 1000;

/** The last action of a text that points at the screen: {name, points: [{x, y}]}; or null. */
export function actionOf(text) {
  for (const [, name, rest] of [...text.matchAll(CALL)].reverse()) {
    const points = [...rest.matchAll(POINT)].map(([, , x, y]) => ({ x: Number(x), y: Number(y) }));
    if (points.length > 0 && points.every(({ x, y }) => x < GRID && y < GRID)) return { name, points };
  }
  return null;
}

/** The words that were read at a point, or nothing. Of several boxes the smallest counts. */
export function wordsAt({ x, y }, lines) {
  const size = ([left, top, right, bottom]) => (right - left) * (bottom - top);
  const around = lines.filter(({ box: [left, top, right, bottom] }) => left <= x && x <= right && top <= y && y <= bottom);
  return around.sort((a, b) => size(a.box) - size(b.box))[0]?.text ?? "";
}
