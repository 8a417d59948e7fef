// What of a page as it stands can be seen and reached: `tests/support/seen.py` calls these.
({
  // Every text and every control, as far as it is shown: how far it leaves the window, its button, or a frame
  // that cuts it off. A frame that scrolls lets what it holds be reached, if it can be reached by keys itself.
  cut: () => {
  const width = document.documentElement.clientWidth, found = [];
  const skipped = ".visually-hidden, .sr-only, .unseen, [hidden], option, optgroup, title, desc, defs, script, style";
  const name = (e) => `${e.tagName.toLowerCase()}.${e.getAttribute("class") ?? ""}`;
  for (const e of document.body.querySelectorAll("*")) {
    if (e.closest(skipped) || e.closest('[aria-hidden="true"].visually-hidden')) continue;
    if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const texts = [...e.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    const isControl = e.matches("a[href], button, input, select, textarea, summary");
    if (!texts.length && !isControl) continue;
    const boxes = texts.flatMap((text) => {
      const range = document.createRange();
      range.selectNodeContents(text);
      return [...range.getClientRects()];
    });
    if (isControl) boxes.push(e.getBoundingClientRect());
    for (const box of boxes.filter((one) => one.width > 1)) {
      let { left, right, top, bottom } = box, why = "";
      for (let up = e; up && up !== document.body && !why; up = up.parentElement) {
        const style = getComputedStyle(up), frame = up.getBoundingClientRect();
        if (up === e && isControl && !texts.length) continue;
        for (const [overflow, size, inner, from, to] of [
          [style.overflowX, up.clientWidth, up.scrollWidth, "left", "right"],
          [style.overflowY, up.clientHeight, up.scrollHeight, "top", "bottom"],
        ]) {
          const across = from === "left", [a, b] = across ? [left, right] : [top, bottom];
          const isOut = a < frame[from] - 1.5 || b > frame[to] + 1.5;
          if (!isOut || overflow === "visible" || up.tagName === "svg") continue;
          if (["hidden", "clip"].includes(overflow)) why = `cut off by ${name(up)}`;
          else if (across && inner > size && up.tabIndex < 0) why = `${name(up)} scrolls for the mouse alone`;
          else if (across) [left, right] = [frame.left, frame.right];
          else [top, bottom] = [frame.top, frame.bottom];
        }
      }
      const control = e.closest("button, .button")?.getBoundingClientRect();
      if (!why && texts.length && control && (box.left < control.left - 1 || box.right > control.right + 1)) why = "wider than its button";
      if (!why && (left < -1 || right > width + 1)) why = `from ${Math.round(left)} to ${Math.round(right)} of ${width}`;
      if (why) {
        found.push(`${name(e)} "${(e.textContent || e.value || "").trim().slice(0, 40)}": ${why}`);
        break;
      }
    }
  }
  return found;
},
  // The controls that Tab reaches and that do not show that they are reached.
  unmarked: () => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((e) => e.tabIndex >= 0 && !e.disabled && e.checkVisibility({ visibilityProperty: true }) && !e.closest(".unseen, [aria-hidden='true']"))
  .filter((e) => {
    e.focus();
    const style = getComputedStyle(e);
    const isMarked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    return document.activeElement !== e || !isMarked;
  }).map((e) => e.outerHTML.slice(0, 120)),
  // Where named elements are, as shares of the window's width, how high, and how they look: nothing that hangs
  // on the letters of a machine, but as far as lines of another width make an element higher.
  look: (names) => {
  const width = document.documentElement.clientWidth, found = {};
  const kept = ["color", "backgroundColor", "borderTop", "borderRadius", "fontSize", "fontWeight", "padding", "display"];
  for (const name of names) {
    const e = [...document.querySelectorAll(name)].find((one) => one.checkVisibility({ visibilityProperty: true }));
    if (!e) continue;
    const box = e.getBoundingClientRect(), style = getComputedStyle(e), share = (x) => Math.round((100 * x) / width);
    found[name] = [share(box.left), share(box.width), Math.round(box.top + scrollY), Math.round(box.height), kept.map((key) => style[key]).join("; ")];
  }
  return found;
},
  // What moves by itself, or slides.
  moving: () => [...document.querySelectorAll("*")].filter((e) => e.checkVisibility()).filter((e) => {
  const style = getComputedStyle(e), seconds = (text) => Math.max(...text.split(",").map(parseFloat));
  return seconds(style.transitionDuration) > 0.01 || (style.animationName !== "none" && seconds(style.animationDuration) > 0.01);
}).map((e) => e.outerHTML.slice(0, 120)),
})
