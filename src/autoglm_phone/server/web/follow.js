// Keeps the end of what grows in sight, unless the reader has scrolled up.

const NEAR_PX = 60;

/** Returns a function that goes to the end, wherever the reader is. */
export function follow(pane, content) {
  let isAtEnd = true;
  const toEnd = () => (pane.scrollTop = pane.scrollHeight);
  let top = 0;
  pane.addEventListener("scroll", () => {
    // The event comes late: what has grown since then must not look like a reader who went up.
    const hasGoneUp = pane.scrollTop < top;
    top = pane.scrollTop;
    if (pane.scrollHeight - top - pane.clientHeight < NEAR_PX) isAtEnd = true;
    else if (hasGoneUp) isAtEnd = false;
  });
  const observer = new ResizeObserver(() => isAtEnd && toEnd());
  observer.observe(content);
  observer.observe(pane); // the field to write in grows at its cost
  return () => {
    isAtEnd = true;
    toEnd();
  };
}
