// A conversation is a tree: a question that was edited, or a second answer, is a branch beside the first. Plain data,
// so that the browser can keep it; `leaf` is the end of the branch that is shown.

/** Random, and possible on pages without HTTPS too, which have no crypto.randomUUID. */
export const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");

export function newConversation() {
  const now = Date.now();
  return { id: newId(), title: "", created: now, changed: now, leaf: null, nodes: {} };
}

/** A further message under `parent` (null: the first), which becomes the end of what is shown. */
export function addNode(conversation, parent, fields) {
  const node = { id: newId(), parent, text: "", thought: "", files: [], failure: "", note: null, ...fields };
  conversation.nodes[node.id] = node;
  conversation.leaf = node.id;
  conversation.changed = Date.now();
  if (!conversation.title && node.role === "user") conversation.title = titleOf(node);
  return node;
}

/** What is shown, from the first message to the last. */
export function pathOf(conversation, leaf = conversation.leaf) {
  const path = [];
  for (let node = conversation.nodes[leaf]; node; node = conversation.nodes[node.parent]) path.unshift(node);
  return path;
}

/** A node and those that stand in its place on other branches, the oldest first. */
export const siblingsOf = (conversation, node) => childrenOf(conversation, node.parent);

/** Show the branch through this node, down to its newest message. */
export function choose(conversation, node) {
  let end = node;
  for (let [next] = childrenOf(conversation, end.id).slice(-1); next; [next] = childrenOf(conversation, end.id).slice(-1)) {
    end = next;
  }
  conversation.leaf = end.id;
}

/** The path as the model is to see it: exchanges that failed are left out. */
export function asked(path) {
  return path.filter((node, index) => !isLost(node) && !(node.role === "user" && path[index + 1] && isLost(path[index + 1])));
}

const isLost = (node) => node.role === "assistant" && node.text === "";

const childrenOf = (conversation, parent) =>
  Object.values(conversation.nodes).filter((node) => node.parent === parent);

const titleOf = (node) => (node.text || node.files[0]?.name || "").replace(/\s+/g, " ").slice(0, 80);
