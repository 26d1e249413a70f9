// Whether the server answers, and with which modules: asked again and again, for both may change while the page is open.

import { getHealth, getModel } from "./api.js";
import { $ } from "./dom.js";
import { say } from "./words.js";

// While it does not answer, and while it does.
const SOON_MS = 2000;
const LATER_MS = 30_000;

export class ServerState {
  #state = "connecting";
  #model = null;
  #fault = ""; // the last that onError was told
  #timer = 0;
  #isBegun = false;
  #checking = Promise.resolve();
  #key;
  #onError;
  #onModel;

  /** onError(error or null): the model's card could not be had, or now could. onModel(): other modules, perhaps. */
  constructor(key, { onError = () => {}, onModel = () => {} } = {}) {
    this.#key = key;
    this.#onError = onError;
    this.#onModel = onModel;
    // Who comes back to the tab may have changed a module in another one.
    for (const event of ["focus", "online"]) addEventListener(event, () => this.#isBegun && this.check());
  }

  /** Whether its vision module gives words and places. */
  get canRead() {
    return this.#module("vision")?.kind === "transcriber";
  }

  /** Whether it takes sounds. */
  get canHear() {
    return this.#module("speech") !== undefined;
  }

  show() {
    $("dot").className = { ok: "ready", degraded: "ready", unreachable: "down", failed: "down" }[this.#state] ?? "";
    const words = say(`state_${this.#state}`);
    $("status-text").textContent = this.#model === null ? words : `${this.#model.root} · ${words}`;
    const loaded = ({ modality, arch, version }) => `${say(`modality_${modality}`)}: ${arch} ${version}`;
    $("status-text").title = this.#modules.map(loaded).join("\n");
    if ($("limits")) $("limits").textContent = this.#model?.limits ?? "";
  }

  /** Asks now, behind what is being asked. */
  check() {
    this.#isBegun = true;
    this.#checking = this.#checking.then(() => this.#ask());
    return this.#checking;
  }

  get #modules() {
    return this.#model?.modules ?? [];
  }

  #module(wanted) {
    return this.#modules.find(({ modality }) => modality === wanted);
  }

  async #ask() {
    this.#state = await getHealth();
    if (this.#state === "ok" || this.#state === "degraded") await this.#askModel();
    this.show();
    this.#onModel();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.check(), this.#state === "ok" ? LATER_MS : SOON_MS);
  }

  async #askModel() {
    let error = null;
    try {
      this.#model = await getModel(this.#key());
    } catch (caught) {
      error = caught;
      this.#model = null;
    }
    if (error?.isLost) error = null; // its health will say so
    const fault = error === null ? "" : `${error.status} ${error.message}`;
    if (fault !== this.#fault) this.#onError(error);
    this.#fault = fault;
  }
}
