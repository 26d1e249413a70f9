// A button that is held: by mouse, finger, Space or Enter. Away from it, by Escape, or when the page loses the keyboard, it
// is given up. A tap, and a click that no hand has made (a screen reader's), hold it until the next one.

const TAP_MS = 300;
const AWAY_PX = 48;
const KEYS = [" ", "Enter"];

export class Hold {
  #button;
  #actions;
  #since = null; // when it was pressed, in ms; null: it is not held
  #by = ""; // what holds it: "pointer", "key", or "" for nothing, after a tap
  #isAway = false;
  #clicksUntil = 0;

  /** actions: {press(), release(), cancel(), change()}. change: isAway or isTapped is another. */
  constructor(button, actions) {
    this.#button = button;
    this.#actions = actions;
    button.addEventListener("pointerdown", (event) => this.#pointerDown(event));
    button.addEventListener("pointermove", (event) => this.#pointerMove(event));
    button.addEventListener("pointerup", () => this.#up("pointer"));
    button.addEventListener("pointercancel", () => this.cancel());
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // what a long touch opens
    button.addEventListener("keydown", (event) => this.#keyDown(event));
    button.addEventListener("keyup", (event) => this.#keyUp(event));
    button.addEventListener("blur", () => this.#by === "key" && this.cancel());
    button.addEventListener("click", () => this.#click());
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.cancel());
    document.addEventListener("visibilitychange", () => document.hidden && this.cancel());
    addEventListener("blur", () => this.#by !== "" && this.cancel());
  }

  get isHeld() {
    return this.#since !== null;
  }

  /** Whether letting go now would give it up. */
  get isAway() {
    return this.#isAway;
  }

  /** Held by nothing: the next tap lets go. */
  get isTapped() {
    return this.isHeld && this.#by === "";
  }

  cancel() {
    if (this.isHeld) this.#end(this.#actions.cancel);
  }

  #pointerDown(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.#button.setPointerCapture(event.pointerId);
    this.#down("pointer");
  }

  #pointerMove({ clientX: x, clientY: y }) {
    if (this.#by !== "pointer") return;
    const { left, right, top, bottom } = this.#button.getBoundingClientRect();
    const isAway = Math.max(left - x, x - right, top - y, y - bottom) > AWAY_PX;
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    this.#actions.change();
  }

  #keyDown(event) {
    if (!KEYS.includes(event.key)) return;
    event.preventDefault(); // else it is a click as well
    if (!event.repeat) this.#down("key");
  }

  #keyUp(event) {
    if (!KEYS.includes(event.key)) return;
    event.preventDefault();
    this.#up("key");
  }

  #click() {
    if (performance.now() < this.#clicksUntil) return; // the one behind a pointer's
    if (this.isHeld) this.#end(this.#actions.release);
    else this.#begin("");
  }

  #down(by) {
    if (!this.isHeld) this.#begin(by);
    else if (this.isTapped) {
      this.#by = by;
      this.#since = -Infinity; // however short, the second tap lets go
    }
  }

  #begin(by) {
    this.#by = by;
    this.#since = performance.now();
    this.#actions.press();
  }

  #up(by) {
    if (by === "pointer") this.#clicksUntil = performance.now() + TAP_MS;
    if (this.#by !== by) return;
    if (this.#isAway) this.cancel();
    else if (performance.now() - this.#since >= TAP_MS) this.#end(this.#actions.release);
    else {
      this.#by = "";
      this.#actions.change();
    }
  }

  #end(action) {
    this.#since = null;
    this.#by = "";
    this.#isAway = false;
    action();
  }
}
