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
  #channel = new BroadcastChannel(NAME);

  constructor(database) {
    this.#database = database;
    // Another tab with a newer page may want to change the stores.
    database.addEventListener("versionchange", () => database.close());
  }

  /** listener(id): another tab has changed or removed this conversation. */
  onChange(listener) {
    this.#channel.addEventListener("message", ({ data }) => listener(data));
  }

  /** All conversations, the last changed first. */
  async all() {
    const found = await settled(this.#store("conversations").getAll());
    return found.sort((a, b) => b.changed - a.changed);
  }

  get(id) {
    return settled(this.#store("conversations").get(id));
  }

  /** With what other tabs have added to it meanwhile. */
  async put(conversation) {
    await this.#write(["conversations"], (conversations) => {
      const reading = conversations.get(conversation.id);
      reading.addEventListener("success", () => conversations.put(joined(reading.result, conversation)));
    });
    this.#channel.postMessage(conversation.id);
  }

  putFile(file) {
    return this.#write(["files"], (files) => files.put(file));
  }

  filesOf(conversation) {
    return settled(this.#store("files").index("conversation").getAll(conversation));
  }

  /** The conversation with its files. */
  async remove(id) {
    await this.#write(["conversations", "files"], (conversations, files) => {
      conversations.delete(id);
      const reading = files.index("conversation").getAllKeys(id);
      reading.addEventListener("success", () => reading.result.forEach((key) => files.delete(key)));
    });
    this.#channel.postMessage(id);
  }

  #store(name) {
    return this.#database.transaction(name).objectStore(name);
  }

  /** Resolves when it is kept: a full disk shows only at the end of the transaction. */
  #write(names, action) {
    const transaction = this.#database.transaction(names, "readwrite");
    action(...names.map((name) => transaction.objectStore(name)));
    return new Promise((resolve, reject) => {
      transaction.addEventListener("complete", () => resolve());
      transaction.addEventListener("abort", () => reject(transaction.error ?? new Error("the browser gave it up")));
    });
  }
}

/** The messages of both. What is written of one in both is that of the tab that has finished it, or of this one. */
function joined(kept, { nodes, ...conversation }) {
  const all = { ...kept?.nodes };
  for (const node of Object.values(nodes)) if (!all[node.id]?.note || node.note) all[node.id] = node;
  return { ...conversation, nodes: all };
}

class UnkeptLibrary {
  isKept = false;
  #conversations = new Map();
  #files = new Map();

  onChange() {} // no other tab sees it

  async get(id) {
    return this.#conversations.get(id);
  }

  async all() {
    return [...this.#conversations.values()].sort((a, b) => b.changed - a.changed);
  }

  async put(conversation) {
    this.#conversations.set(conversation.id, conversation);
  }

  async putFile(file) {
    this.#files.set(file.id, file);
  }

  async filesOf(conversation) {
    return [...this.#files.values()].filter((file) => file.conversation === conversation);
  }

  async remove(id) {
    for (const file of await this.filesOf(id)) this.#files.delete(file.id);
    this.#conversations.delete(id);
  }
}
