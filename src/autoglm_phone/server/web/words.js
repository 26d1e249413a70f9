// Every word of the page, in English and in Chinese.

const WORDS = {
  en: {
    skip: "Skip to the message field",
    newChat: "New chat",
    settings: "Settings",
    apiKey: "API key",
    apiKeyHint: "Only if the server asks for one; kept until this tab is closed.",
    temperature: "Temperature",
    temperatureHint: "Empty: the model's own setting.",
    thinking: "Think before answering",
    welcome: "What can I do for you?",
    welcomeHint: "Write, or attach a screenshot or a recording. Everything stays on the machine that runs this server.",
    messages: "Conversation",
    attachments: "Attached files",
    addPicture: "Attach a picture",
    addSound: "Attach a sound file",
    message: "Message",
    placeholder: "Message",
    send: "Send",
    stop: "Stop",
    remove: "Remove",
    user: "You said:",
    assistant: "Answer:",
    thought: "Thought",
    stopped: "Stopped.",
    failed: (message) => `That did not work: ${message}`,
    unreadable: (name, message) => `${name} cannot be read: ${message}`,
    keyNeeded: "This server asks for an API key: enter it under Settings.",
    tokens: (count, seconds) => `${count} tokens in ${seconds} s`,
    firstToken: (seconds) => `first after ${seconds} s`,
    cached: (cached, all) => `${cached} of ${all} prompt tokens from the cache`,
    dropped: (count) => `${count} oldest messages left out, the window is full`,
    state_connecting: "connecting …",
    state_ok: "ready",
    state_degraded: "ready for text; pictures and sounds in a moment",
    state_loading: "the model is loading …",
    state_failed: "the model could not be loaded",
    state_unreachable: "the server cannot be reached",
  },
  zh: {
    skip: "跳到输入框",
    newChat: "新对话",
    settings: "设置",
    apiKey: "API 密钥",
    apiKeyHint: "仅在服务器要求时填写；关闭此标签页后即清除。",
    temperature: "温度",
    temperatureHint: "留空则使用模型自身的设置。",
    thinking: "先思考再回答",
    welcome: "有什么可以帮您？",
    welcomeHint: "输入文字，或附上截图、录音。所有内容都留在运行本服务器的机器上。",
    messages: "对话",
    attachments: "附件",
    addPicture: "添加图片",
    addSound: "添加音频文件",
    message: "消息",
    placeholder: "输入消息",
    send: "发送",
    stop: "停止",
    remove: "移除",
    user: "您：",
    assistant: "回答：",
    thought: "思考过程",
    stopped: "已停止。",
    failed: (message) => `出错了：${message}`,
    unreadable: (name, message) => `无法读取 ${name}：${message}`,
    keyNeeded: "此服务器需要 API 密钥：请在“设置”中填写。",
    tokens: (count, seconds) => `${count} 个词元，用时 ${seconds} 秒`,
    firstToken: (seconds) => `首个词元 ${seconds} 秒`,
    cached: (cached, all) => `提示词 ${all} 个词元中有 ${cached} 个来自缓存`,
    dropped: (count) => `窗口已满，略去了最早的 ${count} 条消息`,
    state_connecting: "正在连接……",
    state_ok: "就绪",
    state_degraded: "文字就绪；图片和声音稍候",
    state_loading: "模型正在加载……",
    state_failed: "模型无法加载",
    state_unreachable: "无法连接服务器",
  },
};

let language = "en";

export const otherLanguage = () => (language === "en" ? "zh" : "en");

/** The word or sentence under this name, with its values filled in. */
export function say(name, ...values) {
  const words = WORDS[language][name] ?? WORDS.en[name] ?? name;
  return typeof words === "function" ? words(...values) : words;
}

export function applyLanguage(chosen) {
  language = chosen;
  localStorage.setItem("language", chosen);
  document.documentElement.lang = chosen === "zh" ? "zh-Hans" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = say(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", say(node.dataset.label));
  for (const node of document.querySelectorAll("[data-title]")) node.title = say(node.dataset.title);
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = say(node.dataset.placeholder);
  const button = document.getElementById("language");
  button.textContent = chosen === "zh" ? "English" : "中文";
  button.lang = chosen === "zh" ? "en" : "zh";
  button.setAttribute("aria-label", chosen === "zh" ? "Switch to English" : "切换到中文");
}

/** The language chosen before, else the browser's. */
export function startLanguage() {
  const chosen = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  applyLanguage(chosen in WORDS ? chosen : "en");
}
