// Loading and unloading one module while the server runs, with what can be said of its progress.

import { changeModule } from "./api.js";
import { $ } from "./dom.js";
import { say } from "./words.js";

/** apiKey(): used where no admin key was entered. onChange: the modules are others now. */
export function startSwap({ apiKey, onChange }) {
  const change = async (source) => {
    const modality = $("swap-modality").value;
    const began = performance.now();
    const seconds = () => ((performance.now() - began) / 1000).toFixed(0);
    const tell = () => ($("swap-state").textContent = say("swapRunning", say(`modality_${modality}`), seconds()));
    const ticking = setInterval(tell, 1000);
    tell();
    busy(true);
    $("swap-progress").scrollIntoView({ block: "nearest" });
    try {
      const done = await changeModule(modality, source, $("admin-key").value.trim() || apiKey());
      $("swap-state").textContent = say("swapDone", say(`modality_${modality}`), done.seconds.toFixed(1));
    } catch (error) {
      $("swap-state").textContent = say("failed", error.isLost ? say("lost") : error.message);
    } finally {
      clearInterval(ticking);
      busy(false);
      onChange();
    }
  };
  $("swap").addEventListener("submit", (event) => {
    event.preventDefault();
    const source = $("swap-source").value.trim();
    if (source) change(source);
  });
  $("swap-unload").addEventListener("click", () => change(null));
}

function busy(isBusy) {
  $("swap-progress").hidden = !isBusy;
  for (const id of ["swap-load", "swap-unload"]) $(id).disabled = isBusy;
}
