// Whether the server answers, and with which model; asked again while it does not.

import { getHealth, getModel } from "./api.js";
import { $ } from "./dom.js";
import { say } from "./words.js";

const AGAIN_MS = 2000;

export class ServerState {
  #state = "connecting";
  #model = null;
  #key;
  #onError;

  /** onError(error or null): the model's card could not be had, or now could. */
  constructor(key, onError) {
    this.#key = key;
    this.#onError = onError;
  }

  /** Whether its vision module gives words and places. */
  get canRead() {
    return (this.#model?.modules ?? []).some(({ modality, kind }) => modality === "vision" && kind === "transcriber");
  }

  show() {
    $("dot").className = { ok: "ready", degraded: "ready", unreachable: "down", failed: "down" }[this.#state] ?? "";
    const words = say(`state_${this.#state}`);
    $("status-text").textContent = this.#model === null ? words : `${this.#model.root} · ${words}`;
    if ($("limits")) $("limits").textContent = this.#model?.limits ?? "";
  }

  async check() {
    this.#state = await getHealth();
    if (this.#state === "ok" || this.#state === "degraded") {
      try {
        this.#model = await getModel(this.#key());
        this.#onError(null);
      } catch (error) {
        this.#model = null;
        this.#onError(error);
      }
    }
    this.show();
    if (this.#state !== "ok") setTimeout(() => this.check(), AGAIN_MS);
  }
}
