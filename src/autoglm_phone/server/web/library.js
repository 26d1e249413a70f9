// The conversations and their files, kept in this browser (IndexedDB). Where it keeps nothing, in a private window
// perhaps, the page works all the same until it is closed.

const NAME = "autoglm-phone";
const VERSION = 1;

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });

/** A Library, or an UnkeptLibrary. */
export async function openLibrary() {
  try {
    const opening = indexedDB.open(NAME, VERSION);
    opening.addEventListener("upgradeneeded", () => {
      opening.result.createObjectStore("conversations", { keyPath: "id" });
      opening.result.createObjectStore("files", { keyPath: "id" }).createIndex("conversation", "conversation");
    });
    return new Library(await settled(opening));
  } catch {
    return new UnkeptLibrary();
  }
}

class Library {
  isKept = true;
  #database;

  constructor(database) {
    this.#database = database;
    // Another tab with a newer page may want to change the stores.
    database.addEventListener("versionchange", () => database.close());
  }

  /** All conversations, the last changed first. */
  async all() {
    const found = await settled(this.#store("conversations").getAll());
    return found.sort((a, b) => b.changed - a.changed);
  }

  put(conversation) {
    return settled(this.#store("conversations", "readwrite").put(conversation));
  }

  putFile(file) {
    return settled(this.#store("files", "readwrite").put(file));
  }

  file(id) {
    return settled(this.#store("files").get(id));
  }

  filesOf(conversation) {
    return settled(this.#store("files").index("conversation").getAll(conversation));
  }

  /** The conversation with its files. */
  async remove(id) {
    const keys = await settled(this.#store("files").index("conversation").getAllKeys(id));
    const files = this.#store("files", "readwrite");
    await Promise.all(keys.map((key) => settled(files.delete(key))));
    await settled(this.#store("conversations", "readwrite").delete(id));
  }

  #store(name, mode = "readonly") {
    return this.#database.transaction(name, mode).objectStore(name);
  }
}

class UnkeptLibrary {
  isKept = false;
  #conversations = new Map();
  #files = new Map();

  async all() {
    return [...this.#conversations.values()].sort((a, b) => b.changed - a.changed);
  }

  async put(conversation) {
    this.#conversations.set(conversation.id, conversation);
  }

  async putFile(file) {
    this.#files.set(file.id, file);
  }

  async file(id) {
    return this.#files.get(id);
  }

  async filesOf(conversation) {
    return [...this.#files.values()].filter((file) => file.conversation === conversation);
  }

  async remove(id) {
    for (const file of await this.filesOf(id)) this.#files.delete(file.id);
    this.#conversations.delete(id);
  }
}
