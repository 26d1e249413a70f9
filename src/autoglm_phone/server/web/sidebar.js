// The list of conversations: found, opened, deleted, taken along.

import { $, element, iconButton } from "./dom.js";
import { exported, imported } from "./portable.js";
import { say, sayTime } from "./words.js";

const WIDE = matchMedia("(min-width: 64rem)");

export class Sidebar {
  #library;
  #current;
  #open;
  #remove;
  #onError;

  /** current(): the id of what is shown. open(conversation), remove(id): what is done with one. */
  constructor({ library, current, open, remove, onNew, onError }) {
    this.#library = library;
    this.#current = current;
    this.#open = open;
    this.#remove = remove;
    this.#onError = onError;
    $("sidebar-button").addEventListener("click", () => this.toggle($("sidebar").hidden));
    $("new-chat").addEventListener("click", () => this.#go(onNew));
    $("search").addEventListener("input", () => this.show());
    $("export").addEventListener("click", () => this.#export());
    $("import").addEventListener("change", ({ target }) => this.#import(target));
    document.addEventListener("keydown", ({ key }) => key === "Escape" && !WIDE.matches && this.toggle(false));
    this.toggle(WIDE.matches);
  }

  toggle(isOpen) {
    $("sidebar").hidden = !isOpen;
    $("sidebar-button").setAttribute("aria-expanded", String(isOpen));
  }

  async show() {
    const wanted = $("search").value.trim().toLowerCase();
    const all = await this.#all();
    const found = all.filter((one) => wanted === "" || holds(one, wanted));
    $("conversations").replaceChildren(...found.map((one) => this.#item(one)));
    $("none-found").hidden = wanted === "" || found.length > 0;
  }

  async #all() {
    try {
      return await this.#library.all();
    } catch (error) {
      this.#onError(say("unkept", error.message));
      return [];
    }
  }

  #item(conversation) {
    const title = conversation.title || say("untitled");
    const open = element("button", "open", title);
    open.type = "button";
    open.title = sayTime(conversation.changed);
    if (conversation.id === this.#current()) open.setAttribute("aria-current", "true");
    open.addEventListener("click", () => this.#go(() => this.#open(conversation)));
    const remove = iconButton("delete", say("deleteChat", title), async () => {
      if (!confirm(say("deleteSure", title))) return;
      await this.#remove(conversation.id);
      await this.show();
      $("search").focus(); // the button that had it is gone
    });
    const item = element("li");
    item.append(open, remove);
    return item;
  }

  /** On a narrow screen the list lies over the conversation: it makes room for what was chosen. */
  #go(action) {
    if (!WIDE.matches) this.toggle(false);
    return action();
  }

  async #export() {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([await exported(this.#library)], { type: "application/json" }));
    link.download = "conversations.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  async #import(input) {
    try {
      await imported(await input.files[0].text(), this.#library);
      this.#onError("");
    } catch (error) {
      const isFull = error.name === "QuotaExceededError";
      this.#onError(isFull ? say("unkept", error.message) : say("notImported", say("notOurs")));
    }
    input.value = "";
    await this.show();
  }
}

const holds = ({ title, nodes }, wanted) =>
  [title, ...Object.values(nodes).map(({ text }) => text)].some((text) => text.toLowerCase().includes(wanted));
