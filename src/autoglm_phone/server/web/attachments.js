// The pictures and sounds that go with the next message: chosen, pasted, dropped or captured.

import { newId } from "./conversation.js";
import { $, element, icon } from "./dom.js";
import { kindOf } from "./files.js";
import { fitting } from "./picture-size.js";
import { say } from "./words.js";

export class Attachments {
  #files = [];
  #fitting = Promise.resolve();
  #urls;
  #onFile;
  #onError;

  /** onFile(file): it is attached, and as large as it will be sent. */
  constructor({ urls, onFile, onError }) {
    this.#urls = urls;
    this.#onFile = onFile;
    this.#onError = onError;
    for (const name of ["picture", "sound"]) $(name).addEventListener("change", ({ target }) => this.#take(target));
    document.addEventListener("paste", ({ clipboardData }) => this.add([...clipboardData.files]));
    this.#catchDrops();
  }

  /** Those that are attached; they are then the caller's. */
  async takeAll() {
    const files = this.#files;
    this.#files = [];
    this.show();
    await this.#fitting;
    return files;
  }

  get isEmpty() {
    return this.#files.length === 0;
  }

  add(blobs) {
    for (const blob of blobs) {
      const kind = kindOf(blob);
      if (kind === null) this.#onError(say("unreadable", blob.name));
      else this.#push({ id: newId(), conversation: "", kind, name: blob.name, blob, reading: null });
    }
    if (blobs.length > 0) $("prompt").focus();
  }

  show() {
    $("attachments").replaceChildren(...this.#files.map((file) => this.#item(file)));
  }

  #push(file) {
    this.#files = [...this.#files, file];
    this.#fitting = Promise.all([this.#fitting, this.#fit(file)]);
    this.show();
  }

  async #fit(file) {
    if (file.kind === "picture") file.blob = await fitting(file.blob);
    this.#onFile(file);
  }

  #take(input) {
    this.add([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  }

  #item(file) {
    const item = element("li");
    if (file.kind === "picture") {
      const image = element("img");
      image.src = this.#urls.of(file);
      image.alt = "";
      image.addEventListener("error", () => image.replaceWith(icon("picture")));
      item.append(image);
    } else item.append(icon("sound"));
    const remove = element("button", "", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", `${say("remove")}: ${file.name}`);
    remove.addEventListener("click", () => {
      this.#files = this.#files.filter((other) => other !== file);
      this.show();
      $("prompt").focus();
    });
    item.append(element("span", "", file.name), remove);
    return item;
  }

  #catchDrops() {
    const hasFiles = ({ dataTransfer }) => dataTransfer.types.includes("Files");
    const over = (isOver) => document.body.classList.toggle("dropping", isOver);
    document.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      over(true);
    });
    document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget === null && over(false));
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault(); // else the browser leaves the page for the file
      over(false);
      this.add([...event.dataTransfer.files]);
    });
  }
}
