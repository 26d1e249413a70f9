// Before the first paint: the appearance that was chosen before.
document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "";
